"""The models behind docs/protocol.md that are written in Python: each rule that stands there is needed, and all of them suffice.

Those written in C++ are compiled and run by `make models`.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

MODELS = Path(__file__).parents[3] / "models"
sys.path.insert(0, str(MODELS))


def rows() -> list[Any]:
    found = [
        (name, row)
        for name in ("claims", "giving_back", "machines", "passed_over", "units")
        for row in importlib.import_module(name).ROWS
    ]
    return [pytest.param(row, id=f"{name}: {row.name}") for name, row in found]


@pytest.mark.parametrize("row", rows())
def test_every_variant_of_the_protocol_is_as_safe_as_the_model_says(row: Any) -> None:
    result = row.result()
    assert result.safe == row.safe, "; ".join(result.trace) or f"no bad state among {result.states}"
