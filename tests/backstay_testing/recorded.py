"""Texts that a test lives through and records: a file has several, each begins with a title."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HEAD: Final = "== "


@dataclass(frozen=True)
class Recorded:
    """One text of a file, from its title to the next one's."""

    path: Path
    text: str

    @property
    def title(self) -> str:
        return self.text.splitlines()[0].removeprefix(HEAD)

    def check(self, again: Callable[[str], str], *, rewrite: bool) -> None:
        """It comes out as it was recorded; `rewrite`: what comes out is recorded."""
        text = again(self.text)
        if rewrite:
            self.path.write_text(self.path.read_text().replace(self.text, text))
            return
        difference = difflib.unified_diff(self.text.splitlines(), text.splitlines(), "recorded", "now", lineterm="")
        assert text == self.text, "\n".join(difference)


def recorded_in(folder: Path) -> Iterator[Recorded]:
    """All of them, file by file."""
    for path in sorted(folder.glob("*.txt")):
        parts = re.split(f"^(?={HEAD})", path.read_text(), flags=re.MULTILINE)
        yield from (Recorded(path, part) for part in parts if part.startswith(HEAD))
