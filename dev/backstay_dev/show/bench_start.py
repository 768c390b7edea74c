"""What deciding costs while many services that are new at once start: fewer writes fit between two plans than are to be made."""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from backstay_operator.planner import whatif
from backstay_operator.planner.actions import Action, Assign, WriteHostStatus, WriteServiceStatus
from backstay_operator.planner.do.orders import keep_secured, merge_forward
from backstay_operator.planner.know.world import LeaseSeen, World
from backstay_operator.planner.plan import plan
from backstay_operator.planner.rows import OnObject, Rank

from . import bench_plan
from .bench_many import Found

WRITES: Final = 300
TELLS: Final = 100
"""Of the first 200 x 2,000 that were measured against a real API server some 400 requests fell between two plans."""


def figures(progress: Callable[[str], None]) -> Iterator[Found]:
    """All of them. As in the operator, no full search for garbage falls into a plan."""
    gc.collect()
    gc.disable()
    try:
        for hosts, services in bench_plan.POOLS:
            progress(f"{services} services that are new at once on {hosts} hosts")
            world = bench_plan.in_pools(bench_plan.empty(hosts, services))
            title = f"planner, {hosts} hosts x {services} services in pools of {bench_plan.POOL}"
            said = f"{title}: new at once, {WRITES} writes and {TELLS} statuses between two plans, until all is told"
            yield Found(said, "s of CPU", [cpu_s(world, WRITES, TELLS)])
    finally:
        gc.enable()


def cpu_s(world: World, writes: int, tells: int) -> float:
    """Seconds of CPU of all plans until all run and all is told. `writes`, `tells`: as many are made between two plans.

    What was decided is made in the order in which it was, and no object is written twice at once, as in the operator. Hosts answer at once.
    """
    waiting: tuple[deque[Action], deque[Action]] = (deque(), deque())
    under_way, spent_s = set[object](), 0.0
    while True:
        _renewed(world)
        begun_s = time.process_time()
        made = plan(world)
        spent_s += time.process_time() - begun_s
        for action in made.actions:
            if action.ref.id not in under_way:
                under_way.add(action.ref.id)
                waiting[action.rank is Rank.PEOPLE].append(action)
        if not any(waiting) and made.wake_at_s is None:
            return spent_s
        for queue, most in zip(waiting, (writes, tells), strict=True):
            for action in [queue.popleft() for _ in range(min(most, len(queue)))]:
                under_way.discard(action.ref.id)
                carry_out(world, action)


def _renewed(world: World) -> None:
    """A second later, and every host lives."""
    world.now_s += 1.0
    for name, seen in list(world.leases.items()):
        lease = replace(seen.lease, renewal=seen.lease.renewal + 1)
        world.leases[name] = LeaseSeen(lease, world.now_s, moved_s=world.now_s)


def carry_out(world: World, action: Action) -> None:
    """As the API server takes it: nothing, where the object is another by now."""
    if isinstance(action, OnObject) and action.before is not _known(world, action):
        return
    if isinstance(action, WriteServiceStatus | WriteHostStatus):
        bench_plan.tell(world, action)
        return
    if isinstance(action, Assign) and (stored := world.assignments.get(action.host)) is not None:
        merged = merge_forward(stored.spec, action.spec, action.over)
        action = replace(action, spec=keep_secured(stored.spec, merged, but=frozenset()))
    whatif.carry_out(world, action, whatif.Told())


def _known(world: World, action: OnObject[Any]) -> object:
    kept: Mapping[str, Mapping[str, object]] = {
        "HAService": world.services,
        "HAInstance": world.instances,
        "ResourceClaim": world.claims,
        "Host": world.hosts,
    }
    return kept.get(action.ref.kind.kind, {}).get(action.ref.key, action.before)
