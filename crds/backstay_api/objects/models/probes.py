"""Probes of a resource: questions that are asked regularly, whose good answers mean that it really works."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from .base import Argv, Duration, Label, Model, Text, exactly_one_of

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


class HttpGet(Model):
    """Good if a GET is answered with 200 to 399."""

    port: Port
    """Port to ask."""
    path: Annotated[str, StringConstraints(max_length=1024, pattern=r"^/[^\x00-\x20\x7f]*$")] | None = None
    """Path to ask for. Default: /."""
    host: Text | None = None
    """Address to ask. Default: 127.0.0.1."""
    scheme: Literal["HTTP", "HTTPS"] | None = None
    """Default: HTTP. With HTTPS the certificate is not checked, as in Kubernetes."""
    http_headers: Annotated[list[HttpHeader], Field(max_length=16)] | None = None
    """Headers to send."""


class Exec(Model):
    """Good if a command exits with 0."""

    command: Argv
    """The command; no shell."""


class OcfDepth(Model):
    """Good if the resource's own agent says so, asked at a depth."""

    depth: Annotated[int, Field(ge=0, le=20)]
    """OCF_CHECK_LEVEL: one that the agent's metadata names, 0, 10 or 20."""


class Probe(Model):
    """Asks regularly whether a resource really works."""

    rules = (exactly_one_of(tcp_socket="tcpSocket", http_get="httpGet", exec="exec", ocf="ocf"),)
    name: Label
    """Unique among the probes of the resource."""
    tcp_socket: TcpSocket | None = None
    """Open a connection."""
    http_get: HttpGet | None = None
    """Ask over HTTP."""
    exec: Exec | None = None
    """Run a command."""
    ocf: OcfDepth | None = None
    """Ask the resource's OCF agent; only in a resource of kind ocf."""
    period: Duration = "10s"
    """From the begin of one try to the begin of the next."""
    timeout: Duration = "1s"
    """How long one try may take."""
    initial_delay: Duration = "0s"
    """Wait after the start before the first try."""
    failure_threshold: Count = 3
    """This many failures in a row: the resource has failed."""
    success_threshold: Count = 1
    """This many successes in a row: it works again."""
