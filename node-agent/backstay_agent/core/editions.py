"""What is done next about one file that Backstay brings to this host, decided from what is remembered, ordered and seen. Pure.

Nothing runs here: the edition that is ordered is put in place. The service runs here: another edition is put on trial, and what it ran
well with before comes back by itself when it is not well with it, whether anybody can be asked or not. Each decision follows from the
record on the disk and from what is seen, so an agent that is killed after any effect goes on where the last one was.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from backstay_api.objects import editions as words
from backstay_api.objects.editions import Edition as Edition
from backstay_api.objects.texts import clip

SOAK_S: Final = 30.0
"""So long what runs must be well with an edition before that counts as proven."""
MOST_WHY_CHARS: Final = 280
MOST_LINES: Final = 3
_WORDS: Final = "it said:"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """What must be remembered of one file; written before the effect that it names."""

    path: str
    editions: Mapping[str, Edition] = field(default_factory=dict)
    """By their IDs: all that may have to be in place here."""
    checked: tuple[str, ...] = ()
    """Of these, those that may be put in place: what was there, and what its program has called right."""
    good: str = ""
    """With which the service runs well here, or has been started; empty: it never ran here."""
    back: str = ""
    """What was in place before the one that is."""
    trial: str = ""
    """The one that what runs is tried with."""
    is_reverting: bool = False
    """What runs has still to be told that `good` is in place again."""
    refused: str = ""
    """The last that has failed here, and is not tried again."""
    why: str = ""
    """Why it is refused, in a sentence."""
    retried: str = ""
    """When a person last had what was refused tried again."""

    def with_edition(self, edition: Edition, *, is_checked: bool = False) -> FileRecord:
        known = (*self.checked, edition.id) if is_checked and edition.id not in self.checked else self.checked
        return replace(self, editions={**self.editions, edition.id: edition}, checked=known)

    def refusing(self, edition: str, why: str, *, is_reverting: bool = False) -> FileRecord:
        why = clip(" ".join(why.split()), MOST_WHY_CHARS)
        checked = tuple(one for one in self.checked if one != edition)
        return replace(self, refused=edition, why=why, trial="", is_reverting=is_reverting, checked=checked)

    def pruned(self, *needed: str) -> FileRecord:
        """Without the editions that nobody can want back."""
        kept = {self.good, self.back, self.trial, *needed}
        left = {one: edition for one, edition in self.editions.items() if one in kept}
        return replace(self, editions=left, checked=tuple(one for one in self.checked if one in left))

    def to_json(self) -> dict[str, Any]:
        """An agent of the release before knows no values of hosts and no second tries, and need not where there are none."""
        raw = asdict(self)
        if not self.retried:
            del raw["retried"]
        for edition in raw["editions"].values():
            if not edition["named"]:
                del edition["named"]
        return raw

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> FileRecord:
        """Raises TypeError, KeyError, AttributeError where it is none."""
        editions = {one: Edition(**edition) for one, edition in raw["editions"].items()}
        return cls(**{**raw, "editions": editions, "checked": tuple(raw["checked"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trying:
    """A trial, as far as this life of the agent knows it."""

    edition: str
    since_s: float
    """Since when it is in place and what runs has been told."""
    restarts: int
    """In place, until then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situated:
    """All that a decision is made from."""

    record: FileRecord
    target: Edition
    """What the manifest wants."""
    missing: str = ""
    """Why what shall be in that is not known here yet, in a sentence: nothing is made of it then. Empty: it is."""
    use: str
    """The edition that shall be in place."""
    there: Edition
    """What is in place."""
    runs: bool = False
    """The service runs here, or may."""
    is_well: bool = False
    """And it is well."""
    trouble: str = ""
    """And this is why it is not."""
    restarts: int = 0
    """In place, in its epoch."""
    trying: Trying | None = None
    soak_s: float | None = None
    """None: as always."""
    is_restarted: bool = False
    """What runs is restarted at the moment because that was asked for: nothing follows from its not being well."""
    was_cut_off: bool = False
    """Something else came between, when it was restarted for an edition: that it has to be started anew says nothing of that."""
    tries: str = ""
    """How it is told to try an edition, in words; empty: as always."""
    retried: str = ""
    """When a person last had what was refused tried again, as the manifest says it; empty: never."""
    now_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Note:
    """Remember this."""

    record: FileRecord


@dataclass(frozen=True, slots=True)
class Examine:
    """Let its program say whether the edition is right."""

    edition: str


