"""Work that the event loop must not wait for, in threads of its own: a disk that syncs, a module that is imported, a name that is looked up.

Not asyncio's pool: a few names that no server resolves would fill it, and a hung disk would keep the process from ending, for whoever
ends it waits for the pool. While the agent is not there its host is silent, and what is silent is powered off.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine, Hashable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, NoReturn, TypeVar

T = TypeVar("T")

_shared: Final[dict[Hashable, Future[Any]]] = {}


async def in_thread(how: Callable[..., T], *args: object) -> T:
    """What `how` returns or raises. If the caller is cancelled it goes on, and nobody waits for it."""
    return await asyncio.wrap_future(begin(_name(how), how, *args))


async def shared(key: Hashable, how: Callable[..., T], *args: object) -> T:
    """As `in_thread`; who asks for the same while it is under way waits for the same answer."""
    answer = _shared.get(key)
    if answer is None:
        answer = _shared[key] = begin(_name(how), how, *args)
        answer.add_done_callback(lambda _: _shared.pop(key, None))
    return await asyncio.wrap_future(answer)


def begin(name: str, how: Callable[..., T], *args: object) -> Future[T]:
    """The same, for who does not wait; `name` is the thread's."""
    answer: Future[T] = Future()
    answer.set_running_or_notify_cancel()  # it cannot be taken back
    threading.Thread(target=_work, args=(how, args, answer), name=name, daemon=True).start()
    return answer


def _name(how: Callable[..., object]) -> str:
    return getattr(how, "__name__", "work")


def _work(how: Callable[..., T], args: tuple[object, ...], answer: Future[T]) -> None:
    try:
        result = how(*args)
    except BaseException as error:  # told to whoever asked
        with suppress(RuntimeError):  # their loop has ended meanwhile
            answer.set_exception(error)
        return
    with suppress(RuntimeError):
        answer.set_result(result)


class Loop(asyncio.SelectorEventLoop):
    """An event loop that waits for no thread: neither for a name server nor at its end."""

    async def getaddrinfo(
        self, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> Any:
        asked = (host, port, family, type, proto, flags)
        return await shared(("name", *asked), socket.getaddrinfo, *asked)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Whatever still runs in it ends with the process."""


def without_threads_for_children(loop: asyncio.AbstractEventLoop) -> None:
    """The kernel tells of the end of a child process: before Python 3.12 asyncio would start a thread to wait for each."""
    if sys.version_info < (3, 12):
        with suppress(OSError):  # a kernel, or a container, that has no such thing
            os.close(os.pidfd_open(os.getpid()))
            watcher = asyncio.PidfdChildWatcher()
            watcher.attach_loop(loop)
            asyncio.set_child_watcher(watcher)


def live_and_exit(life: Coroutine[Any, Any, None]) -> NoReturn:
    """Run it to its end and then end the process, whatever its threads do. Cancelled is a good end."""
    code = 0
    try:
        with asyncio.Runner(loop_factory=Loop) as runner:
            without_threads_for_children(runner.get_loop())
            runner.run(life)
    except asyncio.CancelledError:
        pass
    except BaseException:
        traceback.print_exc()
        code = 1
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # Python would wait for threads of pools; the kernel ends them all, and gives back our locks.
    os._exit(code)
