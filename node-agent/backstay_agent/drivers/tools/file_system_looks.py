"""Looks at the file system that may hang (a dead NFS server): off the event loop, with a deadline, and never twice at once.

In a process of their own (`look_process.py`): what hangs in the kernel cannot be ended, and would keep the agent's process, with its
lock on the host, from ending. The one in which a look hangs is left behind, and another takes its place.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import pickle
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from backstay_agent.threads import begin

log = logging.getLogger(__name__)

LOOK_LIMIT_S: Final = 2.0
MOST_AT_ONCE: Final = 32
MOST_LEFT_BEHIND: Final = 4
"""Processes. When so many hang already, the one that looks keeps what hangs in it, up to `MOST_AT_ONCE` looks."""
BEGIN_LIMIT_S: Final = 30.0
"""Until a process looks: on a busy host Python takes its time."""
_SYSTEMD: Final = Path("/run/systemd/system")
_CODE: Final = (
    "import sys; sys.path[:] = sys.argv[1:]; from backstay_agent.drivers.tools.look_process import main; main()"
)

T = TypeVar("T")
Name = tuple[str, Hashable]
"""What is looked at, as people are told, and what was asked for."""

_numbers: Final = itertools.count(1)


class NoAnswer(Exception):
    """The file system did not answer in time. The text is a sentence for people."""


class _Ended(Exception):
    """The process that should have answered is no more."""


async def look(what: str, how: Callable[[], T], *, limit_s: float = LOOK_LIMIT_S, asked: Hashable = None) -> T:
    """What `how` finds, which another process calls: a function of a module, or a `partial` of one. Raises NoAnswer, and what `how` raises.

    `what` names the look and begins with the path: one of that name that is under way is joined, if it was `asked` for the same.
    """
    under_way = _LOOKS.under_way.get((what, asked))
    if under_way is None:
        if len(_LOOKS.under_way) >= MOST_AT_ONCE:
            first, _ = next(iter(_LOOKS.under_way))
            raise NoAnswer(f"{what} is not looked at: {MOST_AT_ONCE} other looks hang, first at {first}")
        under_way = _LOOKS.begin((what, asked), how)
    helper, answer = under_way
    with _LOOKS.waiting(helper):
        try:
            async with asyncio.timeout(BEGIN_LIMIT_S):
                await asyncio.wrap_future(helper.ready)
            async with asyncio.timeout(limit_s):
                return await asyncio.wrap_future(answer)
        except TimeoutError as error:
            _LOOKS.leave_behind(helper, what)
            raise NoAnswer(_hanging(what, helper, limit_s)) from error
        except _Ended as error:
            # Killed, because what it was asked before hangs: so does this, which had joined it.
            why = _hanging(what, helper, limit_s) if helper.is_killed else f"{what} could not be looked at: {error}"
            raise NoAnswer(why) from error


def left_behind() -> int:
    """How many processes hang in the kernel, at a look that nobody waits for any more."""
    return len(_LOOKS.left)


def _hanging(what: str, helper: _Helper, limit_s: float) -> str:
    if not helper.ready.done():
        return f"{what} is not looked at: the process for it has not begun within {BEGIN_LIMIT_S:g} s"
    return f"{what} does not answer within {limit_s:g} s: the file system that it lies on hangs"


class _Looks:
    """All that is looked at, the process that does it, and those that hang."""

    def __init__(self) -> None:
        self.under_way: dict[Name, tuple[_Helper, Future[Any]]] = {}
        self.left: set[_Helper] = set()
        self._helper: _Helper | None = None

    def begin(self, name: Name, how: Callable[[], T]) -> tuple[_Helper, Future[T]]:
        asked = pickle.dumps(how)
        if self._helper is None or self._helper.is_over:
            self._helper = _Helper(self.left.discard)
        answer = self._helper.ask(asked)
        self.under_way[name] = self._helper, answer
        answer.add_done_callback(lambda _: self.under_way.pop(name, None))
        return self._helper, answer

    @contextmanager
    def waiting(self, helper: _Helper) -> Iterator[None]:
        """While the caller waits for an answer of it. Who joins a look that hangs already keeps nothing from being killed."""
        counts = helper not in self.left
        helper.waiting += counts
        try:
            yield
        finally:
            helper.waiting -= counts
            if helper in self.left and not helper.waiting:
                helper.kill()

    def leave_behind(self, helper: _Helper, what: str) -> None:
        """Nothing else is asked of it; when what else it looks at has an answer, it is killed."""
        if helper is self._helper and len(self.left) < MOST_LEFT_BEHIND and not helper.is_over:
            self._helper = None
            self.left.add(helper)
            log.warning("a look hangs, and its process is left behind", extra={"look": what, "left": len(self.left)})


class _Helper:
    """A process that looks. Of its two threads one begins it, reads its answers and reaps it, and the other writes to it."""

    def __init__(self, when_over: Callable[[_Helper], None]) -> None:
        self.ready: Future[None] = _future()
        self.waiting = 0
        """How many wait for an answer that may still come."""
        self.is_over = False
        self._when_over = when_over
        self._requests: SimpleQueue[bytes] = SimpleQueue()
        self._answers: dict[int, Future[Any]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self.is_killed = False
        begin("reads what is seen", self._live)

    def ask(self, how: bytes) -> Future[Any]:
        number, answer = next(_numbers), _future()
        self._answers[number] = answer
        self._requests.put(pickle.dumps((number, how)))
        if self.is_over:  # just now: nobody else may find it
            self._fail()
        return answer

    def kill(self) -> None:
        self.is_killed = True
        if self._process:
            self._process.kill()

    def _live(self) -> None:
        try:
            for argv in _ways():
                with suppress(OSError, EOFError), self._begun(argv) as ours:
                    self.ready.set_result(None)
                    begin("asks what is seen", self._write, ours)
                    self._read(ours)
                if self.ready.done():
                    break
        finally:
            self.is_over = True
            self._when_over(self)
            self._fail()

    @contextmanager
    def _begun(self, argv: tuple[str, ...]) -> Iterator[socket.socket]:
        """The way to it, until it has ended. Raises OSError if it does not begin."""
        ours, its = socket.socketpair()
        with ours:
            with its:
                process = subprocess.Popen(argv, stdin=its.fileno(), stdout=subprocess.DEVNULL, cwd="/")
            self._process = process
            try:
                if self.is_killed:
                    raise OSError
                ours.settimeout(BEGIN_LIMIT_S / 2)
                if not ours.recv(1):
                    raise OSError
                ours.settimeout(None)
                yield ours
            finally:
                process.kill()
                process.wait()  # for as long as it hangs

    def _write(self, ours: socket.socket) -> None:
        with suppress(OSError):
            while not self.is_over:
                ours.sendall(self._requests.get())

    def _read(self, ours: socket.socket) -> None:
        with ours.makefile("rb") as answers:
            while True:
                number, found = pickle.load(answers)
                result, error = pickle.loads(found)
                answer = self._answers.pop(number)
                if error is None:
                    answer.set_result(result)
                else:
                    answer.set_exception(error)

    def _fail(self) -> None:
        self._requests.put(b"")
        for future in (self.ready, *(self._answers.pop(number) for number in list(self._answers))):
            if not future.done():
                future.set_exception(_Ended("the process that looks has ended"))


def _future() -> Future[Any]:
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()  # it cannot be taken back
    return future


def _ways() -> Iterator[tuple[str, ...]]:
    """How to begin it. In a scope of its own, for what hangs would hold up the end of the unit that it is in; else without."""
    plain = (sys.executable, "-IuB", "-c", _CODE, *(os.path.abspath(path) for path in sys.path))
    if _SYSTEMD.exists():
        unit = f"--unit=backstay-looks-{secrets.token_hex(4)}"
        # A shutdown stops what has the default dependencies, and begins nothing that has them.
        how = ("--scope", "--quiet", "--collect", "--slice=system.slice", "--property=DefaultDependencies=no", unit)
        yield ("systemd-run", *how, "--description=Looks at file systems for the Backstay agent", "--", *plain)
    yield plain


_LOOKS: Final = _Looks()
# A fork has none of the threads: what looks for its parent answers that one only.
os.register_at_fork(after_in_child=_LOOKS.__init__)  # type: ignore[misc]
