"""What is done with the resources of one instance, in order: up from top to bottom, down from bottom to top."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from backstay_api.durations import seconds
from backstay_api.plain import RenderedResource

from .drivers.base import StopFailed
from .hands import Hands

DEFAULT_TIMEOUT_S: Final = 20.0
"""Where neither the manifest nor the kind's own means say how long something may take."""


async def bring_up(hands: Hands, resources: Sequence[RenderedResource], *, again: bool) -> None:
    """Top to bottom. What can be prepared meanwhile (the search for a duplicate address) is. Raises StartFailed.

    Before the first start everything is made unable to start without us; `again` says that this was done.
    """
    drivers = [(resource, hands.driver(resource)) for resource in resources]
    prepared = [asyncio.create_task(driver.prepare(resource)) for resource, driver in drivers]
    try:
        for resource, driver in drivers if not again else ():
            await driver.secure(resource)
        for (resource, driver), ready in zip(drivers, prepared, strict=True):
            await ready
            await driver.start(resource, timeout_s=limit_s(resource.timeouts.start))
    finally:
        await end_tasks(prepared)


async def take_down(hands: Hands, resources: Sequence[RenderedResource]) -> str:
    """Bottom to top; all of them, even if one cannot be stopped. Returns what is to be said about it (what had to be killed).

    Raises StopFailed with everything that could not be stopped.
    """
    failures: list[str] = []
    notes: list[str] = []
    for resource in reversed(resources):
        try:
            note = await hands.driver(resource).stop(resource, timeout_s=limit_s(resource.timeouts.stop))
            notes += [f"{resource.name}: {note}"] if note else []
        except StopFailed as error:
            failures.append(f"{resource.name}: {error}")
    if failures:
        raise StopFailed("; ".join(failures))
    return "; ".join(notes)


def to_restart(resources: Sequence[RenderedResource], bad: set[str]) -> list[RenderedResource]:
    """What is down, and what stands on it. Addresses stay up, unless they are themselves what is down: to clients a
    server that dies and comes back under its address is a very quick restart, and nothing more."""
    first = next((at for at, resource in enumerate(resources) if resource.name in bad), len(resources))
    return [
        resource
        for at, resource in enumerate(resources)
        if resource.name in bad or (at > first and resource.virtual_ip is None)
    ]


def limit_s(text: str | None) -> float:
    """A time limit as the manifest says it."""
    return DEFAULT_TIMEOUT_S if text is None else seconds(text)


async def end_tasks(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel these and wait until they are over."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # heard: it was asked for already, or no longer matters
