"""What found each mutant when all were last tried (`found.tsv`): tried first the next time, so that a whole round takes minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from .catalogue import MUTANTS
from .judge import Verdict

FOUND: Final = Path(__file__).with_name("found.tsv")


def known() -> dict[str, str]:
    """What found it last, by the sentence that it bends."""
    lines = FOUND.read_text().splitlines()[1:] if FOUND.exists() else []
    return {sentence: finder for sentence, _, finder in (line.partition("\t") for line in lines)}


def record(verdict: Verdict) -> None:
    """Keep what found it. What survived is struck out, and what is in no catalogue any more goes."""
    found = known() | {verdict.mutant.sentence: verdict.found_by}
    rows = [(mutant.sentence, finder) for mutant in MUTANTS if (finder := found.get(mutant.sentence))]
    FOUND.write_text("".join(f"{sentence}\t{finder}\n" for sentence, finder in (("sentence", "found by"), *rows)))
