"""What CONTRIBUTING's lists name is there, and no list is longer than was promised; each decision says what else was looked at."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
LISTS = TEXT.partition("## What to touch when…")[2].partition("\n## ")[0]
# What stands for any name, as a list writes it.
ANY = {"<kind>": "command", "+topic.type": "*"}
DECISIONS = sorted((ROOT / "docs/adr").glob("0*.md"))


@cache
def tracked() -> tuple[str, ...]:
    rooms = (
        "crds",
        "operator",
        "node-agent",
        "cli",
        "dev",
        "tests",
        "docs",
        "models",
        "examples",
        "charts",
        "newsfragments",
    )
    return tuple(path.relative_to(ROOT).as_posix() for room in rooms for path in (ROOT / room).rglob("*"))


def paths_in(text: str) -> Iterator[str]:
    """What is written between backticks and is a path: it has a slash, or ends as a file does."""
    for quoted in re.findall(r"`([^`\n]+)`", text):
        if re.fullmatch(r"[\w.<>+*{},-]*(?:/[\w.<>+*{},-]*)+(?:::\w+)?|[\w<>*]+\.(?:py|md|toml)(?:::\w+)?", quoted):
            yield quoted


def wrong(quoted: str) -> str:
    """What is wrong with a path; empty if it is that of a file or folder, whole or as the end of one, and defines what it is said to."""
    path, _, name = quoted.partition("::")
    for written, stands_for in ANY.items():
        path = path.replace(written, stands_for)
    spelled_out = {each: _files(each) for each in _spelled_out(path)}
    if lost := [each for each, found in spelled_out.items() if not found]:
        return f"there is no {', '.join(lost)}"
    found = [one for files in spelled_out.values() for one in files]
    return "" if not name or any(name in _defined(ROOT / one) for one in found) else f"{path} defines no {name}"


def _spelled_out(path: str) -> list[str]:
    """`unit/{agent,api}` is two paths."""
    found = re.search(r"{([^}]+)}", path)
    return [path.replace(found[0], one) for one in found[1].split(",")] if found else [path]


def _files(path: str) -> list[str]:
    ends = re.compile(f"(?:.*/)?{re.escape(path.rstrip('/')).replace(re.escape('*'), '[^/]*')}")
    at_root = [path] if (ROOT / path).exists() and path else []
    return [*at_root, *(one for one in tracked() if ends.fullmatch(one))]


def _defined(file: Path) -> set[str]:
    nodes = ast.walk(ast.parse(file.read_text()))
    named = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return named | set(re.findall(r"^(\w+)(?:: [^=]*)? = ", file.read_text(), re.MULTILINE))


def test_every_path_that_is_named_is_there() -> None:
    named = list(paths_in(TEXT))
    assert len(named) > 60
    assert [why for each in named if (why := wrong(each))] == []


@pytest.mark.parametrize(
    "quoted",
    [
        "objects/models/services.py",
        "tests/e2e/test_wonders_*.py",
        "tell/status.py::_survive",
        "tests/unit/{agent,apis}",
        "judged.py",
        "exampled/",
    ],
)
def test_a_path_that_leads_nowhere_would_be_found(quoted: str) -> None:
    assert list(paths_in(f"see `{quoted}`.")) == [quoted] and wrong(quoted)


@pytest.mark.parametrize(
    ("what", "most"),
    [
        ("a new kind of resource comes", 4),
        ("a filter or a score joins placement", 4),
        ("a kind of evidence comes", 9),
        ("a mode comes", 9),
        ("a new thing the operator writes", 3),  # the third, what-if, only where the next plan decides otherwise by it
    ],
)
def test_no_list_names_more_files_of_the_product_than_was_promised(what: str, most: int) -> None:
    (section,) = re.findall(rf"^\*\*…{what}.*?(?=^\*\*…)", LISTS, re.MULTILINE | re.DOTALL)
    steps = re.findall(r"^\d+\. (.*?)(?=^\d+\. |\n\n)", section, re.MULTILINE | re.DOTALL) or [section]
    named = {path.partition("::")[0] for step in steps for path in paths_in(step)}
    product = {
        path for path in named if path.endswith(".py") and not path.startswith(("tests/", "dev/")) and path != "base.py"
    }
    assert 0 < len(product) <= most


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_says_what_else_was_looked_at_and_what_it_costs(path: Path) -> None:
    text = path.read_text()
    assert "*Looked at*:" in text and "*Consequence*" in text
