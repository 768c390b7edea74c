"""What is said of a copy so that two hosts find out where theirs differ: digests of lines or entries, or which one it is. Pure.

Digests are keyed by what only the two agents know (`core/exchange.py`): who reads them can neither guess a line nor see that two are alike.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Final

from backstay_agent.drivers.base import AskedParts, Parts

MOST_DIGESTS: Final = 256
_DIGEST_BYTES: Final = 4
_WORD: Final = re.compile(r"([A-Za-z_][\w.-]{0,62})(?:\s*[=:{]\s*|\s+)[^\s=]")


def digests(items: Sequence[bytes], asked: AskedParts, key: bytes) -> str:
    """Of as many groups as there is room for; empty where one item itself is asked for."""
    return "".join(_digests(items, asked, key)) if asked.each else ""


def _digests(items: Sequence[bytes], asked: AskedParts, key: bytes) -> Iterator[str]:
    over = min(len(items), asked.first + MOST_DIGESTS * asked.each)
    for start in range(asked.first, over, asked.each):
        digest = hashlib.blake2b(start.to_bytes(8, "big"), key=key, digest_size=_DIGEST_BYTES)
        for item in items[start : start + asked.each]:
            digest.update(len(item).to_bytes(8, "big") + item)
        yield digest.hexdigest()


def of_lines(path: str, lines: Sequence[bytes], asked: AskedParts, key: bytes, *, shows_words: bool) -> Parts:
    """What is said of a text."""
    facts = {"path": path}
    if not asked.each:
        line = lines[asked.first] if asked.first < len(lines) else b""
        word = first_word(line) if shows_words else ""
        facts |= {"line": str(asked.first + 1), **({"word": word} if word else {})}
    return Parts(count=len(lines), digests=digests(lines, asked, key), facts=facts)


def first_word(line: bytes) -> str:
    """What a line of a configuration is about, if it looks like that: a name, something between, and more. Never what stands alone."""
    found = _WORD.match(line[:256].decode(errors="replace").strip())
    return found[1] if found else ""
