"""Reads the files of the policy, and looks at each question whether they have changed.

What cannot be trusted or understood allows nothing: a policy that is half read could allow what its missing half narrows.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backstay_api.objects.plain import RenderedPrerequisite, RenderedResource
from backstay_api.objects.policies import WORDS, Answer, Item, PolicyRow, answer, items_of, score_item
from backstay_api.objects.policy_words import Asked, Word, pattern_fault
from backstay_api.objects.resource_kinds import RESOURCE_KINDS

FOLDER: Final = Path("/etc/backstay/policy.d")
REQUIRED: Final = Path("/var/lib/backstay/policy-required")
"""There since `join --policy`: that somebody removes the folder is then no permission."""
MOST_FILES: Final = 64
MOST_BYTES: Final = 256 * 1024
_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_KINDS: Final = {kind.wire for kind in RESOURCE_KINDS}
NONE: Final = "no policy: services may bring whatever they like"


class NotUsable(Exception):
    """Of a file or the folder; the text is a sentence that names it and the remedy."""


@dataclass(frozen=True)
class Policy:
    """What was read."""

    folder: Path
    exists: bool
    rows: tuple[PolicyRow, ...] = ()
    files: tuple[str, ...] = ()
    """Names of those that were read."""
    faults: tuple[str, ...] = ()
    """Why it cannot be used, sentences: then nothing new is allowed."""

    def answers(self, namespace: str, resource: RenderedResource | RenderedPrerequisite) -> Iterator[Answer]:
        """Of the resource, then of each of its probes."""
        return (self._answer(namespace, item) for item in items_of(resource))

    def score_answers(self, namespace: str, command: Sequence[str] | None) -> Iterator[Answer]:
        """Of the program that says how fresh data is, if there is one."""
        return (self._answer(namespace, item) for item in score_item(command))

    def _answer(self, namespace: str, item: Item) -> Answer:
        if not self.exists:
            return Answer(item, by=NONE)
        if self.faults:
            return Answer(item, why="; ".join(self.faults))
        return answer(self.rows, namespace, item, place=str(self.folder))

    def refusal(self, namespace: str, resources: Iterable[RenderedResource | RenderedPrerequisite]) -> str:
        """Why it does not allow them, in a sentence; empty if it does."""
        return _refusal(one for resource in resources for one in self.answers(namespace, resource))

    def score_refusal(self, namespace: str, command: Sequence[str]) -> str:
        """The same of the program that says how fresh data is."""
        return _refusal(self.score_answers(namespace, command))

    def unit_refusal(self, unit: str) -> str:
        """The same of a unit of which only the name is known: some namespace may bring it."""
        if not self.exists or (not self.faults and any(_allows_unit(row, unit) for row in self.rows)):
            return ""
        return "; ".join(self.faults) or f"no [[allow]] in {self.folder} has it among its `units`"

    def unit_refusal_for(self, namespace: str, unit: str) -> str:
        """The same for one namespace."""
        return self._answer(namespace, unit_item(unit)).why

    @property
    def sentence(self) -> str:
        """What an admin should know of it."""
        if not self.exists:
            return NONE
        if self.faults:
            return f"the policy of this host allows nothing new: {'; '.join(self.faults)}"
        return f"policy: {', '.join(self.files) or 'no file'} in {self.folder}"


def _refusal(answers: Iterable[Answer]) -> str:
    whys = (f"{one.item.name}: the policy of this host refuses it: {one.why}" for one in answers if one.why)
    return "; ".join(dict.fromkeys(whys))


def _allows_unit(row: PolicyRow, unit: str) -> bool:
    return not row.lacks(unit_item(unit))


def unit_item(unit: str) -> Item:
    """A unit by its name alone."""
    return Item(unit, "", (Asked("units", (unit,)),))


class PolicyFiles:
    """The policy of this host, as it is now."""

    def __init__(self, folder: Path = FOLDER, *, required: Path = REQUIRED, owners: Collection[int] = (0,)) -> None:
        """`required`: the file that says that there must be a policy."""
        # Looked at once: what is asked of the policy must not hang with the disk that remembers this.
        self._folder, self._owners = folder, owners
        self._missing = _gone(folder, required) if is_required(required) else ""
        self._seen: object = None
        self._read = Policy(folder, exists=False)

    def now(self) -> Policy:
        """Read anew if anything about a file is another than at the last question."""
        seen = _looks(self._folder)
        if seen != self._seen or self._seen is None:
            self._read, self._seen = read_policy(self._folder, self._owners, self._missing), seen
        return self._read


def _looks(folder: Path) -> object:
    """What changes with the folder and its files: their owners and rights too."""
    try:
        found = {entry.name: entry.stat(follow_symlinks=False) for entry in os.scandir(folder)}
        found["."] = os.lstat(folder)
    except OSError as error:
        return error.errno
    return {name: (s.st_ino, s.st_mode, s.st_uid, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for name, s in found.items()}


def is_required(path: Path = REQUIRED) -> bool:
    """Whether this host was joined so that there must be a policy; where that cannot be seen, it was."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def read_policy(folder: Path = FOLDER, owners: Collection[int] = (0,), missing: str | None = None) -> Policy:
    """What stands there now. Never raises: what is wrong is among its faults. `missing`: what is wrong where there is no folder."""
    try:
        _must_be_trusted(str(folder), os.lstat(folder), stat.S_ISDIR, "a folder", owners)
        names = sorted(name for name in os.listdir(folder) if name.endswith(".toml"))
        if len(names) > MOST_FILES:
            raise NotUsable(f"{folder} has more than {MOST_FILES} files: put them together")
    except FileNotFoundError:
        if missing is None:
            missing = _gone(folder, REQUIRED) if is_required() else ""
        return Policy(folder, exists=bool(missing), faults=(missing,) if missing else ())
    except (NotUsable, OSError) as error:
        return Policy(folder, exists=True, faults=(_words(folder, error),))
    rows: list[PolicyRow] = []
    faults: list[str] = []
    for name in names:
        try:
            rows += _rows(folder / name, owners)
        except (NotUsable, OSError) as error:
            faults.append(_words(folder / name, error))
    return Policy(folder, exists=True, rows=tuple(rows), files=tuple(names), faults=tuple(faults))


