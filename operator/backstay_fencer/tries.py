"""What the tries and reads of one device tell together: is it on again, has an `off` had its effect, may one still come through. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .core import Facts, Read, Slot, Tried

SWITCHING_S: Final = 10.0
"""How long after the end of an `off` its effect is still waited for closely (a slow BMC takes up to 11 s)."""


def tries_of_on(slot: Slot, facts: Facts) -> list[Tried]:
    """Every `on` of this device, the oldest first."""
    return [tried for tried in facts.tried if tried.slot == slot and tried.action == "on"]


def says_on(slot: Slot, facts: Facts) -> bool:
    """Since we have switched it on."""
    tries, reads = tries_of_on(slot, facts), facts.reads.get(slot, ())
    return bool(tries and reads) and reads[-1].power == "On" and reads[-1].begun_s >= tries[0].begun_s


def is_on_again(slot: Slot, facts: Facts) -> bool:
    offs = [tried for tried in facts.tried if tried.slot == slot and tried.action == "off" and tried.ours]
    return says_on(slot, facts) and all(facts.reads[slot][-1].begun_s >= _through_by_s(tried) for tried in offs)


def is_read_off(slot: Slot, facts: Facts) -> bool:
    return any(read.power == "Off" for read in facts.reads.get(slot, ())[-1:])


def without_effect(tried: Tried, slot: Slot, read: Read) -> bool:
    """Whether this read shows that an `off` did nothing: if the power goes later, it was somebody else."""
    is_late = read.begun_s >= _through_by_s(tried)
    return tried.slot == slot and tried.action == "off" and tried.ours and is_late and read.power == "On"


def _through_by_s(off: Tried) -> float:
    """When it has had its effect, if it has any: a slow BMC goes on with it, be its agent ended or not."""
    return float("inf") if off.ended_s is None else max(off.ended_s, off.known_s) + SWITCHING_S
