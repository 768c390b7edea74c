"""What a request's status says of the reads, and of the `on` that is owed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .core import owed, says_on, tries_of_on, unsettled
from .facts import Read, RequestFacts, Slot


def not_on(facts: RequestFacts) -> list[str]:
    """Of each device that was switched on again and does not say on, in a sentence, why not."""
    waits = []
    for slot in owed(facts):
        tries = tries_of_on(slot, facts)
        failed = next((tried.failed for tried in reversed(tries) if tried.failed), "")
        if tries and tries[-1].ended_s is not None and not says_on(slot, facts):
            times = f"{len(tries)} time{'' if len(tries) == 1 else 's'}"
            waits.append(f"{slot[1]} does not say on after {times}{f': {failed}' if failed else ''}")
    return waits


def on_again(facts: RequestFacts) -> str:
    """What is said of a host that is to be on again; empty where none is, or all goes well."""
    if facts.powered_on:
        return "switched on again"
    if not (waits := not_on(facts)):
        return _left_off(facts)
    return f"not on again yet: {'; '.join(waits)}. It is tried again; or switch it on by hand, or set after: StayOff"


def _left_off(facts: RequestFacts) -> str:
    """Of a host that is off, and by whom is not known."""
    offs = [tried for tried in facts.tried if tried.action == "off" and not tried.unsent]
    if not facts.proven or facts.after != "On" or not offs or any(tried.ours for tried in offs):
        return ""
    names = ", ".join(sorted({tried.slot[1] for tried in offs}))
    return f"{names} said on after our off, so somebody else may have switched it off: it is left off, switch it on by hand"


def withdrawn(facts: RequestFacts) -> str:
    """What is said of a request that was withdrawn."""
    if not unsettled(facts):
        return "withdrawn: nothing is asked for any more"
    waits = on_again(facts) or "its power is read until that is known"
    return f"withdrawn, and an off that was sent may still take effect, or has: {waits}"


def latest(reads: Mapping[Slot, tuple[Read, ...]]) -> list[dict[str, Any]]:
    """What each device has said last, as the request's status tells it."""
    return [
        {"level": level, "device": device, "power": last.power, "sealed": last.after_seal, "message": last.message}
        for (level, device), (*_, last) in sorted(reads.items())
    ]
