"""Thought of the fencer: from what is wanted, sealed, read and tried so far to what is run next, and to the proof. Pure.

PROTOCOL 5. A device's power counts by status reads alone: the exit of an `off` proves nothing. A read counts for one request, so for one
session. Times are seconds on the fencer's own monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

from backstay_api.objects.durations import seconds
from backstay_api.objects.models.fencing import FenceEvidence
from backstay_api.objects.models.host import FenceDevice, FenceLevel

from .facts import Identity, Next, Read, RequestFacts, Slot, Step, Tried
from .reading import Power
from .reading import judge_read as judge_read

OBSERVE_PAUSE_S: Final = 0.5
"""Between reads that say on while a host is only suspected: it may lose its power in the next moment."""
OBSERVE_LONG_S: Final = 60.0
OBSERVE_LONG_PAUSE_S: Final = 5.0
"""Between those reads when the suspicion has lasted so long: a host that is left alone may stay so for days."""
WAIT_PAUSE_S: Final = 1.0
"""Between reads while nothing is being switched, for hours perhaps: a BMC is a small computer."""
SWITCHING_PAUSE_S: Final = 0.05
"""Between reads while an `off` is under way: its effect is what everybody waits for."""
SWITCHING_S: Final = 10.0
"""How long after the end of an `off` its effect is still waited for closely (a slow BMC takes up to 11 s)."""
RETRY_S: Final = 30.0
"""A device whose `off` had no effect is asked again after this long; so long it may still have one, or be told late."""
UNSENT_RETRY_S: Final = 2.0
"""What could not be sent (the API server did not answer) is looked at again after this long."""
ON_FIRST_S: Final = 15.0
ON_LAST_S: Final = 300.0
"""A device that is still off after an `on` is asked again after so long, twice as long each time, up to this."""
ON_PAUSE_S: Final = 2.0
"""Between reads after an `on`."""
UNSENT: Final = "not sent"
"""`Tried.failed` of what never reached a device."""


def next_steps(facts: RequestFacts) -> Next:
    """What to run now for one request."""
    if facts.proven:
        return _next_on(facts)
    if facts.want == "Withdrawn":
        return _next_settling(facts)
    reads = _due(
        ((Step(slot, "status"), _read_due_s(slot, device, facts)) for slot, device in slots(facts.levels)), facts
    )
    later = [at_s for at_s in _off_due_s(facts) if at_s > facts.now_s] if facts.want == "Off" else []
    return Next((*_switch_off(facts), *reads.steps), _first_of(reads.wake_at_s, *later), ask=_must_ask(facts))


def _must_ask(facts: RequestFacts) -> bool:
    """As soon as a device was read off, for the answer is there before the second read is: it costs the proof no time.

    Whoever names the same machine and was switched off in its stead has said so before it was: it cannot be missed then.
    """
    if facts.asking or not facts.over:
        return False
    return any(
        reads[-1].power == "Off" and facts.asked_s < reads[-1].off_since_s for reads in facts.reads.values() if reads
    )


def followed_by(reads: tuple[Read, ...], read: Read) -> tuple[Read, ...]:
    """The last two reads of a device, once this one has been made: it says since when the device was read off."""
    was_off = bool(reads) and reads[-1].power == "Off"
    since_s = reads[-1].off_since_s if was_off else read.ended_s
    return (*reads[-1:], replace(read, off_since_s=since_s if read.power == "Off" else float("inf")))


def _due(steps: Iterable[tuple[Step, float | None]], facts: RequestFacts) -> Next:
    """Those whose time has come, and when the first of the others is due."""
    timed = [(step, at_s) for step, at_s in steps if at_s is not None]
    later = (at_s for _, at_s in timed if at_s > facts.now_s)
    return Next(tuple(step for step, at_s in timed if at_s <= facts.now_s), min(later, default=None))


def _first_of(*times_s: float | None) -> float | None:
    return min((at_s for at_s in times_s if at_s is not None), default=None)


def is_busy(facts: RequestFacts) -> bool:
    """Whether there is anything to run for this request, now or soon."""
    is_running = any(tried.ended_s is None for tried in facts.tried) or bool(facts.reading)
    if facts.want == "Withdrawn" and not facts.proven:
        return bool(unsettled(facts))
    return not facts.proven or is_running or bool(owed(facts))


def proof(facts: RequestFacts) -> FenceEvidence | str:
    """Device evidence, or what is missing for it, in a sentence."""
    if not facts.levels:
        return "the host has no fence device"
    missing = []
    for level in facts.levels:
        gaps = [f"{device.name}: {why}" for device in level.devices if (why := _not_proven(level, device, facts))]
        if not gaps:
            names = ", ".join(device.name for device in level.devices)
            return FenceEvidence(level=level.name, why=f"{names} read off twice, the second time after the seal")
        missing.append(f"level {level.name}: {'; '.join(gaps)}")
    return ". ".join(missing)


def power(facts: RequestFacts) -> Power:
    """Off: on one level every device's latest read says off, and is believed. On: some device says on. Else unknown."""
    latest = {slot: reads[-1].power for slot, reads in facts.reads.items() if reads}
    off = {slot for slot, said in latest.items() if said == "Off" and not distrust(slot, facts)}
    for level in facts.levels:
        if all((level.name, device.name) in off for device in level.devices):
            return "Off"
    return "On" if "On" in latest.values() else "Unknown"


