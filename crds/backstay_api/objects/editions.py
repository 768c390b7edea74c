"""Editions of a file that Backstay brings to hosts: how they are told apart, and what hosts say of them. Standard library only.

An edition is what a manifest said of a file once: its content, owner, group and mode. It never changes; another content is another one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .bounds import MOST_CONTENT_CHARS

EDITION: Final = "edition"
"""A fact: what a start there would go with. Where the service runs, what it is proven with: one on trial is not that yet."""
STAGED: Final = "staged"
"""A fact: all editions that could be in place there at once, checked, with blanks between."""
TRIAL: Final = "trial"
"""A fact: the edition that what runs there is just being tried with."""
REFUSED: Final = "refused"
"""A fact: the edition that has failed there; and why, in a sentence (`WHY_REFUSED`)."""
WHY_REFUSED: Final = "why"
TRIES: Final = "tries"
"""A fact: how another edition is tried there, where its agent has been told that and can do it (`tried_by`)."""
RETRIED: Final = "retried"
"""A fact: when a person had what was refused tried again, as the manifest says it; what was refused there before is forgotten."""
ASIDE: Final = (STAGED, TRIAL, REFUSED, WHY_REFUSED, TRIES, RETRIED)
"""What hosts say of editions beside what they are compared by."""


LEFT_OUT: Final = "backstay.dev/left-out"
"""Annotation of a host's Secret: names of contents for which there is no room in it, with blanks between."""
KEEP: Final = "0" * 32
"""Instead of an edition that shall be in place: whatever is there stays."""

_MOST_NAMED: Final = 40
_MODE_OF_SECRETS: Final = "0600"
_TEMPLATE, _SECRET = "template", "secret"
_VALUE: Final = re.compile(r"\{\{([^{}\n]*)\}\}")


@dataclass(frozen=True, slots=True)
class Edition:
    """A file as it was, or shall be. None: as it happens to be; of the content: there is no file."""

    content: str | None = None
    """Bytes that are no UTF-8 are escaped as surrogates."""
    owner: str | None = None
    group: str | None = None
    mode: str | None = None
    named: str = ""
    """Of which edition this is what it comes to on this host, where a manifest has values of hosts in it."""

    @property
    def id(self) -> str:
        return self.named or edition_of(self.content, self.owner, self.group, self.mode)

    @property
    def is_for_all(self) -> bool:
        """Whether everybody there may read it; or there is nothing to read."""
        return self.content is None or bool(self.mode and int(self.mode, 8) & 0o004)

    def is_seen_in(self, there: Edition) -> bool:
        """Whether what is there is this."""
        pairs = ((self.owner, there.owner), (self.group, there.group), (self.mode, there.mode))
        return self.content == there.content and all(said in (None, seen) for said, seen in pairs)


def is_brought(file: Any) -> bool:
    """Whether Backstay brings it there; else it is only looked at."""
    return getattr(file, "content", None) is not None or is_referred(file) or is_secret(file)


def is_referred(file: Any) -> bool:
    """Whether its content stands in another object than the manifest, whatever that says now."""
    return any(getattr(file, ref, None) is not None for ref in ("config_map_key_ref", "secret_key_ref"))


def is_secret(file: Any) -> bool:
    """Whether its content comes from a Secret: then only its name is ever told, under which a host finds it in a Secret of its own."""
    return bool(getattr(file, "secret", "")) or getattr(file, "secret_key_ref", None) is not None


def mode_of(file: Any) -> str | None:
    """The permissions that it is put there with; None: as they happen to be."""
    return file.mode or (_MODE_OF_SECRETS if is_secret(file) else None)


def edition_id(file: Any) -> str:
    """Which edition of it a manifest wants, whose content is known. Of the same path: 128 bits, no two are the same by chance."""
    if secret := getattr(file, "secret", ""):
        return edition_of(secret, file.owner, file.group, mode_of(file), more=_SECRET)
    assert file.content is not None, f"{file.path}: its content is not known"
    return edition_of(file.content, file.owner, file.group, file.mode, more=_TEMPLATE if file.template else "")


def edition_of(content: str | None, owner: str | None, group: str | None, mode: str | None, *, more: str = "") -> str:
    """The same of its parts. Content None: that there is no file. `more`: what the content is, where it is not what is in the file."""
    parts = [content, owner, group, mode, *([more] if more else [])]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def secret_edition(file: Any, content: str) -> Edition:
    """What a manifest wants of a file from a Secret, whose content the host has found under its name."""
    return Edition(content, file.owner, file.group, mode_of(file), edition_id(file))


