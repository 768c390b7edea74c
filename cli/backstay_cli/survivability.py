"""`backstay status --survivability`: of each host, would everything have a host if it were lost? By the operator's own planner."""

from __future__ import annotations

from collections.abc import Sequence

from backstay_api.objects.models.base import Condition
from backstay_operator.planner.know.losses import Domain, HostLoss, Losses
from backstay_operator.planner.know.world import World
from backstay_operator.planner.losses import by_label, each_host, losses
from backstay_operator.planner.words import listed

from .session import NOT_WELL, WELL, Session
from .tables import table
from .view import EVERYTHING, VIEW, look

_PROVEN = "FencingReady"


async def show_survivability(session: Session, by: str, *, check: bool) -> int:
    """One loss after the other, each from the cluster as it is."""
    await session.need(EVERYTHING, VIEW)
    world = (await look(session)).world
    found = losses(world, _domains(world, by))
    session.show({"losses": [_told(world, one) for one in found.each]}, lambda: _print(session, world, found))
    is_well = not any(one.left or _unproven(world, one) for one in found.each)
    return NOT_WELL if check and not is_well else WELL


def _domains(world: World, by: str) -> Sequence[Domain]:
    """What can be lost at once: each host; or all hosts with one value of a label. A host without it is one by itself."""
    labelled = by_label(world, by) if by else ()
    within = {name for domain in labelled for name in domain.hosts}
    return [*labelled, *(one for one in each_host(world) if one.name not in within)]


def _unproven(world: World, loss: HostLoss) -> list[str]:
    """Hosts whose loss a person would have to confirm, with something exclusive on them."""
    exclusive = {one.holder for one in world.instances.values() if one.spec.exclusive}
    return [
        name
        for name in loss.domain.hosts
        if name in exclusive and not _can_be_fenced(world.hosts[name].status.conditions)
    ]


def _can_be_fenced(conditions: Sequence[Condition]) -> bool:
    return any(one.type == _PROVEN and one.status == "True" for one in conditions)


def _told(world: World, loss: HostLoss) -> dict[str, object]:
    return {
        "lost": loss.domain.name,
        "hosts": list(loss.domain.hosts),
        "instances": list(loss.held),
        "leftOver": [{"instance": key, "why": why} for key, why in loss.left],
        "notProven": _unproven(world, loss),
    }


def _print(session: Session, world: World, found: Losses) -> None:
    if not found.each:
        session.say("There are no hosts: add one with `backstay host add NAME`.")
        return
    rows = [row for loss in found.each for row in _rows(world, loss)]
    table(session.out, ("LOST", "INSTANCES", "SURVIVES", "LEFT OVER", "WHY"), rows)


def _rows(world: World, loss: HostLoss) -> list[tuple[str, ...]]:
    """One for each that would be left over; or one that says that none is."""
    unproven = _unproven(world, loss)
    said = f"{listed(unproven)} could not be fenced: a person would have to confirm that it is off" if unproven else ""
    answer = "no" if loss.left else "by hand" if unproven else "yes"
    first, *more = [*loss.left, *([("-", said or "everything would have a host")] if said or not loss.left else [])]
    return [(loss.domain.name, str(len(loss.held)), answer, *first), *(("", "", "", *one) for one in more)]
