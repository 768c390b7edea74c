"""Conditions and asserts of a unit, asked before a start instead of found out by one: systemd itself judges them."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

LIMIT_S: Final = 5.0
_MOST: Final = 64


def written(properties: Mapping[str, Any], *, without: str) -> list[str]:
    """The unit's conditions and asserts as they stand in its file; `without` our own, which looks at this path."""
    found = [
        f"{name}={'|' if trigger else ''}{'!' if negated else ''}{parameter}"
        for listed in ("Conditions", "Asserts")
        for name, trigger, negated, parameter, *_ in properties.get(listed, [])
        if parameter != without
    ]
    return found[:_MOST]


async def failing(unit: str, conditions: list[str]) -> str | None:
    """Why systemd would skip or refuse a start now, in a sentence; None if it would not, or cannot be asked."""
    if not conditions:
        return None
    try:
        process = await asyncio.create_subprocess_exec(
            "systemd-analyze", "condition", *conditions, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(LIMIT_S):
            _, said = await process.communicate()
    except TimeoutError:
        return f"{unit}: {' and '.join(conditions)[:500]} cannot be told: the file system that it asks does not answer"
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    return _why(unit, said.decode(errors="replace"), conditions)


def _why(unit: str, said: str, conditions: list[str]) -> str | None:
    if "Conditions failed." not in said and "Asserts failed." not in said:
        return None
    failed = [one for one in conditions if f"{one} failed" in said]
    return f"{unit} would not start: {' and '.join(failed or conditions)[:500]} does not hold on this host"
