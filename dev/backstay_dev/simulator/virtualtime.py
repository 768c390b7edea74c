"""An asyncio event loop on virtual time, so that hours of waiting are tested and simulated in milliseconds.

When nothing is ready the clock jumps to the next timer; nothing really sleeps, and no selector, socket, thread or
child process is touched. One seed gives one run: timers that are due at the same instant fire in an order drawn from
the seed (as they may in life), and tasks hash by the order of their birth, so that sets of tasks iterate alike in
every run.

    def test_lease_is_renewed() -> None:
        async def story() -> None:
            ...
            await asyncio.sleep(3600)   # at once
        run(story(), seed=7)

or, in place of `run`, the decorator `@in_virtual_time` above an `async def test_…`.
"""

import asyncio
import functools
import heapq
import random
from asyncio import base_events, events
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, copy_context
from typing import Any, Final, Never, ParamSpec, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
P = ParamSpec("P")

# A run that makes so many turns without the clock moving waits for something that only time brings.
TURNS_PER_INSTANT: Final = 200_000


class Deadlock(AssertionError):
    """Nothing is ready and no timer is set: whoever waits now would wait for ever."""


class Livelock(AssertionError):
    """The loop turns and turns and virtual time stands still."""


class OutOfTime(AssertionError):
    """The story was not over when its time limit, in virtual seconds, was reached."""


def run(story: Coroutine[Any, Any, T], *, seed: int = 0, limit_s: float = float("inf"), start_s: float = 1000.0) -> T:
    """Run one coroutine to its end on a fresh loop and return what it returns.

    Tasks that are left over are cancelled and waited for. An error that nobody waited for (a task that died unhandled, a
    callback that raised) fails the run. `start_s` is not zero so that code that takes zero for "never" is found out.
    """
    loop = VirtualTimeLoop(seed=seed, limit_s=limit_s, start_s=start_s)
    try:
        result = loop.run_until_complete(story)
    finally:
        wind_up(loop)
    if loop.unhandled:
        raise ExceptionGroup("errors that nobody waited for", loop.unhandled)
    return result


def in_virtual_time(test: Callable[P, Awaitable[T]]) -> Callable[P, T]:
    """Make a plain test function of a coroutine function."""

    @functools.wraps(test)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        async def story() -> T:
            return await test(*args, **kwargs)

        return run(story())

    return wrapper


class _Handle(events.Handle):
    """asyncio's own, made without what only its debug mode asks for: a run makes hundreds of thousands."""

    __slots__ = ()

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], loop: "VirtualTimeLoop", context: Context | None
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop, self._callback, self._args = loop, callback, args
        self._cancelled, self._repr, self._source_traceback = False, None, None


class _Timer(events.TimerHandle, _Handle):
    __slots__ = ()
    _scheduled: bool  # asyncio's own: it stands in the heap

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: "VirtualTimeLoop",
        context: Context | None,
    ) -> None:
        _Handle.__init__(self, callback, args, loop, context)
        self._when, self._scheduled = when, True


