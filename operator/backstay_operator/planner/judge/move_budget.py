"""`recovery.moves`: how often a service may fail over. What fails wherever it goes stays when that is used up, and says so.

Only what is done about failures counts: a lost host, or one that could not keep it running. What people ask for does not: moves,
drains, edits, failback, a reboot in order.
"""

from __future__ import annotations

from backstay_api.objects.durations import seconds
from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.instance import Grant
from backstay_api.objects.models.service import MoveSummary
from backstay_operator.planner.know.clearing import is_forgotten
from backstay_operator.planner.know.sessions import live
from backstay_operator.planner.know.world import MOVED, World

from .evidence import was_lost


def counted(world: World, service: HAService) -> list[MoveSummary]:
    """Moves that count now, oldest first."""
    budget = service.spec.recovery.moves if service.spec.recovery else None
    return [
        move
        for move in (service.status.moves if budget else ())
        if not is_forgotten(service, MOVED, move.epoch)
        and budget
        and _age_s(world, service, move) < seconds(budget.per)
    ]


def used_up(world: World, service: HAService) -> str:
    """Why it may not fail over now, as the rest of a sentence; empty if it may."""
    budget = service.spec.recovery.moves if service.spec.recovery else None
    if budget is None or len(counted(world, service)) < budget.limit:
        return ""
    forgets = f" (`backstay clear {service.metadata.name} --reason WHY` forgets them)" if budget.limit else ""
    return f"recovery.moves: {budget.limit} within {budget.per} are used up{forgets}"


def forgotten_at_s(world: World, service: HAService) -> float | None:
    """When the oldest move that counts is forgotten, on the clock of `World.now_s`."""
    moves, recovery = counted(world, service), service.spec.recovery
    if not moves or recovery is None or recovery.moves is None:
        return None
    return world.now_s + seconds(recovery.moves.per) - _age_s(world, service, moves[0])


def home(world: World, service: HAService, instance: HAInstance | None) -> str | None:
    """Of what has failed, the host where it was, which it may go on or begin anew on; None: it has not failed."""
    known = world.instances.get(instance.key) if instance else None
    if known is None:
        return None
    grant, closed, last = known.spec.grant, known.spec.closed, service.status.last_failover
    if grant is not None:
        return grant.host if _is_lost_or_failed(world, known, grant) or _failed_in(service, known.spec.epoch) else None
    if closed is not None and was_lost(closed):
        return last.from_ if last and not last.to else ""
    return _failed_in(service, known.spec.epoch)


def _is_lost_or_failed(world: World, instance: HAInstance, grant: Grant) -> bool:
    said, session = world.assignments.get(grant.host), live(world, grant.host)
    report = said.status.instances.get(instance.uid) if said else None
    is_failed = report is not None and report.epoch == instance.spec.epoch and report.phase == "Failed"
    return is_failed or session is None or session.ref != grant.session


def _failed_in(service: HAService, epoch: int) -> str | None:
    """The host that could not keep it running in this epoch."""
    return next((one.host for one in service.status.start_failures if one.epoch == epoch), None)


def moves_told(world: World, service: HAService, instance: HAInstance | None, *, before: str) -> list[MoveSummary]:
    """The moves that count, with the one that the present grant has made, if any. `before`: its host in the status before."""
    moves, spec = counted(world, service), instance.spec if instance else None
    if (
        spec is None
        or spec.grant is None
        or spec.closed is None
        or not (service.spec.recovery and service.spec.recovery.moves)
    ):
        return moves
    last = service.status.last_failover
    came_from = before or (last.from_ if last and not last.to else "")
    has_failed = was_lost(spec.closed) or _failed_in(service, spec.closed.epoch) is not None
    if (
        not has_failed
        or came_from in ("", spec.grant.host)
        or any(one.epoch == spec.epoch for one in service.status.moves)
    ):
        return moves
    return [*moves, MoveSummary(epoch=spec.epoch, from_=came_from, to=spec.grant.host, at=world.wall)]


def _age_s(world: World, service: HAService, move: MoveSummary) -> float:
    return world.now_s - world.failed_s.get((service.uid, MOVED, move.epoch), world.now_s)
