"""What is told of differences between hosts that a person has accepted: by whom, and whether that still counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from backstay_api.objects.models.prerequisites import AcceptedDifference
from backstay_api.objects.models.resources import Resource
from backstay_operator.planner.do.decisions import Decision, Slot
from backstay_operator.planner.judge.prerequisites import held_against, prerequisites_of
from backstay_operator.planner.know.accepted_drift import AcceptedDrift, words_of
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import first_words


def accepted_differences(world: World, decision: Decision) -> list[AcceptedDifference]:
    """Each word in its order, with the reason why it does not count, if it does not."""
    words = words_of(decision.service)
    return [AcceptedDifference(**asdict(word), ended=_ended(world, decision.slots, word)) for word in words]


def _ended(world: World, slots: Sequence[Slot], word: AcceptedDrift) -> str:
    slot = next((one for one in slots if one.name == word.instance), None)
    if slot is None or slot.instance is None:
        return f"there is no instance {word.instance}"
    resource = next((one for one in prerequisites_of(slot.in_force) if one.name == word.resource), None)
    if resource is None:
        return f"the manifest has nothing by the name {word.resource} that hosts are held against each other by"
    if word.host not in world.hosts:
        return f"there is no host {word.host}"
    mine, others = held_against(world, slot.in_force, slot.instance, resource, word.host)
    if mine is None:
        return f"{word.host} lacks it, or has not said how it has it"
    if mine.fingerprint != word.fingerprint:
        return f"{word.host} has it otherwise since"
    if not others and slot.instance.holder not in ("", word.host):
        return f"{slot.instance.holder} has not said how it has it"
    if slot.instance.holder == word.host:
        return _ended_there(world, slot, resource, word)
    if others and not any(word.holds(mine, one) for one in others):
        return word.ended(mine, others[0])
    return ""


def _ended_there(world: World, slot: Slot, resource: Resource, word: AcceptedDrift) -> str:
    """Where it runs on that very host, others are held against it, each by itself: it counts while one of them has it as it was."""
    assert slot.instance is not None, "it runs"
    copies = (held_against(world, slot.in_force, slot.instance, resource, host)[0] for host in sorted(world.hosts))
    others = [one.fingerprint for one in copies if one is not None and one.host != word.host]
    gone = others and word.reference not in others
    return f"no other host has it any more as {first_words(word.than)} had" if gone else ""
