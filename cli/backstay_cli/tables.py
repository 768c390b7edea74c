"""Answers for people: columns as kubectl writes them, in colour only on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from backstay_operator.planner.words import elapsed_s

_STYLES: Final = {
    **dict.fromkeys(("True", "Running", "holder", "Live"), "green"),
    **dict.fromkeys(("False", "Failed", "Silent", "Sealed", "Waiting"), "red"),
    **dict.fromkeys(
        ("Unknown", "Starting", "Stopping", "Recovering", "Drain", "Cordon", "HandsOff", "Suspect"), "yellow"
    ),
}


def table(console: Console, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """One line a row; every column but the last is padded."""
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads) - 1)]
    console.print(_line([Text(head, style="bold") for head in heads], widths))
    for row in rows:
        console.print(_line([Text(cell, style=_STYLES.get(cell, "")) for cell in row], widths))


def _line(cells: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text()
    for number, cell in enumerate(cells):
        line.append_text(cell)
        if number < len(widths):
            line.append(" " * (widths[number] - len(cell) + 3))
    line.rstrip()
    return line


def age(since: str | None, now: str) -> str:
    """How long ago, as kubectl says it: 45s, 3m, 2h, 5d."""
    seconds = elapsed_s(since, now) if since else None
    if seconds is None:
        return "-"
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{letter}"
    return f"{max(0, int(seconds))}s"
