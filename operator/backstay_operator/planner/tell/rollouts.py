"""Where each host stands with the files that a service brings there: a word and a sentence for people, of what `judge/editions.py` decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from backstay_api.objects.editions import EDITION, TRIAL, WHY_REFUSED, staged
from backstay_operator.planner.do.decisions import Slot
from backstay_operator.planner.judge import contents, editions
from backstay_operator.planner.judge.editions import Rollout
from backstay_operator.planner.judge.prerequisites import prerequisites_of
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import listed

Stage = Literal["Proven", "InPlace", "OnTrial", "Staged", "Waiting", "Refused"]
"""Proven: the service runs well with it here. InPlace: it is, and nothing runs here. OnTrial: what runs here is being tried with it. Staged:
the host has it and calls it right. Waiting: the host has not said so yet. Refused: it has failed here."""
DONE: Final = ("Proven", "InPlace")


@dataclass(frozen=True)
class Standing:
    """Of the edition of one file that the manifest wants, on one host."""

    host: str
    resource: str
    path: str
    stage: Stage
    why: str


def standings(world: World, slot: Slot) -> Iterator[Standing]:
    """By file, in the order of the manifest: the host that runs the service, then those that stand by."""
    service, instance = slot.in_force, slot.instance
    if instance is None:
        return
    for resource in prerequisites_of(service):
        told = contents.brought(world, service, instance, resource)
        found = editions.rollout(world, service, instance, told, slot.asked) if told is not None else None
        if told is None or told.file is None or found is None:
            continue
        for host in dict.fromkeys(filter(None, (found.holder, *found.standing_by))):
            yield Standing(host, resource.name, told.file.path, *_stands(found, host))


def _stands(found: Rollout, host: str) -> tuple[Stage, str]:
    facts = found.said.get(host, {})
    if found.refusal is not None and found.refusal[0] == host:
        return "Refused", found.refusal[1]
    if facts.get(TRIAL) == found.target:
        return "OnTrial", "the service is tried with it"
    if facts.get(EDITION) == found.target:
        return ("Proven", "the service runs here") if host == found.holder else ("InPlace", "")
    if found.target in staged(facts):
        return "Staged", _waits(found, host)
    return "Waiting", facts.get(WHY_REFUSED, "") or "the host has not said yet that it has it and calls it right"


def _waits(found: Rollout, host: str) -> str:
    """For what, though the host has it."""
    if found.refusal is not None:
        return f"{found.refusal[0]} has refused it"
    first = [one for one in (found.waiting if host == found.holder else found.waiting[:1]) if one != host]
    if first:
        return f"comes after {listed(first)}"
    if host != found.holder:
        return ""
    return "spec.rollout.paused is true" if found.is_paused else found.unable
