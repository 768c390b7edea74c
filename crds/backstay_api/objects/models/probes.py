"""What asks regularly whether a resource really works: the kinds of probes, and what they may say."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from backstay_api.objects.probe_kinds import PROBE_KINDS

from .base import Argv, Duration, Label, Model, Rule, Text, exactly_one_of

AbsolutePath = Annotated[str, StringConstraints(max_length=1024, pattern=r"^/[^\x00\n]*$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=1, le=1000)]


class TcpSocket(Model):
    """Good if a connection can be opened."""

    port: Port
    """Port to connect to."""
    host: Text | None = None
    """Address to connect to. Default: 127.0.0.1."""


class HttpHeader(Model):
    """One header of a probe's request."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9-]+$")]
    """Header name."""
    value: Annotated[str, StringConstraints(max_length=1024, pattern=r"^[^\r\n]*$")]
    """Header value."""


class Tls(Model):
    """How a probe speaks TLS. Its files are the host's own, and are read anew each time."""

    ca_file: AbsolutePath | None = None
    """PEM file of those who may have signed the server's certificate. Default: whom the host trusts."""
    insecure_skip_verify: bool = False
    """Take any certificate, whoever signed it and whatever name it has."""
    server_name: (
        Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9._:-]+$")] | None
    ) = None
    """Name that the certificate must have, and that the server is told (SNI). Default: the host that is asked."""
    cert_file: AbsolutePath | None = None
    """PEM file of the certificate that is shown to the server."""
    key_file: AbsolutePath | None = None
    """PEM file of its key. Default: it stands in certFile too."""


class ExpectedBody(Model):
    """What the first 64 KiB of an answer must hold; with both, both."""

    contains: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None
    """This text."""
    matches: Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00\n]*$")] | None = None
    """A line that this extended regular expression matches, as the host's `grep -E` has it."""


class HttpGet(Model):
    """Good if a GET is answered with 200 to 399, or as it says."""

    port: Port
    """Port to ask."""
    path: Annotated[str, StringConstraints(max_length=1024, pattern=r"^/[^\x00-\x20\x7f]*$")] | None = None
    """Path to ask for. Default: /."""
    host: Text | None = None
    """Address to ask. Default: 127.0.0.1."""
    scheme: Literal["HTTP", "HTTPS"] | None = None
    """Default: HTTP. With HTTPS and without `tls` the certificate is not checked, as in Kubernetes."""
    http_headers: Annotated[list[HttpHeader], Field(max_length=16)] | None = None
    """Headers to send."""
    expected_status: (
        Annotated[
            list[Annotated[str, StringConstraints(max_length=7, pattern=r"^[1-5][0-9]{2}(-[1-5][0-9]{2})?$")]],
            Field(max_length=16),
        ]
        | None
    ) = None
    """Codes and ranges of codes that are good: `["200-299", "401"]`. Default: 200-399."""
    expected_body: ExpectedBody | None = None
    """What the answer must hold."""
    tls: Tls | None = None
    """With scheme HTTPS: check the server's certificate, and show one."""


class Grpc(Model):
    """Good if the server's health service (grpc.health.v1.Health/Check) answers SERVING."""

    port: Port
    """Port to ask."""
    host: Text | None = None
    """Address to ask. Default: 127.0.0.1."""
    service: Annotated[str, StringConstraints(max_length=253, pattern=r"^[\x20-\x7e]*$")] | None = None
    """Name of the service that is asked about. Default: the server as a whole."""
    tls: Tls | None = None
    """Speak TLS. Default: plain text."""


class Exec(Model):
    """Good if a command exits with 0."""

    command: Argv
    """The command; no shell."""


class OcfDepth(Model):
    """Good if the resource's own agent says so, asked at a depth."""

    depth: Annotated[int, Field(ge=0, le=20)]
    """OCF_CHECK_LEVEL: one that the agent's metadata names, 0, 10 or 20."""


def _is_askable_elsewhere(probe: Any) -> bool:
    for kind in PROBE_KINDS:
        spec = getattr(probe, kind.field)
        if spec is not None and (kind.only_holder or (kind.asks_port and spec.host is None)):
            return False
    return True


_OTHER_HOSTS_ASK = Rule(
    "!has(self.from) || self.from != 'Standby' || ((!has(self.onFailure) || self.onFailure == 'Degrade')"
    + "".join(f" && !has(self.{kind.wire})" for kind in PROBE_KINDS if kind.only_holder)
    + "".join(f" && (!has(self.{kind.wire}) || has(self.{kind.wire}.host))" for kind in PROBE_KINDS if kind.asks_port)
    + ")",
    "a probe from: Standby is asked by other hosts: it says which host they ask, is not of kind"
    f" {' or '.join(kind.wire for kind in PROBE_KINDS if kind.only_holder)}, and its onFailure is Degrade if anything,"
    " for what they miss may be their own network's fault",
    lambda probe: probe.from_ != "Standby" or (probe.on_failure in (None, "Degrade") and _is_askable_elsewhere(probe)),
)


class Probe(Model):
    """Asks regularly whether a resource really works."""

    rules = (exactly_one_of(**{kind.field: kind.wire for kind in PROBE_KINDS}), _OTHER_HOSTS_ASK)
    name: Label
    """Unique among the probes of the resource."""
    tcp_socket: TcpSocket | None = None
    """Open a connection."""
    http_get: HttpGet | None = None
    """Ask over HTTP."""
    grpc: Grpc | None = None
    """Ask a gRPC server's health service."""
    exec: Exec | None = None
    """Run a command."""
    ocf: OcfDepth | None = None
    """Ask the resource's OCF agent; only in a resource of kind ocf."""
    from_: Annotated[Literal["Holder", "Standby"] | None, Field(alias="from")] = None
    """Who asks. Holder, the default: the host that it runs on. Standby: the hosts that could take over, as its clients do, through the
    network; what they find is told (Degraded, NotReachable), and nothing is restarted or moved for it."""
    period: Duration = "10s"
    """From the begin of one try to the begin of the next."""
    timeout: Duration = "1s"
    """How long one try may take."""
    initial_delay: Duration = "0s"
    """Wait after the start before the first try."""
    failure_threshold: Count = 3
    """This many failures in a row: the resource has failed."""
    on_failure: Literal["Restart", "Degrade"] | None = None
    """What that means. Restart, the default: it does not work. Degrade: it works, and its service is Degraded: neither restarted nor
    moved for it, and no start waits for it."""
    success_threshold: Count = 1
    """This many successes in a row: it works again."""
