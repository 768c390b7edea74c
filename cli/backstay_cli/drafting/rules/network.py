"""Rules 25 to 27 and 30: addresses, other hosts, and what every program uses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from backstay_api.objects.survey import SocketFacts
from backstay_cli.drafting.needs import Case, Confidence, Need, label, left_out

_MOST: int = 16


def own_address(case: Case) -> Iterator[Need]:
    """It listens at one address of several, which may as well be on another host."""
    for address in _listened(case):
        why = f"it listens at {address} alone, and not at all of the host's addresses. The prefix length is a guess: DECIDE"
        yield _address(
            address, why, "if the address is this host's own, and not the service's, give the service another"
        )


def hosts_address(case: Case) -> Iterator[Need]:
    """Clients must find it wherever it runs."""
    if _listened(case) or not any(
        one.role == "Listens" and one.protocol in ("tcp", "udp") and not _is_loopback(one)
        for one in case.survey.sockets
    ):
        return
    clients = [one for one in case.survey.sockets if one.role == "Clients"]
    said = ", ".join(f"{one.count} connections to {one.local}" for one in clients) or "no client was seen"
    why = (
        f"it listens at every address of the host ({said}). Give the service one of its own, tell DNS, then put it here"
    )
    address = clients[0].local if clients else "192.0.2.100"
    yield _address(
        address,
        why,
        f"clients go through a load balancer that finds it by itself: none is needed ({address} is only an example)",
    )


def _address(address: str, why: str, choice: str) -> Need:
    length = 64 if ":" in address else 24
    return Need(
        "virtualIP", {"address": f"{address}/{length}"}, "address", why, strategy="Undecided", choices=(choice,)
    )


def _listened(case: Case) -> list[str]:
    some = [
        one
        for one in case.survey.sockets
        if one.role == "Listens" and one.protocol in ("tcp", "udp") and not _is_loopback(one)
    ]
    any_ = any(ipaddress.ip_address(one.local).is_unspecified for one in some if _is_address(one.local))
    return [] if any_ else list(dict.fromkeys(one.local for one in some if _is_address(one.local)))


def _is_loopback(one: SocketFacts) -> bool:
    return _is_address(one.local) and ipaddress.ip_address(one.local).is_loopback


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def endpoints(case: Case) -> Iterator[Need]:
    """A connection that is open now, and what a configuration names; both is sure to be one."""
    open_now = {
        (one.remote, one.port): one.count
        for one in case.survey.sockets
        if one.role == "Connects" and one.remote and not one.unit
    }
    named = {(one.address, one.port): one for one in case.survey.endpoints}
    for key in list(dict.fromkeys((*open_now, *named)))[:_MOST]:
        address, port = key
        told = [
            f"{open_now[key]} connections" if key in open_now else "",
            f"{named[key].where} {named[key].word}".strip() if key in named else "",
        ]
        confidence = Confidence.LIKELY if all(told) else Confidence.MAYBE
        host = f"[{address}]" if ":" in address else address
        spec = {"tcp": f"{host}:{port}"}
        yield Need(
            "endpoint",
            spec,
            label(f"endpoint-{address}-{port}"),
            ", ".join(filter(None, told)),
            confidence,
            strategy="External",
            gate="Warn",
        )


def baseline(case: Case) -> Iterator[Need]:
    """It is on every host, and only its being different may surprise."""
    if any(not _is_address(one.address) for one in case.survey.endpoints):
        yield Need(
            "file",
            {"path": "/etc/resolv.conf"},
            "resolver",
            "names of hosts stand in its configuration",
            Confidence.MAYBE,
            gate="Warn",
        )
    for one in case.paths():
        if one.path in case.baseline.paths:
            yield left_out(one.path, "what every program reads")
