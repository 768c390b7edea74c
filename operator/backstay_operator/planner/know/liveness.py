"""What a host's silence says, and how many hosts may be taken for dead at a time (PROTOCOL 4).

A replica first doubts itself: while its own path to the API is not healthy, or has only just come back, nobody is
suspected. Then it doubts what it sees: many hosts that fall silent together are more likely one broken switch.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from backstay_api.objects.promise import FENCE_TEST_EVERY_S, Silence, judge_silence, silent_after_s, suspect_after_s

from .world import BUDGET_PERIOD_S, LeaseSeen, World

FENCER_SILENT_S: Final = 2 * FENCE_TEST_EVERY_S
"""A fencer that has not told of a test for two of its periods may be dead."""
_A_MOMENT_S: Final = 0.001


class Liveness(Enum):
    """What a replica knows of the session that holds a host's Lease."""

    UNKNOWN = "Unknown"
    """Nobody has ever held the Lease, or there is none."""
    QUIET = "Live"
    """It renewed not long ago."""
    UNSURE = "Unsure"
    """It is late, but that may be our own trouble."""
    SUSPECT = "Suspect"
    """Late: time to look at its power."""
    SILENT = "Silent"
    """Gone, as far as silence can tell."""
    SEALED = "Sealed"
    """It can never renew again."""

    @property
    def is_late(self) -> bool:
        return self in (Liveness.SUSPECT, Liveness.SILENT)


def of_host(world: World, host: str) -> Liveness:
    """What this replica may say of the session that holds the host's Lease."""
    seen = world.leases.get(host)
    if seen is None or not seen.lease.holder:
        return Liveness.UNKNOWN
    if seen.lease.sealed:
        return Liveness.SEALED
    silence = judge_silence(age_s=age_s(world, seen), contract=seen.lease.contract)
    if silence is Silence.QUIET:
        return Liveness.QUIET
    if not trusts_itself(world):
        return Liveness.UNSURE
    return Liveness.SUSPECT if silence is Silence.SUSPECT else Liveness.SILENT


def age_s(world: World, seen: LeaseSeen) -> float:
    """How long ago we first saw the present renewal; nothing that passed while we could not see counts."""
    return world.now_s - max(seen.first_seen_s, world.own_path.recovered_s)


def trusts_itself(world: World) -> bool:
    """Own trouble first: whether the silence that this replica sees is anybody else's."""
    own = world.own_path
    if not own.healthy:
        return False
    if not own.lived_before or world.now_s - own.recovered_s >= world.settings.trust_again_s:
        return True
    return 2 * len(own.renewed_since & own.lived_before) > len(own.lived_before)


# --- how many at a time ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Storm:
    """Which hosts were lost within the window, and whether that is too many for a coincidence."""

    lost: frozenset[str]
    hosts: int
    """How many lived when it began: their Leases were held and quiet. Objects of machines that are long gone are no majority."""

    @property
    def is_frozen(self) -> bool:
        """More than one, and not fewer than half of those that lived."""
        return len(self.lost) > 1 and 2 * len(self.lost) >= self.hosts

    @property
    def why(self) -> str:
        return (
            f"{len(self.lost)} of {self.hosts} hosts fell silent together ({', '.join(sorted(self.lost))}):"
            " that looks like a broken network, so none is sealed or fenced until hosts return or are read off;"
            " a person who has seen one powered off can say so: `backstay fence HOST --confirm`"
        )


def storm(world: World, left_alone: Container[str] = ()) -> Storm:
    """The storm guard's view of all hosts, worked out once a round. `left_alone`: nobody would gain if they were cut off."""
    lost = frozenset(host for host in world.leases if _counts_as_lost(world, host, left_alone))
    # Whoever removes a host that was lost a moment ago does not end the storm.
    lost |= {host for host, at_s in world.gone_sealed_s.items() if world.now_s - at_s < world.settings.storm_window_s}
    living = {host for host in world.leases if of_host(world, host) in (Liveness.QUIET, Liveness.UNSURE)}
    return Storm(lost, len(living | lost))


