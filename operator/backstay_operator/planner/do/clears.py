"""`backstay clear`: failures are forgotten, by us at once (`judge/failures.py`), by the holder's agent when it reads its order."""

from __future__ import annotations

from backstay_api.objects.models import HAInstance, HAService
from backstay_operator.planner.actions import Action, RemoveClear
from backstay_operator.planner.judge.remains import stored_order
from backstay_operator.planner.judge.restless import is_let_go
from backstay_operator.planner.know.clearing import Clear, clear_of
from backstay_operator.planner.know.sessions import failed_report
from backstay_operator.planner.know.world import Failed, World
from backstay_operator.planner.words import and_


def cleared(service: HAService | None, host: str) -> int:
    """Which clear the agent of this host is told of; 0: none."""
    clear = clear_of(service) if service is not None else None
    return clear.number if isinstance(clear, Clear) and clear.host in ("", host) else 0


def spent_clear(world: World, service: HAService) -> list[Action]:
    """Take the word away when nothing that it forgets stands anywhere any more."""
    clear = clear_of(service)
    if clear is None:
        return []
    if isinstance(clear, str):
        return [RemoveClear(service, clear)]
    if _is_needed(world, service, clear):
        return []
    where = f" on {clear.host}" if clear.host else ""
    epochs = and_([f"epoch {epoch} of {slot}" for slot, epoch in sorted(clear.epochs.items())]) or "now"
    return [RemoveClear(service, f"failures up to {epochs}{where} are forgotten, by {clear.by}: {clear.reason}")]


def _is_needed(world: World, service: HAService, clear: Clear) -> bool:
    if any(clear.forgets(Failed.of(one)) for one in service.status.failures):
        return True
    instances = [world.instances[key] for key in world.instances_of.get(service.uid, ())]
    return any(_is_unsettled(world, service, instance, clear) for instance in instances)


def _is_unsettled(world: World, service: HAService, instance: HAInstance, clear: Clear) -> bool:
    """Whether a host still says that it failed, or has not been told that this is forgotten; or it would be left where it is without this."""
    if is_let_go(world, service, instance):
        return True
    for host in world.reported_by.get(instance.uid, ()):
        report = failed_report(service, instance, world.assignments[host].status)
        if report and clear.forgets(Failed(report.name, host, report.epoch)):
            return True
    order = stored_order(world, instance.holder, instance)
    return order is not None and order.want == "Up" and order.cleared < cleared(service, instance.holder)