class VirtualTimeLoop(base_events.BaseEventLoop):
    """The standard loop's bookkeeping with our own clock and no I/O at all."""

    _ready: deque[events.Handle]  # asyncio's own: what runs in the next turn

    def __init__(self, *, seed: int = 0, limit_s: float = float("inf"), start_s: float = 0.0) -> None:
        super().__init__()
        self.unhandled: list[Exception] = []
        self._now_s = start_s
        self._limit_s = start_s + limit_s
        self._ties = random.Random(f"timers {seed}")
        self._timers: list[tuple[float, float, int, _Timer]] = []
        self._births = 0
        self._cancelled_timers = 0
        self._turns_now = 0
        self.set_task_factory(_make_task)
        self.set_exception_handler(_remember)

    def time(self) -> float:
        """Virtual seconds."""
        return self._now_s

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> events.TimerHandle:
        timer = _Timer(when, callback, args, self, context)
        self._births += 1
        heapq.heappush(self._timers, (when, self._ties.random(), self._births, timer))
        return timer

    def call_later(
        self, delay: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> events.TimerHandle:
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> events.Handle:
        if self.is_closed():
            return super().call_soon(callback, *args, context=context)  # which refuses
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def next_birth(self) -> int:
        self._births += 1
        return self._births

    # What follows is called by asyncio itself.

    def _run_once(self) -> None:
        ready = self._ready
        if not ready:
            self._jump()
        self._turns_now += 1
        if self._turns_now > TURNS_PER_INSTANT:
            raise Livelock(f"{TURNS_PER_INSTANT} turns at {self._now_s} s; next: {ready[0]!r}")
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                self._carry_out(handle)

    def _carry_out(self, handle: events.Handle) -> None:
        """The one place where anything happens; the simulator decides here whose turn it is not."""
        handle._run()

    def _jump(self) -> None:
        """Set the clock to the next timer and make ready everything that is due then."""
        timers, ready = self._timers, self._ready
        while timers and timers[0][3]._cancelled:
            self._forget_first()
        if not timers:
            raise Deadlock(f"at {self._now_s} s nothing is ready and no timer is set")
        if timers[0][0] > self._limit_s:
            raise OutOfTime(f"still running at {self._limit_s} s of virtual time")
        if timers[0][0] > self._now_s:
            self._now_s, self._turns_now = timers[0][0], 0
        while timers and timers[0][0] <= self._now_s:
            timer = heapq.heappop(timers)[3]
            timer._scheduled = False
            if not timer._cancelled:
                ready.append(timer)
            else:
                self._cancelled_timers -= 1

    def _forget_first(self) -> None:
        heapq.heappop(self._timers)[3]._scheduled = False
        self._cancelled_timers -= 1

    def _timer_handle_cancelled(self, handle: _Timer) -> None:
        """Most timers are time limits that were kept; without this the heap would be full of them."""
        if not handle._scheduled:
            return
        self._cancelled_timers += 1
        if self._cancelled_timers > 100 and self._cancelled_timers * 2 > len(self._timers):
            self._timers = [entry for entry in self._timers if not entry[3]._cancelled]
            heapq.heapify(self._timers)
            self._cancelled_timers = 0

    def _process_events(self, event_list: object) -> None:
        raise AssertionError("there is no selector in virtual time")

    def _refuse(self, *_args: object, **_kwargs: object) -> Never:
        raise AssertionError("code on virtual time reached for a thread, socket, signal or child process: use a port")

    async def _refuse_async(self, *_args: object, **_kwargs: object) -> Never:
        self._refuse()

    _write_to_self = _refuse
    call_soon_threadsafe = _refuse
    run_in_executor = _refuse
    add_reader = add_writer = add_signal_handler = _refuse
    getaddrinfo = getnameinfo = create_connection = create_server = create_datagram_endpoint = _refuse_async
    subprocess_exec = subprocess_shell = connect_read_pipe = connect_write_pipe = _refuse_async


class _Task(asyncio.Task[T]):
    """Its hash is its order of birth: sets of tasks, as in TaskGroup and wait(), have one order in every run."""

    _birth: int = 0

    def __new__(cls, *args: Any, loop: VirtualTimeLoop, **kwargs: Any) -> "_Task[T]":
        task: _Task[T] = super().__new__(cls)
        task._birth = loop.next_birth()
        return task

    def __hash__(self) -> int:
        return self._birth


def _make_task(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, T] | Generator[Any, None, T], **kwargs: Any
) -> asyncio.Task[T]:
    assert isinstance(loop, VirtualTimeLoop)
    task: _Task[T] = _Task(coro, loop=loop, **kwargs)
    return task


def _remember(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    assert isinstance(loop, VirtualTimeLoop)
    error = context.get("exception") or RuntimeError(str(context.get("message")))
    loop.unhandled.append(error if isinstance(error, Exception) else RuntimeError(repr(error)))


def wind_up(loop: VirtualTimeLoop) -> None:
    """Cancel what still runs, in the order of birth, wait for it, close."""
    try:
        left = sorted(asyncio.all_tasks(loop), key=hash)
        for task in left:
            task.cancel()
        if left:
            loop._limit_s = float("inf")
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
