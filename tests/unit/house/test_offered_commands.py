"""A sentence of the product that offers a command offers one that exists, with options that it takes."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstay_testing.command_lines import fault
from backstay_testing.documents import ROOT, name_of

PRODUCT = [
    path
    for part in ("crds", "operator", "node-agent", "cli")
    for path in sorted((ROOT / part).rglob("*.py"))
    if "`" in path.read_text() and "backstay " in path.read_text()
]

_OFFERED = re.compile(r"`((?:kubectl )?backstay [^`]+)`")
_SAID = "said"
"""In place of what is known only when the sentence is made."""


def texts_of(tree: ast.AST) -> Iterator[str]:
    """Each string but those that only explain the code, with a word for each part that is put in."""
    within = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    within |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(one.value) if isinstance(one, ast.Constant) else _SAID for one in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in within:
            yield node.value


def wrong(text: str) -> list[str]:
    found = []
    for line in _OFFERED.findall(" ".join(text.split())):
        words = shlex.split(line.removeprefix("kubectl ").partition(" | ")[0])
        if words[1] in (_SAID, "…"):
            continue
        error = fault(words[1:])
        if error is not None and not (type(error).__name__ == "MissingParameter" and _is_a_name(words[1:])):
            found.append(f"{line}: {error}")
    return found


def _is_a_name(words: list[str]) -> bool:
    """Of a verb, and not a whole command line: `backstay host add` says what does it."""
    return len(words) <= 2 and all(re.fullmatch(r"[a-z-]+", word) and not word.startswith("-") for word in words)


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_a_command_that_is_offered_exists(path: Path) -> None:
    assert [one for text in texts_of(ast.parse(path.read_text())) for one in wrong(text)] == []


def test_a_wrong_one_would_be_found() -> None:
    tree = ast.parse('f"say so: `backstay fence {host} --confrim`"')
    assert [one for text in texts_of(tree) for one in wrong(text)] != []
