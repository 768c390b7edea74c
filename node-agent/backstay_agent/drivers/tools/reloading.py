"""A unit is made to read its own configuration anew while it runs (`systemctl reload`)."""

from __future__ import annotations

import asyncio

from backstay_agent.drivers.base import StartFailed
from backstay_agent.drivers.tools.journal_tail import with_last_words
from backstay_agent.drivers.tools.manager import Manager
from backstay_agent.drivers.tools.watch import Properties, Watch


def cannot_reload(unit: str, properties: Properties) -> str:
    """Why it never could be, in a sentence; empty if it can."""
    if properties.get("CanReload"):
        return ""
    return f"{unit} cannot be reloaded, since it has no ExecReload=: leave reloadedAt out, or give the unit one"


async def reload(manager: Manager, unit: str, timeout_s: float) -> None:
    """Returns when it has done so. Raises StartFailed (it runs on as it was), BusError."""
    with manager.acts.on([unit]):
        async with manager.watch(unit) as watch:
            if why := cannot_reload(unit, watch.properties):
                raise StartFailed(why)
            await manager.reload_unit(unit)
            try:
                async with asyncio.timeout(timeout_s):
                    await _until_over(manager, watch)
            except TimeoutError as error:
                raise StartFailed(f"{unit} has not ended its reload within {timeout_s:g} s; it runs on") from error
    result = watch.properties.get("ReloadResult", "success")
    if result != "success":
        why = f"{unit} was not reloaded, and runs on as it was: its ExecReload= has failed ({result})"
        raise StartFailed(await with_last_words(why, watch.properties))


async def _until_over(manager: Manager, watch: Watch) -> None:
    while True:
        if not watch.lost:
            await manager.refresh(watch)
            if not watch.has_job and watch.active != "reloading":
                return
        await watch.changed()
