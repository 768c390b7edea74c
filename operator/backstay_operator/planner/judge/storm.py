"""How many hosts may be taken for dead at a time: many that fall silent together are more likely one broken switch (PROTOCOL 4)."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from backstay_api.objects.promise import suspect_after_s
from backstay_api.objects.texts import confirm_by_hand
from backstay_operator.planner.know.liveness import (
    Liveness,
    age_s,
    holds_exclusively,
    is_hands_off,
    lost_and_gone,
    of_host,
    sealed_since_s,
    shutting_down,
)
from backstay_operator.planner.know.world import LeaseSeen, World

from .evidence import could_be_proven


@dataclass(frozen=True)
class Storm:
    """Which hosts were lost within the window, and whether that is too many for a coincidence."""

    lost: frozenset[str]
    hosts: int
    """How many lived when it began: their Leases were held and renewed. Objects of machines that are long gone are no majority."""
    alive: frozenset[str] = frozenset()
    """Hosts that were sealed within the window though they renewed. They were not silent, so they say nothing of the network."""

    @property
    def is_frozen(self) -> bool:
        """More than one, and not fewer than half of those that lived."""
        return len(self.lost) > 1 and 2 * len(self.lost) >= self.hosts

    @property
    def why(self) -> str:
        return (
            f"{len(self.lost)} of {self.hosts} hosts fell silent together ({', '.join(sorted(self.lost))}):"
            " that looks like a broken network, so none is sealed or fenced until hosts return or their fencing devices say that they are off;"
            f" a person who has seen one powered off can say so: {confirm_by_hand('HOST')}"
        )


def storm(world: World, left_alone: Container[str] = ()) -> Storm:
    """The storm guard's view of all hosts, worked out once a round. `left_alone`: nobody would gain if they were cut off."""
    lost = frozenset(host for host in world.leases if _counts_as_lost(world, host, left_alone))
    # Whoever removes a host that was lost a moment ago does not end the storm.
    lost |= {host for host, at_s in lost_and_gone(world) if world.now_s - at_s < world.settings.storm_window_s}
    living = {host for host in world.leases if of_host(world, host) in (Liveness.LIVE, Liveness.UNSURE)}
    alive = frozenset(host for host, seen in world.leases.items() if seen.lease.sealed_alive and _is_fresh(world, seen))
    return Storm(lost, len(living | lost), alive)


def _counts_as_lost(world: World, host: str, left_alone: Container[str]) -> bool:
    seen = world.leases[host]
    state = of_host(world, host)
    if state is Liveness.SEALED:
        return not seen.lease.sealed_alive and _is_fresh(world, seen)
    if not state.is_late or (shutting_down(world, host) and not holds_exclusively(world, host, seen.lease.holder)):
        return False
    # What the guard held back stays in the count however long it lasts: a network that stays broken is no less broken
    # after a minute. What would not be fenced anyway leaves it, or one machine in repair would block everybody for ever.
    late_s = age_s(world, seen) - suspect_after_s(seen.lease.contract)
    return late_s < world.settings.storm_window_s or (host not in left_alone and _would_be_fenced(world, host))


def _is_fresh(world: World, sealed: LeaseSeen) -> bool:
    """Whether it was sealed within the window."""
    return world.now_s - sealed_since_s(sealed) < world.settings.storm_window_s


def _would_be_fenced(world: World, host: str) -> bool:
    holder = world.leases[host].lease.holder
    return could_be_proven(world, host) and not is_hands_off(world, host) and holds_exclusively(world, host, holder)
