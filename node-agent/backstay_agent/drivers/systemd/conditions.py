"""Conditions and asserts of a unit, asked before a start instead of found out by one: systemd itself judges them."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from backstay_agent.drivers.tools.file_system_looks import NoAnswer, look
from backstay_agent.drivers.tools.programs import may_come
from backstay_agent.drivers.tools.sentences import does_not_hold
from backstay_agent.drivers.tools.service_mounts import comes_with_it

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
    """Why systemd would skip or refuse a start now, in a sentence, or why nobody can say; None if it would not."""
    if not conditions:
        return None
    try:
        process = await asyncio.create_subprocess_exec(
            "systemd-analyze", "condition", *conditions, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE
        )
    except OSError as error:
        return f"{unit}: its conditions cannot be told: systemd-analyze cannot be run ({error.strerror})"
    try:
        async with asyncio.timeout(LIMIT_S):
            _, said = await process.communicate()
    except TimeoutError:
        return f"{unit}: {' and '.join(conditions)[:500]} cannot be told: the file system that it asks does not answer"
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    failed = _failed(said.decode(errors="replace"), conditions)
    coming = [one for one in failed if comes_with_it(_path(one))]
    try:
        failed = await look(f"/ (conditions of {unit})", partial(for_certain, failed, coming)) if failed else []
    except NoAnswer as error:
        return f"{unit}: {error}"
    return f"{unit} would not start: {does_not_hold(failed)}" if failed else None


def _failed(said: str, conditions: list[str]) -> list[str]:
    if "Conditions failed." not in said and "Asserts failed." not in said:
        return []
    return [one for one in conditions if f"{one} failed" in said] or conditions


def for_certain(failed: list[str], coming: Sequence[str] = ()) -> list[str]:
    """Without those that may hold once the disk is mounted that comes with the service. Of several with | one is enough."""
    open_ones = [one for one in failed if one in coming or ((path := _path(one)) and may_come(path))]
    any_of = any("=|" in one for one in open_ones)
    return [one for one in failed if one not in open_ones and not (any_of and "=|" in one)]


def _path(condition: str) -> str:
    """What has to be there; empty where that is not the question."""
    kind, _, parameter = condition.partition("=")
    asks = kind.removeprefix("Condition").removeprefix("Assert").startswith(("Path", "Directory", "File"))
    parameter = parameter.removeprefix("|")
    return parameter if asks and parameter.startswith("/") else ""
