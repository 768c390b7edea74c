"""For a resource of a kind that this release does not know, as a later one may have left it in the journal: nobody can say that it
is stopped, so it counts as running, and the sentence names the remedy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from backstay_api import VERSION
from backstay_api.objects.plain import RenderedResource

from .base import Plain, Seen, StartFailed, State, StopFailed

WHY: Final = f"agent {VERSION} does not know this kind of resource: upgrade the agent"


class UnknownDriver(Plain):
    """Touches nothing, and never calls anything stopped."""

    async def secure(self, resource: RenderedResource) -> None:
        raise StartFailed(WHY)

    async def not_ready(self, resource: RenderedResource) -> str | None:
        return WHY

    async def starts_by_itself(self, resource: RenderedResource) -> str | None:
        return WHY

    async def start(self, resource: RenderedResource, *, timeout_s: float) -> None:
        raise StartFailed(WHY)

    async def stop(self, resource: RenderedResource, *, timeout_s: float) -> str | None:
        raise StopFailed(WHY)

    async def check(self, resource: RenderedResource) -> Seen:
        return Seen(State.UNKNOWN, WHY)

    async def changes(self, resource: RenderedResource) -> AsyncGenerator[Seen, None]:
        yield Seen(State.UNKNOWN, WHY)
        await asyncio.Event().wait()
