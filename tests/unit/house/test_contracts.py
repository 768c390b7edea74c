"""The import contracts of `pyproject.toml` leave no module out: neither a new one of a room, nor one that calls itself pure."""

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]
PURE = next(set(one["source_modules"]) for one in CONTRACTS if one["name"].startswith("thought does no I/O"))
# "Pure, but for …" and "messages to bytes (pure), and a socket" are no such claims.
CLAIM = re.compile(r"\b[Pp]ure(?:[.:]| functions| judgements)")


def modules() -> dict[str, str]:
    """Of the product, by name: its docstring."""
    found = {}
    for folder in ("crds", "operator", "node-agent", "cli"):
        for path in (ROOT / folder).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT / folder).with_suffix("").parts)
            found[name] = ast.get_docstring(ast.parse(path.read_text())) or ""
    return found


def is_held_pure(module: str) -> bool:
    return any(module == one or module.startswith(f"{one}.") for one in PURE)


def test_what_calls_itself_pure_is_held_to_it() -> None:
    claiming = [name for name, text in modules().items() if CLAIM.search(text)]
    assert len(claiming) > 15 and [name for name in claiming if not is_held_pure(name)] == []


@pytest.mark.parametrize(
    "contract", [one for one in CONTRACTS if one["type"] == "layers"], ids=lambda one: one["name"][:40]
)
def test_the_layers_of_a_package_name_all_that_is_in_it(contract: dict[str, Any]) -> None:
    """The first contract is about the packages themselves, which `root_packages` lists."""
    roots = [name.strip() for layer in contract["layers"] for name in layer.split("|")]
    if "containers" not in contract:
        assert {name for name in modules() if "." not in name.removesuffix(".__init__")} == {
            f"{name}.__init__" for name in roots if name != "backstay_dev"
        }
    else:
        assert contract.get("exhaustive") is True
