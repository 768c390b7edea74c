"""`backstay status`: services, hosts, and what is not well, with the sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from backstay_api.objects.models import HAService, Host
from backstay_api.objects.models.base import Condition
from backstay_api.objects.object_kinds import HA_SERVICES, HOST_LEASES, HOSTS

from .operators import NEVER, operator_trouble
from .session import FAILED, NOT_WELL, WELL, Session, Stop
from .tables import age, table
from .view import VIEW, View, look

# Type, and the status that is well. What is false about a stopped service is what its owner wants.
_SERVICE_CHECKS = (("Accepted", "True"), ("Ready", "True"), ("Degraded", "False"), ("SurvivesHostLoss", "True"))
_HOST_CHECKS = (("Ready", "True"), ("FencingReady", "True"), ("Healthy", "True"))


async def status(
    session: Session,
    check: Annotated[bool, typer.Option(help="Exit with 5 where something is not well.")] = False,
) -> int:
    """Show services, hosts, and what is not well and why. Exit code 5 also where no operator has lived for 3 minutes."""
    view = await look(session, session.namespace, partly=True)
    if {HA_SERVICES, HOSTS} <= set(view.unseen):
        raise Stop(f"you may see neither services nor hosts here. {VIEW} may, or view in one namespace.", FAILED)
    silence = await operator_trouble(session)
    services = sorted(view.world.services.values(), key=lambda one: one.key)
    hosts = [view.world.hosts[name] for name in sorted(view.world.hosts)]
    troubles = [("operator", "Lives", silence)] if silence else []
    troubles += _troubles(view, services, hosts)
    unseen = _unseen(view, silence)
    data = {
        "services": [one.wire() for one in services],
        "hosts": [one.wire() for one in hosts],
        "troubles": [{"what": what, "condition": kind, "message": message} for what, kind, message in troubles],
        "unseen": unseen,
    }
    session.show(data, lambda: _print(session, view, services, hosts, troubles))
    if unseen:
        session.say(f"\nYou may not see {', '.join(unseen)}. {VIEW} may.")
    is_deserted = bool(silence) and silence != NEVER
    return NOT_WELL if is_deserted or (check and troubles) else WELL


def _unseen(view: View, silence: str | None) -> list[str]:
    """What this user may not read; a host's Lease says nothing that the Host does not."""
    kinds = [kind.resource for kind in view.unseen if kind is not HOST_LEASES]
    return [*kinds, *(["whether an operator is running"] if silence is None else [])]


def _print(
    session: Session,
    view: View,
    services: Sequence[HAService],
    hosts: Sequence[Host],
    troubles: Sequence[tuple[str, str, str]],
) -> None:
    out, now = session.out, view.world.wall
    if services:
        table(
            out,
            ("SERVICE", "READY", "HOST", "STATE", "SINCE", "STANDBYS"),
            [_service_row(one, now) for one in services],
        )
    elif HA_SERVICES not in view.unseen:
        where = f" in namespace {session.namespace}" if session.namespace else ""
        session.say(f"There are no services{where}.")
    out.print()
    if hosts:
        table(
            out, ("HOST", "READY", "FENCING", "SERVICES", "MAINTENANCE", "LIVENESS"), [_host_row(one) for one in hosts]
        )
    elif HOSTS not in view.unseen:
        session.say("There are no hosts: add one with `backstay host add NAME`.")
    if troubles:
        out.print()
        table(out, ("NOT WELL", "CONDITION", "WHY"), troubles)


def _service_row(service: HAService, now: str) -> tuple[str, ...]:
    status = service.status
    ready = sum(standby.ready for standby in status.standbys)
    return (
        service.key,
        _status_of(status.conditions, "Ready"),
        status.host or "-",
        status.state or "-",
        age(status.since, now),
        f"{ready}/{len(status.standbys)} ready",
    )


def _host_row(host: Host) -> tuple[str, ...]:
    return (
        host.metadata.name,
        _status_of(host.status.conditions, "Ready"),
        _status_of(host.status.conditions, "FencingReady"),
        str(host.status.instances),
        host.spec.maintenance.mode if host.spec.maintenance else "-",
        host.status.liveness or "Unknown",
    )


def _status_of(conditions: Sequence[Condition], kind: str) -> str:
    return next((one.status for one in conditions if one.type == kind), "Unknown")


def _troubles(view: View, services: Sequence[HAService], hosts: Sequence[Host]) -> Iterator[tuple[str, str, str]]:
    for service in services:
        if service.spec.state != "Stopped":
            yield from _failing(f"service {service.key}", service.status.conditions, _SERVICE_CHECKS)
    for host in hosts:
        yield from _failing(f"host {host.metadata.name}", host.status.conditions, _HOST_CHECKS)
        if host.spec.maintenance:
            reason = f" ({host.spec.maintenance.reason})" if host.spec.maintenance.reason else ""
            yield f"host {host.metadata.name}", "Maintenance", f"{host.spec.maintenance.mode}{reason}"
    for one in view.unreadable:
        yield f"{one.kind} {one.key}", "Unreadable", one.why
    for request in sorted(view.world.requests.values(), key=lambda one: one.key):
        if request.spec.want == "Off" and request.status.evidence is None and request.spec.confirm is None:
            yield f"host {request.spec.host}", "Fencing", request.status.message or request.spec.why
        elif request.status.stays_off:
            yield f"host {request.spec.host}", "StaysOff", request.status.message


def _failing(
    what: str, conditions: Sequence[Condition], checks: Sequence[tuple[str, str]]
) -> Iterator[tuple[str, str, str]]:
    """What is not as it should be; what says the same as what stands above it is not said again."""
    said: set[str] = set()
    known: dict[str, Any] = {one.type: one for one in conditions}
    if not known:
        yield what, "Unknown", "nobody has said anything about it yet: is the operator running?"
    for kind, well in checks:
        one = known.get(kind)
        if one is not None and one.status != well and one.message not in said and one.reason != "NotRunning":
            said.add(one.message)
            yield what, kind, one.message
