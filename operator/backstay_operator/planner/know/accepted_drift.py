"""What `backstay accept` has written: a person's word that a copy may be as it is, though it is not as the one that it is held against.

It is about two fingerprints, and holds as long as these are the two that are compared. Nothing has to be seen, kept or taken away for it to
end. Each word is a line of its own, and begins with whose it is, so that an admission policy can see that nobody speaks for another
(`charts/backstay/templates/admission-accept.yaml`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from backstay_api.objects.models import HAService
from backstay_api.objects.texts import read_json
from backstay_operator.planner.words import and_, elapsed_s, first_words

ACCEPT_ANNOTATION: Final = "backstay.dev/accept"
MOST_WORDS: Final = 32
"""Of one service. Further lines count for nothing."""
MOST_LINES: Final = 64
"""Of one service: what the admission policy lets stand there, empty lines and lines that are no word among them."""
MOST_TEXT: Final = 65_536
"""Characters of the annotation. The policy lets no more in, and a longer one is not read at all."""
TOO_LONG: Final = (
    f"the annotation {ACCEPT_ANNOTATION} is longer than {MOST_TEXT} characters, and nothing in it counts;"
    f" take it away with `kubectl annotate haservice NAME {ACCEPT_ANNOTATION}-`, and use `backstay accept`"
)
MOST_CHARS: Final = 1000
"""Of a reason, and of each other field."""

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{32}")
_NO_TEXT: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
"""What moves the cursor of a terminal, or turns the order of its characters."""


class ComparedCopy(NamedTuple):
    """One of the two."""

    host: str
    fingerprint: str


NO_COPY: Final = ComparedCopy("", "")


@dataclass(frozen=True)
class AcceptedDrift:
    """One word. Its fields are written in this order."""

    by: str
    """Who. An admission policy sees to it that nobody writes another's name."""
    at: str
    """When, by the clock of whoever wrote it."""
    instance: str
    """Name of the HAInstance: of several copies each is compared by itself."""
    resource: str
    host: str
    """Whose copy is not as it should be."""
    fingerprint: str
    """Of that copy."""
    than: str
    """The host whose copy it was held against."""
    reference: str
    """The fingerprint of that one. Who has the same is the same."""
    reason: str

    @property
    def line(self) -> str:
        """As it stands in the annotation."""
        return json.dumps(vars(self), ensure_ascii=False, separators=(",", ":"))

    @property
    def told(self) -> str:
        """For sentences: who, when and why."""
        return f"accepted by {first_words(self.by)} at {first_words(self.at)}{f': {first_words(self.reason)}' if self.reason else ''}"

    def holds(self, here: ComparedCopy, there: ComparedCopy) -> bool:
        """Whether it is about these two: the same difference, whichever of them runs the service."""
        mine = (self.host, self.fingerprint)
        return (mine == here and there.fingerprint == self.reference) or (
            mine == there and here.fingerprint == self.reference
        )

    def told_ended(self, here: ComparedCopy, there: ComparedCopy) -> str:
        """Why it does not hold for these two, where it was said of the first host."""
        return f"{self.ended(here, there)}, so what {first_words(self.by)} accepted at {first_words(self.at)} has ended"

    def ended(self, here: ComparedCopy, there: ComparedCopy) -> str:
        """Which of the two is another, in a sentence."""
        since = f"{there.host} has it otherwise since"
        than = since if there.host == self.than else f"{there.host} has it otherwise than {self.than} had"
        changed = [f"{here.host} has it otherwise since"] if here.fingerprint != self.fingerprint else []
        return and_([*changed, *([than] if there.fingerprint != self.reference else [])])


def fingerprint(uid: str, what: str, facts: Mapping[str, str]) -> str:
    """Of a copy: 32 hex digits over what hosts compare it by, another for each HAInstance and each thing.

    Content is none of it: what stands for that in the facts is as slow to guess as a password's hash, and so is this.
    """
    text = json.dumps([uid, what, sorted(facts.items())])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def words_of(service: HAService) -> Sequence[AcceptedDrift]:
    """Every word that can be read."""
    return [one for one in _read(service) if isinstance(one, AcceptedDrift)]


def words_about(service: HAService, instance: str, resource: str) -> Sequence[AcceptedDrift]:
    """Those about one resource of an instance."""
    return [one for one in words_of(service) if (one.instance, one.resource) == (instance, resource)]


def unreadable_words(service: HAService) -> Sequence[str]:
    """Of each line that is none, and counts for nothing, a sentence."""
    return [one for one in _read(service) if isinstance(one, str)]


def lines_of(service: HAService) -> Sequence[str]:
    """As they are written, one a word. Copies of one are one."""
    return list(_numbered(_text(service)))


def _text(service: HAService) -> str:
    return (service.metadata.annotations or {}).get(ACCEPT_ANNOTATION, "")


def _numbered(text: str) -> Mapping[str, int]:
    """Each line that is not empty, with the number of the first that is so."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if line:
            found.setdefault(line, number)
    return found


def _read(service: HAService) -> Sequence[AcceptedDrift | str]:
    text = _text(service)
    return [TOO_LONG] if len(text) > MOST_TEXT else _read_text(text)


@lru_cache(maxsize=1024)
def _read_text(text: str) -> Sequence[AcceptedDrift | str]:
    """Once, and not in each round for each host: it has not changed in most of them."""
    lines = list(_numbered(text).items())
    more = [f"of the annotation {ACCEPT_ANNOTATION} only {MOST_WORDS} lines count"] if lines[MOST_WORDS:] else []
    return (*(_read_line(number, line) for line, number in lines[:MOST_WORDS]), *more)


def _read_line(number: int, line: str) -> AcceptedDrift | str:
    try:
        word = AcceptedDrift(**read_json(line))
    except (ValueError, TypeError):
        word = None
    # Letter for letter as it is written here: a field that is there twice could have two names in it, one for the policy and one for us.
    return word if word is not None and _is_one(word) and word.line == line else _not_ours(number)


def _is_one(word: AcceptedDrift) -> bool:
    """Whether each field is what it may be: all of it comes before people's eyes."""
    if not all(isinstance(one, str) and len(one) <= MOST_CHARS for one in vars(word).values()):
        return False
    names = (word.instance, word.resource, word.host, word.than)
    return (
        all(_NAME.fullmatch(one) for one in names)
        and all(_FINGERPRINT.fullmatch(one) for one in (word.fingerprint, word.reference))
        and elapsed_s(word.at, word.at) is not None
        and not any(_NO_TEXT.search(one) for one in (word.by, word.reason))
    )


def readable(text: str) -> str:
    """Of what a person gives for a reason as much as is text, and no more than is read."""
    return first_words(_NO_TEXT.sub(" ", text), MOST_CHARS)


def _not_ours(number: int) -> str:
    return f"line {number} of the annotation {ACCEPT_ANNOTATION} cannot be read, and counts for nothing; use `backstay accept`"