def slots(levels: tuple[FenceLevel, ...]) -> Iterator[tuple[Slot, FenceDevice]]:
    """All devices with their places."""
    for level in levels:
        for device in level.devices:
            yield (level.name, device.name), device


def trusted(device: FenceDevice, identity: Identity, shared_with: str = "") -> str | None:
    """Why this device's word is not taken for this machine; None if it is."""
    if shared_with:
        return (
            f"this host and {shared_with} say the same machine UUID, so no device of either can be told from the other's:"
            " give one of them another (its firmware, or machine_uuid_file)"
        )
    if identity == "Unasked":
        return "it has not been asked yet which machine it powers"
    if identity == "Mismatch":
        return "it powers another machine (its UUID is not the host's): correct the device's parameters"
    if identity == "Unverified" and not device.drilled:
        return "it has not reported which machine it powers: check that it answers, or test it once by hand and set `drilled: true`"
    return None


def distrust(slot: Slot, facts: RequestFacts) -> str:
    """Why the word of the device in this place is not taken now; empty if it is."""
    device = dict(slots(facts.levels)).get(slot)
    if device is None:
        return "the device is no longer in the Host's spec"
    return facts.not_known or trusted(device, facts.identity.get(slot, "Unverified"), facts.shared_with) or ""


def _not_proven(level: FenceLevel, device: FenceDevice, facts: RequestFacts) -> str | None:
    slot = (level.name, device.name)
    if why := distrust(slot, facts):
        return why
    reads = facts.reads.get(slot, ())
    if not reads:
        return "not read yet"
    if reads[-1].power != "Off":
        return f"says {reads[-1].power.lower()}" + (f" ({reads[-1].message})" if reads[-1].message else "")
    if len(reads) < 2 or reads[-2].power != "Off":
        return "read off once, not twice"
    if not reads[-1].after_seal:
        return "not read since the lease was sealed"
    if reads[-1].begun_s - reads[-2].ended_s < seconds(device.read_gap):
        return f"the two reads lie less than {device.read_gap} apart"
    if facts.asked_s < reads[-1].off_since_s:
        return "whether another host names the same machine is not known as of when it was read off"
    return None


def _read_due_s(slot: Slot, device: FenceDevice, facts: RequestFacts) -> float | None:
    """When the next read of this device may begin; None while one is under way or none is needed."""
    if slot in facts.reading:
        return None
    reads = facts.reads.get(slot, ())
    if not reads:
        return facts.now_s
    last = reads[-1]
    if last.power == "Off":
        # The read that counts begins after the seal: until then one look a second is enough.
        return last.ended_s + (seconds(device.read_gap) if facts.over else 1.0)
    if _off_lately(slot, facts, lambda tried: SWITCHING_S):
        return last.ended_s + SWITCHING_PAUSE_S
    if facts.want != "Observe":
        return last.ended_s + WAIT_PAUSE_S
    is_long = facts.now_s - facts.begun_s > OBSERVE_LONG_S
    return last.ended_s + (OBSERVE_LONG_PAUSE_S if is_long else OBSERVE_PAUSE_S)