def edition_on(file: Any, host: str) -> Edition:
    """What a manifest wants, as it comes to be on the host of this name; of one from a Secret see `secret_edition`."""
    if not file.template:
        return Edition(file.content, file.owner, file.group, file.mode)
    content = _VALUE.sub(lambda found: _values(host).get(found[1].strip(), found[0]), file.content)
    return Edition(content, file.owner, file.group, file.mode, edition_id(file))


def _values(host: str) -> Mapping[str, str]:
    """What a content can have of a host. It must not change while the host is there: nobody would bring the file anew."""
    return {"host.name": host}


def tried_by(rollout: Any) -> str:
    """How an edition is tried where the service runs, as hosts say that they do; empty: as always, which every agent can."""
    if rollout is None:
        return ""
    said = "restart" if rollout.restart else "", f"soak {rollout.soak}" if rollout.soak else ""
    return ", ".join(filter(None, said))


def staged(facts: Mapping[str, str]) -> frozenset[str]:
    """Which editions could be in place there at once."""
    return frozenset(facts.get(STAGED, "").split())


def could_be(here: Mapping[str, str], there: Mapping[str, str]) -> Mapping[str, str]:
    """What a host has, with that edition in place which another has, if it could be: it swaps the two before it starts."""
    wanted = there.get(EDITION)
    return {**here, EDITION: wanted} if wanted and wanted in staged(here) else here


def compared(facts: Mapping[str, str]) -> dict[str, str]:
    """Of what a host says, what others are compared by."""
    return {name: fact for name, fact in facts.items() if name not in ASIDE}


_CONTENTS: Final = {"content": "content", "config_map_key_ref": "configMapKeyRef", "secret_key_ref": "secretKeyRef"}


def fault_of_content(file: Any) -> str:
    """The field, a colon, and why such a file cannot be brought to hosts; empty if it can, or is only looked at."""
    if not is_brought(file):
        given = next((one for one in ("validate_with", "reload", "template") if getattr(file, one, None)), "")
        return f"{given.removesuffix('_with')}: goes with content, which is not given" if given else ""
    several = [word for field, word in _CONTENTS.items() if getattr(file, field, None) is not None]
    if len(several) > 1:
        return f"{several[-1]}: {several[0]} is given too: leave one of them out"
    if is_secret(file) and file.template:
        return "template: is not supported yet with secretKeyRef: leave it out"
    if file.sha256 is not None:
        return "sha256: is that of content anyway: leave it out"
    if why := fault_of_text(file.content or "", template=bool(file.template)):
        return f"content: {why}"
    if file.validate_with and not file.validate_with[0].startswith("/"):
        return "validate: begins with no absolute path"
    if file.mode is not None and int(file.mode, 8) & 0o6000:
        return f"mode: {file.mode} lets whoever runs it be somebody else, and no file that is brought may do that"
    if any(char in file.path for char in ":% \t\\\"'"):
        return "path: has a character that no file which is brought may have: one of : % \\ ' \" or a blank"
    return ""


def fault_of_text(content: str, *, template: bool = False) -> str:
    """Why this cannot be in a file that is brought, as what follows its name; empty if it can."""
    unknown = [found for found in _VALUE.findall(content) if found.strip() not in _values("")] if template else []
    if unknown:
        there = ", ".join(f"{{{{ {name} }}}}" for name in _values(""))
        return f"has {{{{{_shortened(unknown[0])}}}}} in it, and of a host there is {there} alone"
    if "\0" in content:
        return "has a NUL in it, and no text has one"
    if len(content) > MOST_CONTENT_CHARS:
        return f"has {len(content)} characters, and a file that is brought may have {MOST_CONTENT_CHARS}"
    return ""


def _shortened(text: str) -> str:
    """What stands between braces; a content may have thousands of characters there, and the rest of a sentence is wanted too."""
    return text if len(text) <= _MOST_NAMED else f"{text[:_MOST_NAMED]}… "


def name_of_secret(key: bytes, namespace: str, content: str) -> str:
    """How a content of a Secret is called wherever others may read: the same for the same one of a namespace. Without the key there is
    nothing to guess it by, nor to hold a Secret of one's own in another namespace against."""
    return hmac.new(key, f"{namespace}\0{content}".encode(), hashlib.sha256).hexdigest()[:32]


def told_bytes(contents: Iterable[str]) -> int:
    """How much these are as hosts are told them."""
    return sum(len(json.dumps(content, ensure_ascii=False).encode()) for content in contents)