@dataclass(frozen=True, slots=True)
class Put:
    """Put it in place."""

    edition: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Reload what runs."""

    edition: str


def without_words(why: str, paths: Collection[str]) -> str:
    """What a program has said against a file, where a secret is among those that it has read: its exit code, and lines of these files."""
    code = re.search(r"\bexited with \d{1,3}\b", why.partition(_WORDS)[0])
    lines = [
        f"{path}:{found[1]}"
        for path in sorted(paths)
        for found in re.finditer(rf"{re.escape(path)}:(\d{{1,6}})\b", why)
    ]
    where = f", at {' and '.join(dict.fromkeys(lines[:MOST_LINES]))}" if lines else ""
    ended = code[0] if code is not None else "did not call it right"
    return f"what checks it {ended}{where}; its words are not told, for a file from a Secret is among what it has read"


Act = Note | Examine | Put | Tell


def in_place(view: Situated) -> str:
    """Which edition that is; empty: none that is known here."""
    first = (view.record.trial, view.use, view.record.good, *view.record.editions)
    known = (one for one in first if one in view.record.editions)
    return next((one for one in known if view.record.editions[one].is_seen_in(view.there)), "")


def next_act(view: Situated) -> Act | None:
    """What is done next; None: nothing, before something changes or time passes."""
    if not view.record.editions:
        return Note(_adopted(view)) if not view.missing else None
    found = _where_it_runs(view) if view.runs else _where_nothing_runs(view)
    return found or (_staging(view) if not view.missing else None)


def _adopted(view: Situated) -> FileRecord:
    """What is there when we first come is kept for the way back, and is right as it is."""
    is_wanted = view.target.is_seen_in(view.there)
    found = view.target if is_wanted else view.there
    record = view.record.with_edition(found, is_checked=not is_wanted or view.runs)
    return replace(record, good=found.id if view.runs else "", back=found.id)


def _where_nothing_runs(view: Situated) -> Act | None:
    record, here = view.record, in_place(view)
    if record.trial:
        return Note(record.refusing(record.trial, "the service left this host while it was on trial"))
    if record.is_reverting or record.good:
        return Note(replace(record, is_reverting=False, good=""))
    if view.use in record.checked and here != view.use:
        return Put(view.use)
    return None


def _where_it_runs(view: Situated) -> Act | None:
    record, here = view.record, in_place(view)
    if not record.good:
        return Note(replace(record, good=here)) if here else None
    if record.is_reverting:
        return Tell(record.good) if _is_good_there(view) else Put(record.good)
    if record.trial:
        return _on_trial(view, here)
    is_next = view.use != record.good and view.use in record.checked and view.use != record.refused
    return Note(replace(record, trial=view.use)) if is_next and view.is_well and _is_good_there(view) else None


def before_a_start(view: Situated) -> Note | Put | None:
    """What is done next before what has run here in this epoch is started anew: it does not begin with what has failed. None: it may begin."""
    record, here = view.record, in_place(view)
    if record.trial and view.was_cut_off:
        return Note(replace(record, trial="", is_reverting=True))
    if record.trial:
        return Note(record.refusing(record.trial, "the service was not well with it, and had to be started anew"))
    before = record.good or record.back
    if before not in record.editions or record.editions[before].is_seen_in(view.there):
        return Note(replace(record, is_reverting=False)) if record.is_reverting else None
    has_failed = bool(here) and here == record.refused
    return Put(before) if has_failed or record.is_reverting else None


def _is_good_there(view: Situated) -> bool:
    """Another edition can come to the very bytes and rights: then both are in place."""
    good = view.record.editions.get(view.record.good)
    return good is not None and good.is_seen_in(view.there)


def _on_trial(view: Situated, here: str) -> Act | None:
    record, trying = view.record, view.trying
    if view.use != record.trial:  # it is not wanted any more
        return Note(replace(record, trial="", is_reverting=True))
    if here != record.trial:
        return Put(record.trial)
    if trying is None or trying.edition != record.trial:
        return Tell(record.trial)
    if view.is_restarted:
        return None
    if view.restarts > trying.restarts or not view.is_well:
        why = view.trouble or "it failed, and was restarted"
        return Note(record.refusing(record.trial, f"the service was not well with it: {why}", is_reverting=True))
    if view.now_s - trying.since_s >= (SOAK_S if view.soak_s is None else view.soak_s):
        return Note(replace(record, good=record.trial, trial="", back=record.good))
    return None


def _staging(view: Situated) -> Act | None:
    record, target = view.record, view.target
    if view.retried not in ("", record.retried):
        return Note(replace(record, refused="", why="", retried=view.retried))
    if record.refused and record.refused != target.id:
        return Note(replace(record, refused="", why=""))
    if target.id not in record.editions:
        return Note(record.pruned(view.use, in_place(view)).with_edition(target))
    if target.id not in (*record.checked, record.refused):
        return Examine(target.id)
    return None


def facts_of(view: Situated, *, trouble: str = "") -> dict[str, str]:
    """What other hosts are compared by, and what the operator goes by."""
    record, here = view.record, in_place(view)
    edition = record.good if view.runs and record.good else here
    said = {
        words.EDITION: edition,
        words.STAGED: " ".join(sorted(record.checked)),
        words.TRIAL: record.trial,
        words.REFUSED: record.refused,
        words.WHY_REFUSED: trouble or record.why,
        words.TRIES: view.tries,
        words.RETRIED: record.retried,
    }
    return {name: fact for name, fact in said.items() if fact}


def fault_of(view: Situated) -> str:
    """Why this host could not run the service as the file is here, in a sentence; empty: it could."""
    record, here = view.record, in_place(view)
    if view.use == record.refused and here != view.use:
        return f"{record.path} is not taken: {record.why}"
    if not here and record.editions:
        return f"{record.path} is no edition of the manifest: somebody has edited it on this host"
    return "" if record.editions and not _is_still_to_come(view, here) else f"{record.path} is not in place yet"


def _is_still_to_come(view: Situated, here: str) -> bool:
    """A start here would fail for want of it, and what is there was never right for this service: that there is no file, or some other."""
    if view.runs or view.use in (here, words.KEEP):
        return False
    return view.use not in view.record.checked or view.record.editions[here].content is None
