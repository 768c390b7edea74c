"""What a need is, and all that a rule is told when it looks for some."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, Literal

from backstay_api.objects.survey import Clue, PathFacts, Survey

from .recipes import Baseline, Recipe

Strategy = Literal["Duplicate", "Share", "Move", "External", "Undecided", ""]
_IN_USE: Final = ("Unit", "Argument", "Mapped", "Executed", "Read", "Written", "Environment", "Credential")


class Confidence(IntEnum):
    """How sure it is. Sure: in use now, or systemd says so; Likely: a file in use names it, or a recipe; Maybe: by its name or place alone."""

    MAYBE = 0
    LIKELY = 1
    SURE = 2


@dataclass(frozen=True)
class Need:
    """One thing that the service uses."""

    kind: str
    """Field of a resource, as a manifest has it: `package`, `path`, `systemd`. Empty: it is left out, and said so."""
    spec: Mapping[str, Any]
    """What stands in that field."""
    name: str
    """Of its resource; made unique in the draft."""
    why: str
    """Where that is seen, for people."""
    confidence: Confidence = Confidence.SURE
    strategy: Strategy = "Duplicate"
    consistency: Literal["Any", "Bounded", "Exact", ""] = ""
    gate: Literal["Block", "Warn", ""] = ""
    rest: Mapping[str, Any] = field(default_factory=dict)
    """What else stands in its resource: probes, timeouts."""
    choices: tuple[str, ...] = ()
    """Of what only a person can decide: what there is to choose from."""
    covers: tuple[str, ...] = ()
    """Paths that no later rule need look at; a directory stands for all below it."""
    number: int = 0
    """Of the rule that has found it."""

    @property
    def is_left_out(self) -> bool:
        """It is used, and need not be on another host."""
        return not self.kind

    @property
    def is_undecided(self) -> bool:
        """Only a person can say."""
        return self.strategy == "Undecided"


def left_out(path: str, why: str) -> Need:
    """A path that need not be on another host."""
    return Need("", {}, path, why, strategy="", covers=(path,))


@dataclass
class Case:
    """What is known of one service, and what of it earlier rules have told."""

    survey: Survey
    recipe: Recipe
    baseline: Baseline
    taken: set[str] = field(default_factory=set)

    def is_taken(self, path: str) -> bool:
        """Whether an earlier rule has it, or a directory above it."""
        parts = path.split("/")
        return any("/".join(parts[:end]) in self.taken for end in range(2, len(parts) + 1))

    def paths(self) -> Iterator[PathFacts]:
        """Those that no rule has told yet."""
        return (one for one in self.survey.paths if not self.is_taken(one.path))

    def confidence(self, facts: PathFacts) -> Confidence:
        """By its clues; two that do not depend on each other count for more."""
        if any(clue.how in _IN_USE for clue in facts.clues):
            return Confidence.SURE
        files = {clue.where.rpartition(":")[0]: clue for clue in facts.clues if clue.how == "Mentioned"}
        good = [file for file in files if self._is_in_use(file)]
        if good:
            return Confidence.SURE if len(good) > 1 else Confidence.LIKELY
        return Confidence.LIKELY if facts.path in self.recipe.config else Confidence.MAYBE

    def _is_in_use(self, file: str) -> bool:
        """A file that only lies there says nothing of the service: there may be examples beside what is read."""
        known = [self.survey.path(path) for path in (file, file.rpartition("/")[0])]
        return (
            file in self.recipe.config
            or known[0] is None
            or any(clue.how != "Place" for one in known if one for clue in one.clues)
        )

    @property
    def software(self) -> set[str]:
        """Packages that own the unit or its programs."""
        main = {
            self.survey.main.fragment,
            *self.survey.main.executes,
            *(one.executable for one in self.survey.programs),
        }
        return {one.package for one in self.survey.paths if one.package and main & {one.path, *one.written}}


def why_of(facts: PathFacts, most: int = 3) -> str:
    """The clues to a path, in words."""
    said = dict.fromkeys(_words(clue) for clue in facts.clues if clue.how != "Place" or len(facts.clues) == 1)
    more = f" and {len(said) - most} more" if len(said) > most else ""
    return ", ".join(list(said)[:most]) + more


_WORDS: Final = {
    "Mapped": "mapped code of",
    "Executed": "run as",
    "Read": "open in",
    "Written": "written by",
    "Argument": "argument of",
    "Credential": "credential of",
    "Environment": "environment file of",
}


def _words(clue: Clue) -> str:
    return " ".join(part for part in (_WORDS.get(clue.how, ""), clue.where, clue.word) if part)


def is_below(path: str, folders: Iterable[str]) -> bool:
    """Whether it is one of these, or lies in one."""
    return any(path == folder or path.startswith(f"{folder.rstrip('/')}/") for folder in folders)


def matches(path: str, globs: Iterable[str]) -> bool:
    """Whether one of these patterns means it, or a directory above it."""
    return any(fnmatch.fnmatchcase(path, glob) or fnmatch.fnmatchcase(path, f"{glob}/*") for glob in globs)


def label(text: str) -> str:
    """Of a text what can be the name of a resource."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-") or "resource"
