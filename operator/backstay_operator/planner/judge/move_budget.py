"""`recovery.moves`: how often a service may fail over. What fails wherever it goes stays when that is used up, and says so.

Only what is done about failures counts: a lost host, or one that could not keep it running. What people ask for does not: moves,
drains, edits, failback, a reboot in order.
"""

from __future__ import annotations

from collections.abc import Iterator

from backstay_api.objects.durations import seconds
from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.instance import Grant
from backstay_api.objects.models.service import MoveSummary
from backstay_operator.planner.know.clearing import is_forgotten
from backstay_operator.planner.know.sessions import live
from backstay_operator.planner.know.world import Failed, World

from .evidence import was_lost


def counted(world: World, service: HAService, slot: str) -> list[MoveSummary]:
    """Moves that count now, oldest first."""
    budget = service.spec.recovery.moves if service.spec.recovery else None
    return [
        move
        for move in (service.status.moves if budget else ())
        if move.slot == slot
        and not is_forgotten(service, Failed.of(move))
        and budget
        and world.failed_ago_s(service.uid, Failed.of(move)) < seconds(budget.per)
    ]


def used_up(world: World, service: HAService, slot: str) -> str:
    """Why it may not fail over now, as the rest of a sentence; empty if it may."""
    budget = service.spec.recovery.moves if service.spec.recovery else None
    if budget is None or len(counted(world, service, slot)) < budget.limit:
        return ""
    forgets = f" (`backstay clear {service.metadata.name} --reason WHY` forgets them)" if budget.limit else ""
    return f"recovery.moves: {budget.limit} within {budget.per} are used up{forgets}"


def forgotten_at_s(world: World, service: HAService, slot: str) -> float | None:
    """When the oldest move that counts is forgotten, on the clock of `World.now_s`."""
    moves, recovery = counted(world, service, slot), service.spec.recovery
    if not moves or recovery is None or recovery.moves is None:
        return None
    return world.now_s + seconds(recovery.moves.per) - world.failed_ago_s(service.uid, Failed.of(moves[0]))


def home(world: World, service: HAService, instance: HAInstance | None) -> str | None:
    """Of what has failed, the host where it was, which it may go on or begin anew on; None: it has not failed."""
    known = world.instances.get(instance.key) if instance else None
    if known is None:
        return None
    grant, closed, failed_on = known.spec.grant, known.spec.closed, _failed_in(service, known, known.spec.epoch)
    if grant is not None:
        return grant.host if _is_lost_or_failed(world, known, grant) or failed_on else None
    return _left(service, known) if closed is not None and was_lost(closed) else failed_on


def _left(service: HAService, instance: HAInstance) -> str:
    """The host that it has left, while it is on its way."""
    last = service.status.of(instance.metadata.name).last_failover
    return last.from_ if last and not last.to else ""


def _is_lost_or_failed(world: World, instance: HAInstance, grant: Grant) -> bool:
    assignment, session = world.assignments.get(grant.host), live(world, grant.host)
    report = assignment.status.instances.get(instance.uid) if assignment else None
    is_failed = report is not None and report.epoch == instance.spec.epoch and report.phase == "Failed"
    return is_failed or session is None or session.ref != grant.session


def _failed_in(service: HAService, instance: HAInstance, epoch: int) -> str | None:
    """The host that could not keep it running in this epoch."""
    of = (instance.metadata.name, epoch)
    return next((one.host for one in service.status.start_failures if (one.slot, one.epoch) == of), None)


def moves_told(world: World, service: HAService, slot: str, instance: HAInstance | None) -> list[MoveSummary]:
    """The moves that count, with the one that the present grant has made, if any."""
    has_budget = service.spec.recovery is not None and service.spec.recovery.moves is not None
    return [*counted(world, service, slot), *(_made(world, service, instance) if instance and has_budget else ())]


def _made(world: World, service: HAService, instance: HAInstance) -> Iterator[MoveSummary]:
    slot, spec = instance.metadata.name, instance.spec
    if spec.grant is None or spec.closed is None:
        return
    came_from = service.status.of(slot).host or _left(service, instance)
    has_failed = was_lost(spec.closed) or _failed_in(service, instance, spec.closed.epoch) is not None
    is_known = any((one.slot, one.epoch) == (slot, spec.epoch) for one in service.status.moves)
    if has_failed and came_from not in ("", spec.grant.host) and not is_known:
        yield MoveSummary(slot=slot, epoch=spec.epoch, from_=came_from, to=spec.grant.host, at=world.wall)
