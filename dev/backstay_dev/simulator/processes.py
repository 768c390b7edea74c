"""Processes that can die at any await, be frozen and thawed, on one virtual-time loop.

A process is a context variable that all its tasks inherit. The loop asks it before every step: so a crash comes between any two
steps, a frozen process does nothing at all while its events queue up, and what is dead never takes effect again.
"""

from __future__ import annotations

import asyncio
import traceback
from asyncio import events
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final

from backstay_dev.simulator.virtualtime import VirtualTimeLoop, _make_task

PROCESS: Final[ContextVar[Process | None]] = ContextVar("process")
WORLD: Final = Context()
"""Where the world itself acts: nobody's process."""


class SimulationLoop(VirtualTimeLoop):
    """Virtual time that knows whose step each step is."""

    def __init__(self, *, seed: int, limit_s: float) -> None:
        super().__init__(seed=seed, limit_s=limit_s, start_s=1000.0)
        self.set_task_factory(_make_owned_task)
        self.set_exception_handler(_note_error)

    def _carry_out(self, handle: events.Handle) -> None:
        context: Context = handle._context  # type: ignore[attr-defined]
        process = context.get(PROCESS)
        if process is None or process.lets(handle):
            handle._run()


class Process:
    """One life of one program. Its successor is another Process."""

    def __init__(self, name: str, loop: SimulationLoop, on_death: Callable[[Process, str], None]) -> None:
        """`on_death` is told of each death; its second argument is empty where the world killed it."""
        self.name = name
        self.is_alive = True
        self.is_frozen = False
        self.steps = 0
        self.dies_at_step: int | None = None
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self._loop = loop
        self._on_death = on_death
        self._held: deque[events.Handle] = deque()

    def start(self, work: Callable[[], Awaitable[None]]) -> None:
        """Begin: everything that `work` makes and starts belongs to this process."""
        context = WORLD.copy()
        context.run(PROCESS.set, self)

        async def live() -> None:
            await work()

        main = self._loop.create_task(live(), name=self.name, context=context)
        main.add_done_callback(self._ended, context=WORLD)

    def lets(self, handle: events.Handle) -> bool:
        """Whether this step is taken now. Called by the loop before each."""
        if self.is_frozen:
            self._held.append(handle)
            return False
        self.steps += 1
        if self.steps == self.dies_at_step:
            self.kill("")
        return True

    def must_live(self) -> None:
        """Every port asks this before and after whatever it does: the dead have no effect."""
        if not self.is_alive:
            raise asyncio.CancelledError(f"{self.name} is dead")

    def freeze(self) -> None:
        self.is_frozen = self.is_alive

    def thaw(self) -> None:
        """Everything that has queued up happens now, in its order."""
        self.is_frozen = False
        self._loop._ready.extend(self._held)
        self._held.clear()

    def kill(self, why: str = "") -> None:
        """As SIGKILL. Its tasks are unwound at once, with ports that are dead already."""
        if not self.is_alive:
            return
        self.is_alive = False
        self.thaw()
        for task in list(self.tasks):
            task.cancel()
        self._on_death(self, why)

    def _ended(self, main: asyncio.Task[None]) -> None:
        if self.is_alive:
            error = None if main.cancelled() else main.exception()
            self.kill(describe(error) if error else "it ended by itself")
        elif not main.cancelled():
            main.exception()  # retrieved: a dead process has nothing more to say


def describe(error: BaseException) -> str:
    """The innermost reasons of a death, in a line."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(describe(inner) for inner in error.exceptions)
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    at = " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__}: {error} ({at})"


def _make_owned_task(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any], **kwargs: Any
) -> asyncio.Task[Any]:
    task = _make_task(loop, coro, **kwargs)
    context: Context = kwargs.get("context") or copy_context()
    process = context.get(PROCESS)
    if process is not None:
        process.tasks[task] = None
        task.add_done_callback(lambda done: process.tasks.pop(done, None), context=WORLD)
    return task


def _note_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An error that nobody waited for: the world's own is a broken simulator, a dead process's is nothing."""
    assert isinstance(loop, SimulationLoop)
    error = context.get("exception") or RuntimeError(str(context.get("message")))
    loop.unhandled.append(error if isinstance(error, Exception) else RuntimeError(repr(error)))