def _switch_off(facts: RequestFacts) -> Iterator[Step]:
    """`off` for the devices of the level whose turn it is. Never for a session that is not over: it may be alive and well."""
    if facts.want != "Off" or not facts.over:
        return
    level = _level_in_turn(facts)
    if level is None:
        return
    for device in level.devices:
        slot = (level.name, device.name)
        last_read = facts.reads.get(slot, ())[-1:]
        is_off = bool(last_read) and last_read[0].power == "Off"
        if not is_off and not _off_lately(slot, facts, _pause_s):
            yield Step(slot, "off")


def _level_in_turn(facts: RequestFacts) -> FenceLevel | None:
    """The first level that can be trusted and has not failed lately; all failed: the one that was tried longest ago."""
    usable = [
        level
        for level in facts.levels
        if not any(distrust((level.name, device.name), facts) for device in level.devices)
    ]
    fresh = [level for level in usable if not _has_failed(level, facts)]
    return fresh[0] if fresh else min(usable, key=lambda level: _last_try_s(level, facts), default=None)


def _has_failed(level: FenceLevel, facts: RequestFacts) -> bool:
    """Its time is up, and it has not brought the proof."""
    patience_s = max(seconds(device.timeout) for device in level.devices) + SWITCHING_S
    tries = [tried for tried in facts.tried if tried.slot[0] == level.name and tried.action == "off"]
    return bool(tries) and facts.now_s - min(tried.begun_s for tried in tries) > patience_s


def _last_try_s(level: FenceLevel, facts: RequestFacts) -> float:
    return max((tried.begun_s for tried in facts.tried if tried.slot[0] == level.name), default=float("-inf"))


def _off_lately(slot: Slot, facts: RequestFacts, pause_s: Callable[[Tried], float]) -> bool:
    """Whether an `off` of this device is under way, or has ended less than that ago."""
    return any(
        tried.slot == slot
        and tried.action == "off"
        and (tried.ended_s is None or facts.now_s - tried.ended_s < pause_s(tried))
        for tried in facts.tried
    )


def _pause_s(tried: Tried) -> float:
    return UNSENT_RETRY_S if tried.unsent and not tried.ours else RETRY_S


def _off_due_s(facts: RequestFacts) -> Iterator[float]:
    """Instants at which another `off`, or another level's turn, may become due."""
    for tried in facts.tried:
        if tried.ended_s is not None:
            yield tried.ended_s + _pause_s(tried)
    for level in facts.levels:
        begun = [tried.begun_s for tried in facts.tried if tried.slot[0] == level.name and tried.action == "off"]
        if begun:
            yield min(begun) + max(seconds(device.timeout) for device in level.devices) + SWITCHING_S + 0.001


# --- on again --------------------------------------------------------------------------------------------------------


def owed(facts: RequestFacts) -> tuple[Slot, ...]:
    """Devices that we switched off and that are to be on again. A host that lost its power by itself is left to its people."""
    if facts.after != "On" or facts.powered_on:
        return ()
    if facts.proven:
        return tuple(slot for slot in _switched_off(facts) if not _is_on_again(slot, facts))
    return tuple(slot for slot in unsettled(facts) if _is_read_off(slot, facts))


def unsettled(facts: RequestFacts) -> tuple[Slot, ...]:
    """Devices with an `off` of ours that may still come through though the request was withdrawn: they are read until that is known."""
    return _switched_off(facts) if facts.want == "Withdrawn" and not facts.proven else ()


def _switched_off(facts: RequestFacts) -> tuple[Slot, ...]:
    known = {slot for slot, _ in slots(facts.levels)}
    switched_off = {tried.slot for tried in facts.tried if tried.action == "off" and tried.ours}
    return tuple(sorted(switched_off & known))


def _is_read_off(slot: Slot, facts: RequestFacts) -> bool:
    return any(read.power == "Off" for read in facts.reads.get(slot, ())[-1:])


def tries_of_on(slot: Slot, facts: RequestFacts) -> list[Tried]:
    """Every `on` of this device, the oldest first."""
    return [tried for tried in facts.tried if tried.slot == slot and tried.action == "on"]


