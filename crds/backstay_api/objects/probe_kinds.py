"""What kinds of probes there are: a row each. How one is asked, the agent's table says (`backstay_agent.run.asking`).

A row says what people must not get wrong, and what a host needs before it can ask: nobody else knows a kind of probe by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Final

from . import policy_words
from .policy_words import Asked


@dataclass(frozen=True)
class ProbeKind:
    """One kind. The functions are given what stands in the probe's field of this kind."""

    field: str
    """Its field in a probe, as Python has it."""
    wire: str
    """As a manifest has it."""
    _: KW_ONLY
    policy: Callable[[Any], tuple[Asked, ...]]
    """What of it the policy of a host must allow before it is asked."""
    asks_port: bool = False
    """It has a `port` and may have a `host`: whoever else holds that port would answer."""
    only_holder: bool = False
    """Only the host that its resource runs on can ask it."""
    program: Callable[[Any], Sequence[str]] = lambda spec: ()
    """The command that it runs."""
    files: Callable[[Any], Sequence[str]] = lambda spec: ()
    """Files of the host that it reads."""
    fault: Callable[[Any], str] = lambda spec: ""
    """What no schema can say is wrong with it: the field, a colon, and the rest of a sentence; empty if nothing is."""
    senseless: Callable[[Any], str] = lambda spec: ""
    """Why nobody could ask it, whoever wrote it; empty if one can."""


def kind_of(probe: Any) -> tuple[ProbeKind, Any]:
    """The kind of a probe, and what stands in that field."""
    return next((kind, spec) for kind in PROBE_KINDS if (spec := getattr(probe, kind.field, None)) is not None)


def others_ask(probe: Any) -> bool:
    """Whether it is asked by the hosts that could take over, and not by the one that it runs on."""
    return bool(probe.from_ == "Standby")


def only_degrades(probe: Any) -> bool:
    """Whether its resource works all the same where it fails."""
    return bool(probe.on_failure == "Degrade") or others_ask(probe)


def asked_by_holder(resource: Any) -> Any:
    """The resource with those probes alone that the host asks on which it runs."""
    return _with_probes(resource, tuple(probe for probe in resource.probes if not others_ask(probe)))


def asked_by_others(resource: Any) -> Any:
    """The resource with those probes alone that other hosts ask."""
    return _with_probes(resource, tuple(filter(others_ask, resource.probes)))


def _with_probes(resource: Any, probes: tuple[Any, ...]) -> Any:
    return resource if len(probes) == len(resource.probes) else replace(resource, probes=probes)


def is_asked(resource: Any) -> bool:
    """Whether some probe says that it works: what only degrades proves nothing."""
    return not all(map(only_degrades, resource.probes))


def may_fail(resource: Any) -> bool:
    """Whether its service works without it: it is neither restarted nor moved for it, and no start waits."""
    return bool(resource.on_failure in ("Degrade", "Ignore"))


def fault_of(probe: Any) -> str:
    """What is wrong with it, as a path below the probe, a colon, and the rest of a sentence; empty if nothing is."""
    kind, spec = kind_of(probe)
    if others_ask(probe) and kind.asks_port and policy_words.is_here(spec.host):
        return (
            f"{kind.wire}.host: {spec.host or 'empty'} is each host that asks itself: name the address that clients use"
        )
    why = kind.fault(spec)
    return f"{kind.wire}.{why}" if why else ""


def _tls_files(spec: Any) -> tuple[str, ...]:
    tls = spec.tls
    return tuple(filter(None, (tls.ca_file, tls.cert_file, tls.key_file))) if tls else ()


def _tls_fault(spec: Any) -> str:
    tls = spec.tls
    if tls and tls.insecure_skip_verify and (tls.ca_file or tls.server_name):
        return "tls: with insecureSkipVerify nothing is checked: leave it out, or caFile and serverName"
    if tls and tls.key_file and not tls.cert_file:
        return "tls.keyFile: a key alone shows nothing to the server: give certFile too"
    return ""


def _http_fault(http: Any) -> str:
    if http.tls and http.scheme != "HTTPS":
        return "tls: goes with scheme: HTTPS only"
    for status in http.expected_status or ():
        first, _, last = status.partition("-")
        if last and last < first:
            return f"expectedStatus: {status} ends before it begins"
    if http.expected_body and not (http.expected_body.contains or http.expected_body.matches):
        return "expectedBody: it expects nothing: give contains or matches"
    return _tls_fault(http)


def _asks(spec: Any) -> tuple[Asked, ...]:
    return policy_words.of_question(spec.host, _tls_files(spec))


PROBE_KINDS: Final = (
    ProbeKind("tcp_socket", "tcpSocket", policy=lambda tcp: policy_words.of_question(tcp.host, ()), asks_port=True),
    ProbeKind("http_get", "httpGet", policy=_asks, asks_port=True, files=_tls_files, fault=_http_fault),
    ProbeKind("grpc", "grpc", policy=_asks, asks_port=True, files=_tls_files, fault=_tls_fault),
    ProbeKind(
        "exec",
        "exec",
        policy=policy_words.of_program,
        program=lambda exec_: exec_.command,
        senseless=lambda exec_: "" if exec_.command else "has an empty command",
    ),
    # It is a question to the agent of its resource, which is allowed with all that it does, or not.
    ProbeKind("ocf", "ocf", policy=lambda depth: (), only_holder=True),
)