def _counts_as_lost(world: World, host: str, left_alone: Container[str]) -> bool:
    seen = world.leases[host]
    state = of_host(world, host)
    if state is Liveness.SEALED:
        since_s = seen.sealed_seen_s if seen.sealed_seen_s is not None else seen.first_seen_s
        return world.now_s - since_s < world.settings.storm_window_s
    if not state.is_late or (shutting_down(world, host) and not holds_exclusively(world, host, seen.lease.holder)):
        return False
    # What the guard held back stays in the count however long it lasts: a network that stays broken is no less broken
    # after a minute. What would not be fenced anyway leaves it, or one machine in repair would block everybody for ever.
    late_s = age_s(world, seen) - suspect_after_s(seen.lease.contract)
    would_be_fenced = host not in left_alone and _would_be_fenced(world, host, seen.lease.holder)
    return late_s < world.settings.storm_window_s or would_be_fenced


def shutting_down(world: World, host: str) -> str:
    """What the session that holds the host's Lease has said of its machine's shutdown; empty if it has said nothing."""
    said, seen = world.assignments.get(host), world.leases.get(host)
    session = said.status.session if said else None
    if said is None or session is None or seen is None or seen.lease.holder != session.text:
        return ""
    return said.status.shutting_down


def is_hands_off(world: World, host: str) -> bool:
    """Whether the host is in the mode of maintenance in which nothing there is touched."""
    known = world.hosts.get(host)
    return known is not None and known.is_hands_off


def untouched(world: World, host: str) -> str:
    """That nothing there is touched, as a sentence; empty if it is not so."""
    return f"{host} is in maintenance (HandsOff): nothing there is touched" if is_hands_off(world, host) else ""


def has_device(world: World, host: str) -> bool:
    """Whether anything but a person could prove that it is off."""
    known = world.hosts.get(host)
    return known is not None and bool(known.spec.fencing.levels)


def _would_be_fenced(world: World, host: str, holder: str) -> bool:
    return has_device(world, host) and not is_hands_off(world, host) and holds_exclusively(world, host, holder)


def holds_exclusively(world: World, host: str, session_text: str) -> bool:
    """Whether this session of the host holds an open grant for something of which two copies must never run."""
    return any(
        grant is not None and grant.session.text == session_text and instance.spec.exclusive
        for instance, grant in ((world.instances[key], world.instances[key].spec.grant) for key in held(world, host))
    )


def held(world: World, host: str) -> list[str]:
    """Keys of the instances with an open grant for this host, in a fixed order."""
    return sorted(world.held_by.get(host, ()))


# --- the fencer ------------------------------------------------------------------------------------------------------


def untested_s(world: World, host: str) -> float:
    """For how long the fencer has not said that it tested the host's fence path, while we could have heard it."""
    return world.now_s - max(world.checked_s.get(host, world.now_s), world.own_path.recovered_s)


# --- when to look again ----------------------------------------------------------------------------------------------


def next_look_s(world: World) -> float | None:
    """When silence alone, without any event, will next change what there is to say."""
    times = [at_s + _A_MOMENT_S for at_s in _thresholds_s(world) if at_s + _A_MOMENT_S > world.now_s]
    return min(times, default=None)


def has_silence_spoken(world: World, *, since_s: float) -> bool:
    """Whether silence alone, without any event, has changed what there is to say since then."""
    return any(since_s < at_s + _A_MOMENT_S <= world.now_s for at_s in _thresholds_s(world))


def _thresholds_s(world: World) -> Iterator[float]:
    own, window_s = world.own_path, world.settings.storm_window_s
    yield own.recovered_s + world.settings.trust_again_s
    for seen in world.leases.values():
        if seen.lease.sealed:
            yield (seen.sealed_seen_s if seen.sealed_seen_s is not None else seen.first_seen_s) + window_s
        elif seen.lease.holder:
            start_s, contract = max(seen.first_seen_s, own.recovered_s), seen.lease.contract
            yield start_s + suspect_after_s(contract)
            yield start_s + silent_after_s(contract)
            yield start_s + suspect_after_s(contract) + window_s
    for at_s in world.gone_sealed_s.values():
        yield at_s + window_s
    for at_s in world.fenced_s.values():
        yield at_s + BUDGET_PERIOD_S
        for times in range(4):
            yield at_s + world.settings.fence_again_s * 2.0**times
    for checked_s in world.checked_s.values():
        yield max(checked_s, own.recovered_s) + FENCER_SILENT_S
