"""What a host's silence says (PROTOCOL 4).

A replica first doubts itself: while its own path to the API is not healthy, or has only just come back, nobody is
suspected.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Final

from backstay_api.objects.models import Host
from backstay_api.objects.models.assignment import HostAssignmentStatus
from backstay_api.objects.promise import FENCE_TEST_EVERY_S, Silence, judge_silence, silent_after_s, suspect_after_s
from backstay_operator.planner.words import first_words

from .world import BUDGET_PERIOD_S, LeaseSeen, World

FENCER_SILENT_S: Final = 2 * FENCE_TEST_EVERY_S
"""A fencer that has not told of a test for two of its periods may be dead."""
_A_MOMENT_S: Final = 0.001


class Liveness(Enum):
    """What a replica knows of the session that holds a host's Lease."""

    UNKNOWN = "Unknown"
    """Nobody has ever held the Lease, or there is none."""
    LIVE = "Live"
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
    if silence is Silence.LIVE:
        return Liveness.LIVE
    if not trusts_itself(world):
        return Liveness.UNSURE
    return Liveness.SUSPECT if silence is Silence.SUSPECT else Liveness.SILENT


def age_s(world: World, seen: LeaseSeen) -> float:
    """How long ago we first saw the present renewal; nothing that passed while we could not see counts."""
    return world.now_s - max(seen.first_seen_s, world.own_path.recovered_s)


def sealed_since_s(seen: LeaseSeen) -> float:
    """Since when we know that it is sealed."""
    return seen.sealed_seen_s if seen.sealed_seen_s is not None else seen.first_seen_s


def trusts_itself(world: World) -> bool:
    """Own trouble first: whether the silence that this replica sees is anybody else's."""
    own = world.own_path
    if not own.healthy:
        return False
    if not own.lived_before or world.now_s - own.recovered_s >= world.settings.trust_again_s:
        return True
    return 2 * len(own.renewed_since & own.lived_before) > len(own.lived_before)


# --- what a host said, is and holds -----------------------------------------------------------------------------------


def shutting_down(world: World, host: str) -> str:
    """What the session that holds the host's Lease has said of its machine's shutdown; empty if it has said nothing."""
    assignment, seen = world.assignments.get(host), world.leases.get(host)
    session = assignment.status.session if assignment else None
    if assignment is None or session is None or seen is None or seen.lease.holder != session.text:
        return ""
    return assignment.status.shutting_down


def unfit(host: Host, report: HostAssignmentStatus) -> str:
    """What its own checks find wrong with it, where its admin wants services to leave it for that; else empty."""
    asked = host.spec.checks is not None and host.spec.checks.on_failure == "Drain"
    return "; ".join(first_words(one.why) for one in report.problems or ()) if asked else ""


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
    """For how long the fencer has not said that it tested the host's fence path, while it could have reached us."""
    return world.now_s - max(world.checked_s.get(host, world.now_s), world.own_path.recovered_s)


def lost_and_gone(world: World) -> Iterator[tuple[str, float]]:
    """Hosts that were lost and whose Leases have gone since, and when that was by our own clock: when we saw it sealed, or first saw
    that it is wanted off, which is stored, and so outlives the operator that saw the seal."""
    yield from world.gone_sealed_s.items()
    for request in world.requests.values():
        if request.spec.want == "Off" and request.spec.host not in world.leases:
            yield request.spec.host, world.fenced_s[request.key]


# --- when to look again ----------------------------------------------------------------------------------------------


def next_look_s(world: World) -> float | None:
    """When silence alone, without any event, will next change what there is to say."""
    times = [at_s + _A_MOMENT_S for at_s in _thresholds_s(world) if at_s + _A_MOMENT_S > world.now_s]
    return min(times, default=None)


def has_silence_counted(world: World, *, since_s: float) -> bool:
    """Whether silence alone, without any event, has changed what there is to say since then."""
    return any(since_s < at_s + _A_MOMENT_S <= world.now_s for at_s in _thresholds_s(world))


def _thresholds_s(world: World) -> Iterator[float]:
    own, window_s = world.own_path, world.settings.storm_window_s
    yield own.recovered_s + world.settings.trust_again_s
    for seen in world.leases.values():
        if seen.lease.sealed:
            yield sealed_since_s(seen) + window_s
            yield sealed_since_s(seen) + world.settings.orderly_s
        else:
            start_s, contract = max(seen.first_seen_s, own.recovered_s), seen.lease.contract
            yield start_s + suspect_after_s(contract)
            yield start_s + silent_after_s(contract)
            yield start_s + suspect_after_s(contract) + window_s
    for _, at_s in lost_and_gone(world):
        yield at_s + window_s
    for at_s in world.fenced_s.values():
        yield at_s + BUDGET_PERIOD_S
        for times in range(4):
            yield at_s + world.settings.fence_again_s * 2.0**times
    for checked_s in world.checked_s.values():
        yield max(checked_s, own.recovered_s) + FENCER_SILENT_S