def _gone(folder: Path, required: Path) -> str:
    return (
        f"there is no {folder}, and this host was joined with --policy, so it allows nothing without one:"
        f" put it back, or allow everything by removing {required} and restarting the agent"
    )


def _words(path: Path, error: Exception) -> str:
    return f"{path} cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)


def _must_be_trusted(path: str, seen: os.stat_result, is_right: Any, noun: str, owners: Collection[int]) -> None:
    if not is_right(seen.st_mode):
        raise NotUsable(f"{path} is not {noun}: a link or a device is not followed")
    if seen.st_uid not in owners:
        raise NotUsable(f"{path} does not belong to root: chown root {path}")
    if seen.st_mode & _OTHERS_MAY_WRITE:
        raise NotUsable(f"{path} may be written by others than root: chmod go-w {path}")


def _rows(path: Path, owners: Collection[int]) -> list[PolicyRow]:
    # Not at the top: most hosts have no policy, and need no parser.
    import tomllib

    try:
        given = tomllib.loads(_text(path, owners))
    except (ValueError, RecursionError) as error:  # not UTF-8, and no TOML, are ValueErrors
        raise NotUsable(f"{path} is not understood: {error}") from error
    return list(_read(path, given))


def _text(path: Path, owners: Collection[int]) -> str:
    _must_be_trusted(str(path), os.lstat(path), stat.S_ISREG, "a plain file", owners)
    # It may be another by now: what is opened is looked at again, without waiting for whoever writes into a FIFO.
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(file, "rb") as stream:
        _must_be_trusted(str(path), os.fstat(file), stat.S_ISREG, "a plain file", owners)
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise NotUsable(f"{path} is larger than {MOST_BYTES // 1024} KiB: say it in fewer patterns")
    return content.decode()


def _read(path: Path, given: Mapping[str, Any]) -> Iterator[PolicyRow]:
    if odd := sorted(given.keys() - {"allow"}):
        raise NotUsable(f"{path} is not understood: `{odd[0]}` is no word of a policy; it has tables [[allow]]")
    rows = given.get("allow", [])
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise NotUsable(f"{path} is not understood: write [[allow]], with two brackets, for each row")
    for number, row in enumerate(rows, 1):
        yield _row(path, f"[[allow]] number {number}", row)


def _row(path: Path, which: str, row: Mapping[str, Any]) -> PolicyRow:
    if odd := sorted(row.keys() - {"namespaces", "kinds", *WORDS}):
        raise NotUsable(
            f"{path} is not understood: {which} says `{odd[0]}`; it may say namespaces, kinds, {', '.join(WORDS)}"
        )
    texts = {word: _texts(path, f"`{word}` of {which}", value) for word, value in row.items()}
    if not texts.get("namespaces"):
        raise NotUsable(f'{path} is not understood: {which} names no namespaces: namespaces = ["shop"]')
    patterns: dict[Word, tuple[str, ...]] = {word: texts[word] for word in WORDS if word in texts}
    for word, pattern in ((word, pattern) for word, found in patterns.items() for pattern in found):
        if why := pattern_fault(word, pattern):
            raise NotUsable(f"{path} is not understood: {pattern!r} in `{word}` of {which} {why}")
    if odd := sorted({*texts.get("kinds", ())} - _KINDS):
        raise NotUsable(
            f"{path} is not understood: {odd[0]!r} in `kinds` of {which} is none of {', '.join(sorted(_KINDS))}"
        )
    return PolicyRow(str(path), texts["namespaces"], patterns, texts.get("kinds"))


def _texts(path: Path, which: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise NotUsable(f'{path} is not understood: {which} is no list of texts, as ["one", "two"] is')
    return tuple(value)
