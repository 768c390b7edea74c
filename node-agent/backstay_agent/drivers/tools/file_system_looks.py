"""Looks at the file system that may hang (a dead NFS server): off the event loop, with a deadline, and never twice at once.

Threads of their own, which nobody waits for (`threads.py`): one that hangs in the kernel cannot be ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from backstay_agent.threads import begin

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
        answer = _under_way[what] = begin(f"look at {what}", how)
        answer.add_done_callback(lambda _: _under_way.pop(what, None))
    try:
        async with asyncio.timeout(limit_s):
            return await asyncio.wrap_future(answer)
    except TimeoutError as error:
        raise NoAnswer(f"{what} does not answer within {limit_s:g} s: the file system that it lies on hangs") from error
