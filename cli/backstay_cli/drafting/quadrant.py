"""How much data there is and how often it changes, and which way of having it twice follows from that."""

from __future__ import annotations

from typing import Final

from backstay_api.objects.survey import TreeFacts

LITTLE_BYTES: Final = 64 * 1024 * 1024
LITTLE_FILES: Final = 2000
RARE_SHARE: Final = 0.01
"""At most this part of the bytes is younger than a day, and none younger than an hour."""


def is_little(tree: TreeFacts) -> bool:
    """What is cut may be more than was counted."""
    return not tree.is_cut and tree.bytes <= LITTLE_BYTES and tree.files <= LITTLE_FILES


def limits(tree: TreeFacts) -> dict[str, int]:
    """What a `path` must allow that holds more than it may by default, with room to grow."""
    files = {"maxFiles": 2 * tree.files} if tree.files > LITTLE_FILES else {}
    return {**files, **({"maxBytes": 2 * tree.bytes} if tree.bytes > LITTLE_BYTES else {})}


def is_rare(tree: TreeFacts) -> bool:
    """Whether it changes rarely."""
    return tree.young_hour == 0 and tree.young_day <= RARE_SHARE * tree.bytes


def technique(tree: TreeFacts) -> str:
    """What is usually done with so much that changes so often."""
    if is_rare(tree):
        return (
            "little, rarely changed: copy it, or make a package of it"
            if is_little(tree)
            else "much, rarely changed: copy it with rsync, or make a package of it"
        )
    return (
        "little, often changed: copy it every minute, and bear the loss of one"
        if is_little(tree)
        else "much, often changed: share the disk, or replicate it"
    )


def amount(tree: TreeFacts | None) -> str:
    """In words; `at least` where not all was counted."""
    if tree is None:
        return "its size was not looked at"
    least = "at least " if tree.is_cut else ""
    young = f"{_bytes(tree.young_hour)} younger than 1 h, {_bytes(tree.young_day)} younger than 24 h"
    return f"{least}{_bytes(tree.bytes)} in {tree.files} files, {young}"


def _bytes(number: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 10 else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"
