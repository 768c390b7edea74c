"""Whether a policy allows what a service brings: rows of patterns for namespaces, and the sentence where none of them does. Pure.

One row must allow all that one resource asks for: a program that is allowed as one user is not allowed as another by the row beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, get_args

from .policy_words import NOUNS, Asked, Word, allows, of_words
from .probe_kinds import kind_of
from .resource_kinds import kinds_in

WORDS: Final[tuple[Word, ...]] = get_args(Word)


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """What some namespaces may bring."""

    where: str
    """The file that it stands in."""
    namespaces: tuple[str, ...]
    """Patterns of their names."""
    patterns: Mapping[Word, tuple[str, ...]]
    kinds: tuple[str, ...] | None = None
    """No others than these kinds of resources; None: any."""

    def is_for(self, namespace: str) -> bool:
        return any(fnmatchcase(namespace, pattern) for pattern in self.namespaces)

    def lacks(self, item: Item) -> tuple[Asked, ...]:
        """What of it this row does not allow, but for its kind."""
        return tuple(one for one in item.asked if not any(self._of(one)))

    def _of(self, asked: Asked) -> Iterator[bool]:
        return (allows(asked.word, pattern, asked.value) for pattern in self.patterns.get(asked.word, ()))

    def is_kind(self, item: Item) -> bool:
        return not item.kind or self.kinds is None or item.kind in self.kinds


@dataclass(frozen=True, slots=True)
class Item:
    """What one row must allow as a whole: a resource, or one of its probes."""

    name: str
    """`server`, `server, probe alive`."""
    kind: str
    """Of a resource, as a manifest has it; empty: it is a probe."""
    asked: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the rows say of one item."""

    item: Item
    by: str = ""
    """The file that allows it."""
    why: str = ""
    """Why none does, and what to add where; empty: it is allowed."""


def items_of(resource: Any) -> Iterator[Item]:
    """The resource itself, then its probes. One of a kind that nobody knows here is none: its driver refuses it."""
    for kind, spec in kinds_in([resource]):
        yield Item(resource.name, kind.wire, tuple(dict.fromkeys(kind.policy(spec))))
        for probe in getattr(resource, "probes", ()):
            asked, question = kind_of(probe)
            yield Item(f"{resource.name}, probe {probe.name}", "", tuple(dict.fromkeys(asked.policy(question))))


def score_item(command: Sequence[str] | None) -> tuple[Item, ...]:
    """What asks how fresh data is, which a host runs as root like a probe; nothing, where nothing asks."""
    return (Item("promotion.scoreCommand", "", of_words(command)),) if command else ()


def runs_programs(resource: Any) -> bool:
    """Whether even a look at it runs what its manifest brings."""
    return any(one.word in ("commands", "agents") for kind, spec in kinds_in([resource]) for one in kind.policy(spec))


def answer(rows: Sequence[PolicyRow], namespace: str, item: Item, *, place: str, noun: str = "[[allow]]") -> Answer:
    """By which row it is allowed, or why by none.

    `place`: where a row could be added, if there is none for this namespace; `noun`: what people call one.
    """
    mine = [row for row in rows if row.is_for(namespace)]
    for row in mine:
        if row.is_kind(item) and not row.lacks(item):
            return Answer(item, by=row.where)
    if not mine:
        return Answer(item, why=f"{place} has no {noun} for namespace {namespace}: add one{_with(item)}")
    # The one that comes nearest is most probably the one that was meant.
    row = min(mine, key=lambda one: (not one.is_kind(item), len(one.lacks(item))))
    return Answer(item, why=f"{row.where} does not allow namespace {namespace} {_missing(row, item, noun)}")


def _with(item: Item) -> str:
    wanted = [f"{word} = {json.dumps(patterns)}" for word, patterns in _by_word(item.asked).items()]
    return f", with {', '.join(wanted)}" if wanted else ""


def _missing(row: PolicyRow, item: Item, noun: str) -> str:
    if not row.is_kind(item):
        return f"resources of kind {item.kind}: add {json.dumps(item.kind)} to `kinds` of one {noun} there"
    lacked = _by_word(row.lacks(item))
    what = ", ".join(f"the {NOUNS[word]} {', '.join(patterns)}" for word, patterns in lacked.items())
    add = ", ".join(f"{', '.join(map(json.dumps, patterns))} to `{word}`" for word, patterns in lacked.items())
    return f"{what}: add {add} of one {noun} there"


def _by_word(asked: Iterable[Asked]) -> dict[Word, list[str]]:
    found: dict[Word, list[str]] = {}
    for one in asked:
        found.setdefault(one.word, []).append(one.pattern)
    return found
