"""Looks at a folder with all that is in it: what it is compared with other hosts by."""

from __future__ import annotations

import hashlib
from functools import lru_cache, partial
from typing import Final

from backstay_api.objects.plain import Tree

from .base import AskedParts, Observed, Parts
from .tools.lines import lines_of
from .tools.parts import digests
from .tools.prerequisite_looks import look_or
from .tools.regular_files import fingerprint
from .tools.trees import Entry, listed

ANSWER_S: Final = 10.0
"""Some seconds of reading, and its last file, on a slow disk."""


class PathLooks:
    """`base.Looker` at folders."""

    async def __call__(self, spec: Tree, salt: str) -> Observed:
        how = partial(look_at_tree, spec, salt)
        return await look_or(Observed, f"{spec.path} (folder)", how, limit_s=ANSWER_S, asked=(spec, salt))


async def parts_of_tree(spec: Tree, asked: AskedParts, key: bytes) -> Parts:
    """`base.TellsParts` of a folder."""
    how = partial(look_into_tree, spec, asked, key)
    return await look_or(Parts, f"{spec.path} (entries)", how, limit_s=ANSWER_S, asked=(spec, asked, key))


def look_into_tree(spec: Tree, asked: AskedParts, key: bytes) -> Parts:
    """What is said of its entries, or of the lines of one that is a file, by the process that looks. Raises Unfit."""
    entries = listed(spec)
    if asked.below:
        if any(one.path == asked.below and one.type == "file" for one in entries):
            return lines_of(f"{spec.path}/{asked.below}", asked, key)
        return Parts(f"{spec.path}/{asked.below} is no file any more")
    one = entries[asked.first] if not asked.each and asked.first < len(entries) else None
    facts = _facts(spec.path, one) if one else {}
    return Parts(count=len(entries), digests=digests([each.line for each in entries], asked, key), facts=facts)


def _facts(top: str, one: Entry) -> dict[str, str]:
    path = top if one.path == "." else f"{top}/{one.path}"
    return {
        "path": path,
        "below": one.path,
        "type": one.type,
        "mode": one.mode,
        "owner": one.owner,
        "group": one.group,
    }


def look_at_tree(spec: Tree, salt: str) -> Observed:
    """What is seen of it, by the process that looks. Raises Unfit."""
    entries = listed(spec)
    # No field is empty or has a zero in it: no two trees have the same list.
    whole = hashlib.sha512(b"\0\0".join(one.line for one in entries)).digest()
    return Observed("", {"content": _fingerprint(whole, salt), "entries": str(len(entries))})


@lru_cache(maxsize=256)
def _fingerprint(whole: bytes, salt: str) -> str:
    """It is slow on purpose, and most trees are as they were ten seconds ago."""
    return fingerprint(whole, salt)
