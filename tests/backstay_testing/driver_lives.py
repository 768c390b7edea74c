"""What a row of `driver_rows.py` is, and what the drivers of real things have in common: an agent's life may be a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from backstay_agent.drivers import RealDriver, real_drivers
from backstay_agent.drivers.base import Driver
from backstay_agent.threads import in_thread
from backstay_api.objects.plain import RenderedResource

from .driver_scripts import Case


@dataclass(frozen=True)
class Thing:
    """One resource, and what a test knows of it without its driver."""

    resource: RenderedResource
    copies: Callable[[], int]
    """How many of it run, or have begun to."""
    end: Callable[[], None]
    """It ends behind everybody's back."""
    begun: Callable[[], None] = lambda: None
    """What befalls it once it is up."""


class Row(Protocol):
    """One driver. Every contract holds for it, but for those that are named with the reason."""

    not_for: Mapping[str, str]
    stride: int
    """It is killed at each step; of those that make many, and whose every life takes long, at one of so many."""

    def thing(self, case: Case = Case.GOOD, *, start: str = "30s", stop: str = "30s") -> Thing: ...

    def life(self) -> AbstractAsyncContextManager[Driver]:
        """One life of an agent: what runs on the host outlives it."""

    async def leftovers(self, driver: Driver) -> list[RenderedResource]: ...

    def play(self, story: Coroutine[Any, Any, None]) -> None: ...

    def dies_at(self, step: int, act: Callable[[Driver], Awaitable[object]]) -> bool:
        """A life that does this and is killed after so many turns of its loop; False: it was done before."""

    def tidy(self) -> None: ...


# --- drivers of a real host -------------------------------------------------------------------------------------------


class Killed(asyncio.SelectorEventLoop):
    """A loop that ends its process, without a word, after so many turns."""

    left = 1 << 30

    def _run_once(self) -> None:
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        super()._run_once()  # type: ignore[misc]


@dataclass
class OnHost:
    """What the drivers of real things have in common: an agent's life may be a process of its own."""

    kind: str
    stride = 1

    @asynccontextmanager
    async def life(self) -> AsyncIterator[RealDriver]:
        # As the agent does: not a word to D-Bus before somebody asks for something.
        drivers = await in_thread(real_drivers)
        try:
            yield drivers[self.kind]
        finally:
            # The end of its process would; the bus takes 256 connections of a user.
            await drivers["systemd"]._manager.close()  # type: ignore[attr-defined]

    async def leftovers(self, driver: Driver) -> list[RenderedResource]:
        return await driver.leftovers()  # type: ignore[attr-defined, no-any-return]

    def play(self, story: Coroutine[Any, Any, None]) -> None:
        async def limited() -> None:
            async with asyncio.timeout(60):
                await story

        asyncio.run(limited())

    def dies_at(self, step: int, act: Callable[[Driver], Awaitable[object]]) -> bool:
        async def life() -> None:
            async with self.life() as driver:
                loop = asyncio.get_running_loop()
                assert isinstance(loop, Killed)
                loop.left = step
                await act(driver)
                os._exit(0)

        if (child := os.fork()) == 0:
            try:
                with asyncio.Runner(loop_factory=Killed) as runner:
                    runner.run(life())
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert status in (0, signal.SIGKILL), f"step {step}: that life ended with status {status}"
        return status != 0
