"""Amounts as Kubernetes writes them: `500m`, `2`, `4Gi`, `1e3`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from typing import Final

QUANTITY: Final = "[0-9]{1,18}([.][0-9]{1,9})?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][0-9]{1,2})?"
"""What an amount looks like: never negative."""
LARGEST: Final = 10**15
"""Of amounts that are written as plain numbers."""
_UNITS: Final = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_AMOUNT: Final = re.compile("([0-9]+(?:[.][0-9]+)?)(.*)", re.DOTALL)


def is_quantity(said: int | str) -> bool:
    """Whether it is one."""
    return 0 <= said <= LARGEST if isinstance(said, int) else re.fullmatch(QUANTITY, said) is not None


@lru_cache(maxsize=4096)
def amount(said: int | str) -> Fraction | None:
    """How much it is, exactly; None: it is no amount."""
    found = _AMOUNT.fullmatch(str(said)) if is_quantity(said) else None
    if found is None:
        return None
    number, unit = Fraction(found[1]), found[2]
    if unit == "m":
        return number / 1000
    if unit[:1] in ("e", "E") and unit[1:].isdigit():
        return number * Fraction(10) ** int(unit[1:])
    return number * Fraction(1024 if unit.endswith("i") else 1000) ** _UNITS[unit.removesuffix("i")]


def total(amounts: Iterable[Fraction]) -> Fraction:
    return sum(amounts, Fraction(0))


def written(much: Fraction) -> str:
    """As people would write it: `4Gi`, `1500m`, `3`."""
    if much.denominator != 1:
        return f"{round(much * 1000)}m"
    for power, unit in ((6, "Ei"), (5, "Pi"), (4, "Ti"), (3, "Gi"), (2, "Mi"), (1, "Ki")):
        if much and much % 1024**power == 0:
            return f"{much // 1024**power}{unit}"
    return str(much)
