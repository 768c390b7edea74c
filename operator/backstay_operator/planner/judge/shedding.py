"""What could be stopped to make room for something more important, and of that the least: only what has a lower priority."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.quantities import amount
from backstay_operator.planner.know import sessions
from backstay_operator.planner.know.dependencies import dependents
from backstay_operator.planner.know.parts import part_of
from backstay_operator.planner.know.world import World

from .acceptance import Accepted, accept, is_to_stop, priority_of
from .evidence import Evidence, closed
from .remains import stored_order

MOST_STEPS: Final = 2_000
"""Of the search on one host. Beyond that the least that was found by then is stopped."""
Amounts = Mapping[str, Fraction]


@dataclass(frozen=True)
class Held:
    """An instance that has room on a host."""

    instance: HAInstance
    service: HAService
    is_going: bool
    """It is being stopped there anyway, so that its room will be free; else it runs, and could be stopped."""
    priority: int

    @property
    def frees(self) -> Amounts:
        """What its host has again once it is stopped."""
        said = self.service.spec.placement.capacity or {}
        return {name: amount(much) or Fraction(0) for name, much in said.items()}


def all_held(world: World) -> Sequence[Held]:
    """All that needs capacity and could be stopped, or is being stopped, by key."""
    return world.once("held", (), lambda: [*filter(None, (_held(world, *one) for one in _with_capacity(world)))])


def less_important(world: World, service: HAService) -> frozenset[str]:
    """Keys of HAInstances that could be stopped to make room for a service."""
    if not service.spec.placement.capacity:
        return frozenset()
    mine = priority_of(world, service)
    return world.once(f"less important than {mine}", (), lambda: _below(world, mine))


def _below(world: World, priority: int) -> frozenset[str]:
    return frozenset(one.instance.key for one in all_held(world) if one.priority < priority and not one.is_going)


def _with_capacity(world: World) -> Iterator[tuple[HAInstance, HAService]]:
    for _, instance in sorted(world.instances.items()):
        service = world.services.get(instance.service_key)
        if not instance.holder or service is None or not service.spec.placement.capacity:
            continue
        if part_of(world, service, instance.metadata.name).spec.placement.capacity:  # the promoted role takes no room
            yield instance, service


def _held(world: World, instance: HAInstance, service: HAService) -> Held | None:
    """None: it stays where it is, whatever we do; or nobody knows for how long."""
    report = sessions.report_of(world, instance.holder, instance)
    if sessions.live(world, instance.holder) is None or (report is not None and report.phase == "Stuck"):
        return None
    priority, acceptance = priority_of(world, service), accept(world, service)
    if isinstance(closed(world, instance), Evidence):
        return Held(instance, service, True, priority)
    stored = stored_order(world, instance.holder, instance)
    if stored is not None and stored.want == "Down":
        return Held(instance, service, True, priority) if stored.to != instance.holder else None
    if service.metadata.deletion_timestamp is not None or is_to_stop(service, acceptance):
        return Held(instance, service, True, priority)
    # What others require is stopped for nobody: they would have to stop first, however important they are.
    is_required = any(one.type != "After" for _, one in dependents(world).get(service.key, ()))
    is_ours = service.spec.state == "Running" and not is_required and isinstance(acceptance, Accepted)
    return Held(instance, service, False, priority) if is_ours else None


@dataclass(frozen=True)
class Loss:
    """One that may be stopped, and how bad that would be."""

    key: str
    rank: tuple[bool, int]
    """Whether it would run nowhere then, and its priority: the higher, the worse."""
    frees: Amounts


def least(lacks: Amounts, could: Sequence[Loss], steps: int = MOST_STEPS) -> tuple[Loss, ...] | None:
    """Those of which the stop frees what is lacking at the least loss; None: not even all of them do.

    Of two losses the one is less whose worst is less bad, then its second worst, and so on; of equals the one with fewer.
    """
    # Of equals the small are kept first, so that few are stopped.
    ordered = sorted(could, key=lambda one: (sum(one.frees.values()), one.key))
    ordered.sort(key=lambda one: one.rank, reverse=True)
    return _Search(ordered, [steps]).least(0, dict(lacks), ())


@dataclass
class _Search:
    """Keeps the worst to lose first, so that what is found first is already good; all else only betters it."""

    ordered: Sequence[Loss]
    steps: list[int]
    best: tuple[Loss, ...] | None = None

    def least(self, at: int, lacks: Amounts, stopped: tuple[Loss, ...]) -> tuple[Loss, ...] | None:
        self.steps[0] -= 1
        if self.best is not None and (self.steps[0] < 0 or _ranks(stopped) >= _ranks(self.best)):
            return self.best
        if all(much <= 0 for much in lacks.values()):
            self.best = stopped
        elif self._would_do(at, lacks):
            self.least(at + 1, lacks, stopped)
            one = self.ordered[at]
            left = {name: much - one.frees.get(name, 0) for name, much in lacks.items()}
            self.least(at + 1, left, (*stopped, one))
        return self.best

    def _would_do(self, at: int, lacks: Amounts) -> bool:
        """Whether all that is left would free enough."""
        rest = self.ordered[at:]
        return all(sum(one.frees.get(name, 0) for one in rest) >= much for name, much in lacks.items())


def _ranks(stopped: Sequence[Loss]) -> list[tuple[bool, int]]:
    return [one.rank for one in stopped]
