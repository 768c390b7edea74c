"""`backstay clear`: failures are forgotten, by us at once (`judges.recent_failures`), by the holder's agent when it reads its order."""

from __future__ import annotations

from backstay_api.objects.models import HAInstance, HAService
from backstay_operator.planner.actions import Action, RemoveClear
from backstay_operator.planner.judge.judges import failed_report
from backstay_operator.planner.judge.remains import stored_order
from backstay_operator.planner.know.clearing import Clear, clear_of
from backstay_operator.planner.know.world import MOVED, World


def cleared(service: HAService | None, host: str) -> int:
    """Which clear the agent of this host is told of; 0: none."""
    clear = clear_of(service) if service is not None else None
    return clear.number if isinstance(clear, Clear) and clear.host in ("", host) else 0


def spent_clear(world: World, service: HAService, instance: HAInstance | None) -> list[Action]:
    """Take the word away when nothing that it forgets stands anywhere any more."""
    clear = clear_of(service)
    if clear is None:
        return []
    if isinstance(clear, str):
        return [RemoveClear(service, clear)]
    if _is_needed(world, service, instance, clear):
        return []
    where = f" on {clear.host}" if clear.host else ""
    return [
        RemoveClear(service, f"failures up to epoch {clear.epoch}{where} are forgotten, by {clear.by}: {clear.reason}")
    ]


def _is_needed(world: World, service: HAService, instance: HAInstance | None, clear: Clear) -> bool:
    remembered = [(one.host, one.epoch) for one in service.status.start_failures]
    remembered += [(MOVED, one.epoch) for one in service.status.moves]
    if any(clear.forgets(host, epoch) for host, epoch in remembered):
        return True
    if instance is None:
        return False
    hosts = world.reported_by.get(instance.uid, ())
    failed = ((host, failed_report(service, instance, world.assignments[host].status)) for host in hosts)
    if any(said and clear.forgets(host, said.epoch) for host, said in failed):
        return True
    order = stored_order(world, instance.holder, instance)
    return order is not None and order.want == "Up" and order.cleared < cleared(service, instance.holder)
