"""Looks at the file system that may hang (a dead NFS server): off the event loop, with a deadline, and never twice at once.

Threads of their own, which nobody waits for: one that hangs in the kernel cannot be ended, and must not use up a pool that
others need, nor hold up the agent's end.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, TypeVar

LOOK_LIMIT_S: Final = 2.0
MOST_AT_ONCE: Final = 32

T = TypeVar("T")

_under_way: dict[str, Future[Any]] = {}


class NoAnswer(Exception):
    """The file system did not answer in time. The text is a sentence for people."""


async def look(what: str, how: Callable[[], T], *, limit_s: float = LOOK_LIMIT_S) -> T:
    """What `how` finds. Raises NoAnswer, and what `how` raises.

    `what` names the look and begins with the path: one of that name that is under way is joined.
    """
    answer: Future[T] | None = _under_way.get(what)
    if answer is None:
        if len(_under_way) >= MOST_AT_ONCE:
            raise NoAnswer(
                f"{what} is not looked at: {MOST_AT_ONCE} other looks hang, first at {next(iter(_under_way))}"
            )
        answer = _under_way[what] = Future()
        threading.Thread(target=_look, args=(what, how, answer), name=f"look at {what}", daemon=True).start()
    try:
        async with asyncio.timeout(limit_s):
            return await asyncio.shield(asyncio.wrap_future(answer))
    except TimeoutError as error:
        raise NoAnswer(f"{what} does not answer within {limit_s:g} s: the file system that it lies on hangs") from error


def _look(what: str, how: Callable[[], T], answer: Future[T]) -> None:
    try:
        result = how()
    except Exception as error:  # told to whoever asked
        _over(what)
        with suppress(RuntimeError):  # their loop has ended meanwhile
            answer.set_exception(error)
        return
    _over(what)
    with suppress(RuntimeError):
        answer.set_result(result)


def _over(what: str) -> None:
    _under_way.pop(what, None)
