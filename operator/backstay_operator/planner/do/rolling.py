"""An edit of a service of several copies goes from one to the next: at most one restarts at a time, and those that do not work go first."""

from __future__ import annotations

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.assignment import InstanceOrder
from backstay_operator.planner.judge.copies import are_many, instances_of
from backstay_operator.planner.judge.remains import stored_order
from backstay_operator.planner.know import sessions
from backstay_operator.planner.know.liveness import Liveness, of_host, untouched
from backstay_operator.planner.know.world import World

from .orders import rendered
from .rounds import Round


def waits(round_: Round, service: HAService, instance: HAInstance, stored: InstanceOrder | None) -> str:
    """For which other copy an edit waits, as a sentence; empty: this one may take it. What touches nothing that runs goes to all at once."""
    world = round_.world
    if stored is None or not are_many(world, service) or stored.resources == rendered(service):
        return ""
    if not _works(world, instance) or of_host(world, instance.holder) is not Liveness.LIVE:
        return ""
    others = [one for one in instances_of(world, service) if one.uid != instance.uid]
    if busy := next((one for one in others if one.uid in round_.edited or _is_in_work(world, one)), None):
        return f"the edit waits for {busy.metadata.name}, which has to work first: one copy is changed at a time"
    round_.edited.add(instance.uid)
    return ""


def _works(world: World, instance: HAInstance) -> bool:
    """Whether it runs well, by the newest order that its host was given."""
    report, stored = (
        sessions.report_of(world, instance.holder, instance),
        stored_order(world, instance.holder, instance),
    )
    is_current = report is not None and stored is not None and report.revision >= stored.revision
    return report is not None and is_current and report.phase == "Running" and report.healthy


def _is_in_work(world: World, instance: HAInstance) -> bool:
    """Whether it should run on a host that lives and does not. One that is lost, or in other hands, holds up nobody."""
    host = instance.holder
    if not host or of_host(world, host) is not Liveness.LIVE or untouched(world, host):
        return False
    return not _works(world, instance)