def _is_on_again(slot: Slot, facts: RequestFacts) -> bool:
    offs = [tried for tried in facts.tried if tried.slot == slot and tried.action == "off" and tried.ours]
    return says_on(slot, facts) and all(facts.reads[slot][-1].begun_s >= _through_by_s(tried) for tried in offs)


def says_on(slot: Slot, facts: RequestFacts) -> bool:
    """Since we have switched it on."""
    tries, reads = tries_of_on(slot, facts), facts.reads.get(slot, ())
    return bool(tries and reads) and reads[-1].power == "On" and reads[-1].begun_s >= tries[0].begun_s


def _through_by_s(off: Tried) -> float:
    """When it has had its effect, if it has any: a slow BMC goes on with it, be its agent ended or not, or says so late."""
    return float("inf") if off.ended_s is None else max(off.ended_s, off.known_s) + RETRY_S


def _next_on(facts: RequestFacts) -> Next:
    """Switch on again, and look whether it helped; again and again, for nobody else will."""
    if any(tried.action == "off" and tried.ended_s is None for tried in facts.tried):
        return Next((), None)  # it would come after the `on`
    return _due((step for slot in owed(facts) for step in _steps_on(slot, facts)), facts)


def _steps_on(slot: Slot, facts: RequestFacts) -> Iterator[tuple[Step, float | None]]:
    yield Step(slot, "on"), _on_due_s(slot, facts)
    yield Step(slot, "status"), _look_due_s(slot, facts)


def _next_settling(facts: RequestFacts) -> Next:
    """Look whether an `off` of ours comes through after all, and switch on again what it has switched off. Never another `off`."""
    switching = _next_on(facts)
    others = [slot for slot in unsettled(facts) if slot not in {step.slot for step in switching.steps}]
    reads = _due(((Step(slot, "status"), _settling_due_s(slot, facts)) for slot in others), facts)
    return Next(switching.steps + reads.steps, _first_of(switching.wake_at_s, reads.wake_at_s))


def _settling_due_s(slot: Slot, facts: RequestFacts) -> float | None:
    tries, reads = [tried for tried in facts.tried if tried.slot == slot], facts.reads.get(slot, ())
    if slot in facts.reading or any(tried.ended_s is None for tried in tries):
        return None
    last_s = max((max(tried.ended_s or 0.0, tried.known_s) for tried in tries), default=facts.now_s)
    return _look_again_s(reads[-1], last_s) if reads else facts.now_s


def _look_again_s(last: Read, switched_s: float) -> float:
    """Closely until a read has begun when all that was sent has had its effect. Then somebody may have pulled the plug for days: a BMC is
    a small computer."""
    return last.ended_s + (ON_PAUSE_S if last.begun_s - switched_s < RETRY_S else RETRY_S)


def _on_due_s(slot: Slot, facts: RequestFacts) -> float | None:
    tries = tries_of_on(slot, facts)
    if not tries:
        return facts.now_s
    last = tries[-1]
    if last.ended_s is None or says_on(slot, facts):
        return None
    if last.unsent:
        return last.ended_s + UNSENT_RETRY_S
    return last.ended_s + min(ON_LAST_S, ON_FIRST_S * 2.0 ** min(30, len(tries) - 1))


def _look_due_s(slot: Slot, facts: RequestFacts) -> float | None:
    tries, reads = [tried for tried in tries_of_on(slot, facts) if not tried.unsent], facts.reads.get(slot, ())
    if slot in facts.reading or not tries or tries[-1].ended_s is None:
        return None
    last_s = tries[-1].ended_s
    return max(last_s, _look_again_s(reads[-1], last_s) if reads else last_s)


def is_done_on(facts: RequestFacts) -> bool:
    """Everything that we switched off was read on again, after we had switched it on."""
    if not facts.proven or facts.after != "On" or facts.powered_on or owed(facts):
        return False
    return any(tried.action == "on" and tried.ended_s is not None and not tried.unsent for tried in facts.tried)


def without_effect(tried: Tried, slot: Slot, read: Read) -> bool:
    """Whether this read shows that an `off` did nothing: if the power goes later, it was somebody else."""
    is_late = read.begun_s >= _through_by_s(tried)
    return tried.slot == slot and tried.action == "off" and tried.ours and is_late and read.power == "On"
