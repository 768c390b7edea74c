"""A scan of a file names the edits that no test notices."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from backstay_dev.mutants.bends import bends
from backstay_dev.mutants.scan import room_tests


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("a < b", ["(a <= b)"], id="a comparison takes in its border, or no longer"),
        pytest.param("a in b", ["(a not in b)"], id="membership is turned round"),
        pytest.param(
            "a and b", ["(a or b)", "(b)", "(a)"], id="of two conditions either is enough, or one is not asked"
        ),
        pytest.param(
            "x if a else y", ["x if (True) else y", "x if (False) else y"], id="a condition always or never holds"
        ),
        pytest.param("not a", ["(a)"], id="a not is dropped"),
        pytest.param("f(3)", ["f((4))", "f((2))"], id="a number is one more or less"),
        pytest.param("any(a)", ["(all(a))"], id="any is all"),
        pytest.param("if a:\n    b()\n    return", ["if (True):\n    b()\n    return"], id="one guard: always"),
        pytest.param('f"{a < b}"', [], id="a text is left as it is"),
        pytest.param("a < (\n  b\n)", ["(a <= b\n\n)"], id="lines after it stay where they are"),
        pytest.param("é = a < b", ["é = (a <= b)"], id="places are counted in bytes"),
    ],
)
def test_what_is_bent(source: str, expected: list[str]) -> None:
    assert [bend.text for bend in bends(source)][: len(expected) or None] == expected


def test_of_a_guard_that_does_something_the_return_is_dropped() -> None:
    assert "if a:\n    b()\n    pass" in [bend.text for bend in bends("if a:\n    b()\n    return")]


TOY = """
LIMIT = 3

def is_late(age):
    return age > LIMIT and age != 7

def first(ages):
    while True:
        if is_late(ages[0]):
            return ages[0]
        ages = ages[1:]
"""
TESTS = """
import sys
sys.path.insert(0, {folder!r})
import toy

def test_late():
    assert toy.is_late(4) and not toy.is_late(2) and not toy.is_late(7)

def test_first():
    assert toy.first([1, 5, 6]) == 5
"""


def test_a_scan_names_what_survives_and_what_it_could_not_try(tmp_path: Path) -> None:
    """What does not end is found; a number of the module is in no function that could be taken."""
    toy, test = tmp_path / "toy.py", tmp_path / "test_toy.py"
    toy.write_text(TOY)
    test.write_text(TESTS.format(folder=str(tmp_path)))
    argv = [
        sys.executable,
        "-m",
        "backstay_dev.mutants.scan",
        str(toy),
        "--tests",
        str(test),
        "--limit",
        "1",
        "-o",
        "json",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    (found,) = json.loads(done.stdout)
    assert done.returncode == 1, done.stderr
    assert [(each["line"], each["old"], each["new"]) for each in found["survivors"]] == [
        (5, "age > LIMIT", "age >= LIMIT"),
    ]
    assert (found["notTried"], toy.read_text()) == (2, TOY)


def test_the_tests_of_a_file_are_those_of_its_room_the_likeliest_first() -> None:
    tests = room_tests("operator/backstay_operator/planner/judge/budget.py")
    assert tests[0] == "tests/unit/planner/judge/test_budget.py"
    assert "tests/unit/planner/judge/test_storm.py" in tests
    assert room_tests("node-agent/backstay_agent/core/patience.py")[0] == "tests/unit/agent/core/test_patience.py"
