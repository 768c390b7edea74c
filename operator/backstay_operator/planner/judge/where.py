"""Where do two hosts' copies of a prerequisite differ first? Found out in a few steps, by questions to both; nothing but answers is needed.

A copy is a list: the lines of a file, the entries of a folder. First both say digests of it line by line (of a long one by groups of lines),
then which line or entry is the first whose digests differ; if that is a file of a folder, the same of its lines. The last question stands for
as long as the copies are those that it was asked about: what was found out follows from it and its answers, and is kept nowhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from backstay_api.objects.models import HostAssignment
from backstay_api.objects.models.prerequisites import CopyAnswer, CopyQuestion
from backstay_api.objects.prerequisites import differences
from backstay_operator.planner.know.world import World

GROUP: Final = 256
"""Lines, of as many of which one digest is where the first 256 are alike; as many digests as one answer has."""
_DIGITS: Final = 8
_OF_AN_ENTRY: Final = ("type", "mode", "owner", "group")


@dataclass(frozen=True)
class Pair:
    """One resource as two hosts have it."""

    uid: str
    """Of the HAInstance."""
    name: str
    here: str
    there: str
    """The host that it is held against."""
    facts: tuple[Mapping[str, str], Mapping[str, str]]
    """Of here and there."""


@dataclass(frozen=True)
class Step:
    """What is asked; see `CopyQuestion`."""

    below: str = ""
    first: int = 0
    each: int = 1


def next_questions(world: World, pair: Pair, *, begins: bool) -> Iterator[tuple[str, CopyQuestion]]:
    """What is to be asked now, by host. `begins`: also if it has not been asked yet."""
    keys = _keys(world, pair)
    stored = _stored(world, pair, keys)
    if not all(keys) or not (stored or begins):
        return
    step = stored or Step()
    said = _said(world, pair, keys, step)
    step = (said and _next(step, *said)) or step
    made = {"id": _id(pair, keys, step), "uid": pair.uid, "name": pair.name, **vars(step)}
    for host, other, key in ((pair.here, pair.there, keys[1]), (pair.there, pair.here, keys[0])):
        yield host, CopyQuestion(host=other, key=key, **made)


def first_difference(world: World, pair: Pair) -> str:
    """Where they differ, in a sentence; empty as long as that is not known."""
    keys = _keys(world, pair)
    step = _stored(world, pair, keys)
    said = _said(world, pair, keys, step) if step else None
    if step is None or said is None or _next(step, *said) is not None:
        return ""
    here, there = (one.facts for one in said)
    if "path" not in here and "path" not in there:
        return ""  # it has become shorter since
    if step.each:
        # Of a file that is no text nobody can say more than which one it is.
        return f"file {here['path']} is not as on {pair.there}" if step.below and "path" in here else ""
    if "line" in here and "path" in here:
        word = here.get("word") or there.get("word", "")
        return f"file {here['path']} line {here['line']}{word and f' ({word})'} is not as on {pair.there}"
    return _of_entries(here, there, pair.there)


def _of_entries(here: Mapping[str, str], there: Mapping[str, str], host: str) -> str:
    if here.get("below") == there.get("below"):
        how = differences(_of_entry(here), _of_entry(there), ())
        what = f"{here.get('type')} {here.get('path')} is not as on {host}"
        return f"{what}: {', '.join(how)}" if how else what
    if not there or (here and _order(here) < _order(there)):
        return f"{here.get('type')} {here.get('path')} is not on {host}"
    return f"{there.get('type')} {there.get('path')} is not there, and is on {host}"


def _next(step: Step, here: CopyAnswer, there: CopyAnswer) -> Step | None:
    """What to ask after these answers; None if that was all that can be found out."""
    if here.why or there.why:
        return None
    if step.each:
        return _after_digests(step, here, there)
    facts = here.facts
    is_a_file = facts.get("type") == "file" and not step.below
    alike = facts.get("below") == there.facts.get("below") and _of_entry(facts) == _of_entry(there.facts)
    return Step(below=facts.get("below", "")) if is_a_file and alike else None


def _after_digests(step: Step, here: CopyAnswer, there: CopyAnswer) -> Step | None:
    at = _first_unlike(here.digests, there.digests)
    if at is not None:
        each = 1 if step.each > 1 else 0
        return Step(step.below, step.first + at * step.each, each)
    is_longer = max(here.count, there.count) > GROUP
    return Step(step.below, 0, GROUP) if step == Step(step.below) and is_longer else None


def _first_unlike(here: str, there: str) -> int | None:
    """The number of the first digest that is not in both."""
    if here == there:
        return None
    both = zip(*(_cut(one) for one in (here, there)), strict=False)
    shorter = min(len(here), len(there)) // _DIGITS
    return next((number for number, (one, other) in enumerate(both) if one != other), shorter)


def _cut(digests: str) -> Iterator[str]:
    return (digests[at : at + _DIGITS] for at in range(0, len(digests), _DIGITS))


def _of_entry(facts: Mapping[str, str]) -> dict[str, str]:
    return {name: facts[name] for name in _OF_AN_ENTRY if name in facts}


def _order(facts: Mapping[str, str]) -> list[str]:
    """As agents list a folder: what is in it after it, and by name. The top is before all."""
    below = facts.get("below", ".")
    return [] if below == "." else below.split("/")


def _keys(world: World, pair: Pair) -> tuple[str, str]:
    """What the two agents have made known; empty of one that knows no such questions."""
    one, other = (world.assignments.get(host) for host in (pair.here, pair.there))
    return (one.status.exchange_key if one else "", other.status.exchange_key if other else "")


def _stored(world: World, pair: Pair, keys: tuple[str, str]) -> Step | None:
    """What was asked last, if it is about these very copies."""
    assignment = world.assignments.get(pair.here)
    for one in assignment.spec.questions if assignment else ():
        step = Step(one.below, one.first, one.each)
        if (one.uid, one.name, one.host) == (pair.uid, pair.name, pair.there) and one.id == _id(pair, keys, step):
            return step
    return None


def _said(world: World, pair: Pair, keys: tuple[str, str], step: Step) -> tuple[CopyAnswer, CopyAnswer] | None:
    wanted = _id(pair, keys, step)
    found = [_answer(world.assignments.get(host), wanted) for host in (pair.here, pair.there)]
    return (found[0], found[1]) if found[0] and found[1] else None


def _answer(assignment: HostAssignment | None, wanted: str) -> CopyAnswer | None:
    return next((one for one in assignment.status.answers if one.id == wanted), None) if assignment else None


def _id(pair: Pair, keys: tuple[str, str], step: Step) -> str:
    facts = [sorted(each.items()) for each in pair.facts]
    about = (pair.uid, pair.name, pair.here, pair.there, facts, keys, step)
    return hashlib.blake2b(repr(about).encode(), digest_size=8).hexdigest()
