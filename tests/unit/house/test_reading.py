"""What the code says to people is explained on the pages: each condition, each Event, each number."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from backstay_dev.mutants.catalogue import MUTANTS

ROOT = Path(__file__).parents[3]


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


PLANNER = ROOT / "operator" / "backstay_operator" / "planner"


def literals(called: str, argument: int) -> set[str]:
    """What the planner gives as this argument to calls of that name, where it is one word of text."""
    calls = (node for path in sorted(PLANNER.rglob("*.py")) for node in ast.walk(ast.parse(path.read_text())))
    given = (
        node.args[argument]
        for node in calls
        if isinstance(node, ast.Call) and ast.unparse(node.func) == called and len(node.args) > argument
    )
    either = (one for node in given for one in ((node.body, node.orelse) if isinstance(node, ast.IfExp) else (node,)))
    return {str(word.value) for word in either if isinstance(word, ast.Constant) and word.value}


def test_every_condition_is_explained() -> None:
    told = page("how-to/reading.md")
    kinds = literals("Finding", 0)
    assert {"Degraded", "UnitsHeld", "FencingReady"} <= kinds, "they are found in the code"
    assert {kind for kind in kinds if f"| {kind} | " not in told} == set()


def test_the_number_of_mutants_is_told_as_it_is() -> None:
    told = re.search(r"in some (\d+) ways", page("explanation/simulator.md"))
    assert told and abs(int(told[1]) - len(MUTANTS)) <= 25


def test_what_is_generated_says_from_what() -> None:
    heads = [path.read_text()[:300] for path in (ROOT / "docs" / "reference").glob("*.md")]
    sources = {source for head in heads for source in re.findall(r"Generated from (\S+) by", head)}
    assert sources and {source for source in sources if not (ROOT / source).exists()} == set()
