"""The page on security names each of the 52 attempts once, and a test that is there, or why there is none."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[2]
PAGE = (TESTS.parent / "docs/explanation/security.md").read_text()
ROWS = {int(row[1]): row[0] for row in re.finditer(r"^\| (\d+) \|.*$", PAGE, re.MULTILINE)}
TEST = re.compile(r"`((?:\w+/)+test_\w+\.py)(?:::(\w+))?`")


def is_there(file: str, name: str) -> bool:
    path = TESTS / file
    if not path.is_file():
        return False
    return not name or name in {getattr(node, "name", "") for node in ast.parse(path.read_text()).body}


def test_every_attempt_has_its_row() -> None:
    assert sorted(ROWS) == list(range(1, 53)) and len(re.findall(r"^\| \d+ \|", PAGE, re.MULTILINE)) == 52


@pytest.mark.parametrize("number", sorted(ROWS))
def test_each_row_names_tests_that_are_there_or_says_why_not(number: int) -> None:
    attempt, refused_by, how = (cell.strip() for cell in ROWS[number].strip("| ").split(" | ")[1:])
    named = TEST.findall(how)
    assert attempt and [found for found in named if not is_there(*found)] == []
    assert named or (refused_by == "–" and len(how.split()) > 1), "without a test it is said why"


def test_a_test_that_is_gone_would_be_missed() -> None:
    assert not is_there("contract/test_negatives.py", "test_gone") and not is_there("contract/test_gone.py", "")
