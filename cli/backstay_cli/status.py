"""`backstay status`: services, hosts, and what is not well, with the sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from backstay_api.objects.models import HAService, Host
from backstay_api.objects.models.base import Condition
from backstay_api.objects.object_kinds import HA_SERVICES, HOST_LEASES, HOSTS

from .failovers import print_all
from .operators import NEVER, operator_trouble
from .session import FAILED, NO_SUCH_THING, NOT_WELL, WELL, Session, Stop
from .survivability import show_survivability
from .tables import age, table
from .view import VIEW, View, look, place_of

# Type, and the status that is well. What is false about a stopped service is what its owner wants.
_SERVICE_CHECKS = (("Accepted", "True"), ("Ready", "True"), ("Degraded", "False"), ("SurvivesHostLoss", "True"))
_SERVICE_WIDE = ("EPOCH", "LAST FAILOVER", "REASON")
_HOST_WIDE = ("AGENT", "FENCING SAYS")
_HOST_CHECKS = (("Ready", "True"), ("FencingReady", "True"), ("Healthy", "True"), ("CapacitySufficient", "True"))


async def status(
    session: Session,
    service: Annotated[
        str,
        typer.Argument(help="Only this HAService (NAME or NAMESPACE/NAME), and its failovers.", metavar="[SERVICE]"),
    ] = "",
    check: Annotated[bool, typer.Option(help="Exit with 5 where something is not well.")] = False,
    survivability: Annotated[
        bool, typer.Option(help="Of each host: would everything go on if it were lost, and who would be left over?")
    ] = False,
    by: Annotated[
        str, typer.Option(help="With --survivability: a label key, such as a rack's; its hosts are lost together.")
    ] = "",
) -> int:
    """Show services, hosts, and what is not well and why. Exit code 5 also where no operator has lived for 3 minutes."""
    if survivability or by:
        return await show_survivability(session, by, check=check)
    namespace, name = place_of(session, service) if service else (session.namespace, "")
    view = await look(session, namespace, partly=True)
    services = _services(view, namespace, name)
    silence = await operator_trouble(session)
    hosts = [] if name else [view.world.hosts[each] for each in sorted(view.world.hosts)]
    troubles = [("operator", "Lives", silence)] if silence else []
    troubles += _troubles(view, services, hosts, of_all=not name)
    unseen = _unseen(view, silence)
    data = {
        "services": [one.wire() for one in services],
        "hosts": [one.wire() for one in hosts],
        "troubles": [{"what": what, "condition": kind, "message": message} for what, kind, message in troubles],
        "unseen": unseen,
    }
    session.show(data, lambda: _print(session, view, services, hosts, troubles), _names(services, hosts))
    if name and services and not session.options.for_programs:
        print_all(session, services[0])
    if unseen:
        session.say(f"\nYou may not see {', '.join(unseen)}. {VIEW} may.")
    is_deserted = bool(silence) and silence != NEVER
    return NOT_WELL if is_deserted or (check and troubles) else WELL


def _services(view: View, namespace: str, name: str) -> list[HAService]:
    """All, or the one of this name. Stop where it is not there, or where nothing at all may be seen."""
    if {HA_SERVICES, HOSTS} <= set(view.unseen):
        raise Stop(f"you may see neither services nor hosts here. {VIEW} may, or view in one namespace.", FAILED)
    found = [one for _, one in sorted(view.world.services.items()) if name in ("", one.metadata.name)]
    if name and not found and HA_SERVICES not in view.unseen:
        raise Stop(f"there is no service {name} in namespace {namespace}", NO_SUCH_THING)
    return found


def _names(services: Sequence[HAService], hosts: Sequence[Host]) -> list[str]:
    """As `-o name` writes them."""
    return [
        *(f"{HA_SERVICES.resource}/{one.metadata.name}" for one in services),
        *(f"{HOSTS.resource}/{one.metadata.name}" for one in hosts),
    ]


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
    _print_services(session, view, services)
    session.out.print()
    _print_hosts(session, view, hosts)
    if troubles:
        session.out.print()
        table(session.out, ("NOT WELL", "CONDITION", "WHY"), troubles)


def _print_services(session: Session, view: View, services: Sequence[HAService]) -> None:
    is_wide = session.options.output == "wide"
    if services:
        # Where nothing is ever promoted, nobody has to read that.
        promoted = ("PROMOTED",) if any(one.spec.mode == "Promotable" for one in services) else ()
        head = ("SERVICE", "READY", "COPIES", "HOST", *promoted, "STATE", "SINCE", "STANDBYS")
        rows = [_service_row(one, view.world.wall, promoted=bool(promoted)) for one in services]
        more = [_more_of_service(one) if is_wide else () for one in services]
        wide = (*head, *(_SERVICE_WIDE if is_wide else ()))
        table(session.out, wide, [(*row, *rest) for row, rest in zip(rows, more, strict=True)])
    elif HA_SERVICES not in view.unseen:
        where = f" in namespace {session.namespace}" if session.namespace else ""
        session.say(f"There are no services{where}.")


def _print_hosts(session: Session, view: View, hosts: Sequence[Host]) -> None:
    is_wide = session.options.output == "wide"
    if hosts:
        table(
            session.out,
            ("HOST", "READY", "FENCING", "SERVICES", "MAINTENANCE", "LIVENESS", *(_HOST_WIDE if is_wide else ())),
            [(*_host_row(one), *(_more_of_host(view, one) if is_wide else ())) for one in hosts],
        )
    elif HOSTS not in view.unseen and not view.world.hosts:
        session.say("There are no hosts: add one with `backstay host add NAME`.")


def _service_row(service: HAService, now: str, *, promoted: bool) -> tuple[str, ...]:
    status = service.status
    ready = sum(standby.ready for standby in status.standbys)
    return (
        service.key,
        _status_of(status.conditions, "Ready"),
        status.copies or "-",
        status.host or "-",
        *((status.promoted or "-",) if promoted else ()),
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


def _more_of_service(service: HAService) -> tuple[str, ...]:
    status = service.status
    last = next((one for one in status.failovers if one.steps), None)
    ready = next((one.message for one in status.conditions if one.type == "Ready"), "")
    moved = f"{last.from_} to {last.to or '?'} at {last.steps[0].at}" if last else "-"
    return str(max((one.epoch for one in status.instances), default=0)), moved, ready or "-"


def _more_of_host(view: View, host: Host) -> tuple[str, ...]:
    assignment = view.world.assignments.get(host.metadata.name)
    facts = assignment.status.facts if assignment else None
    fencing = next((one.message for one in host.status.conditions if one.type == "FencingReady"), "")
    return facts.agent_version if facts and facts.agent_version else "-", fencing or "-"


def _status_of(conditions: Sequence[Condition], kind: str) -> str:
    return next((one.status for one in conditions if one.type == kind), "Unknown")


def _troubles(
    view: View, services: Sequence[HAService], hosts: Sequence[Host], *, of_all: bool
) -> Iterator[tuple[str, str, str]]:
    for service in services:
        if service.spec.state != "Stopped":
            yield from _failing(f"service {service.key}", service.status.conditions, _SERVICE_CHECKS)
    for host in hosts:
        yield from _failing(f"host {host.metadata.name}", host.status.conditions, _HOST_CHECKS)
        if host.spec.maintenance:
            reason = f" ({host.spec.maintenance.reason})" if host.spec.maintenance.reason else ""
            yield f"host {host.metadata.name}", "Maintenance", f"{host.spec.maintenance.mode}{reason}"
    if not of_all:
        return
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
