"""A client that asks again and again, every 10 ms, and remembers every answer: what users of a service would have seen.

It stands in the lab's network and runs in a thread of its own. Each question is a new connection that does not wait for
the one before, so an address that swallows packets costs no more than its own silence. All times are CLOCK_MONOTONIC,
which is one and the same on all hosts of a lab.
"""

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from backstay_dev.lab.network import LabNetwork, entered
from backstay_dev.lab.shell import LabError


@dataclass(frozen=True)
class Answer:
    asked_s: float
    answered_s: float
    text: str
    """The body of an HTTP answer; for tcp:// what came first. By the lab's custom: the name of the host."""


@dataclass(frozen=True)
class Gap:
    """Nobody answered between two answers."""

    begin_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        return self.end_s - self.begin_s


class Poller:
    def __init__(self, url: str, *, network: LabNetwork | Path, every_s: float = 0.01, give_up_s: float = 1.0) -> None:
        """`url`: http://address:port/path, or tcp://address:port where the service speaks first."""
        self._url = urlsplit(url)
        assert self._url.hostname is not None and self._url.scheme in {"http", "tcp"}, f"cannot poll {url}"
        self._namespace = network if isinstance(network, Path) else network.path
        self._every_s = every_s
        self._give_up_s = give_up_s
        self._answers: list[Answer] = []
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.started_s = 0.0
        self.stopped_s: float | None = None

    def start(self) -> None:
        self.started_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True, name="poller")
        self._thread.start()

    def stop(self) -> None:
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None
            self.stopped_s = time.monotonic()

    @contextmanager
    def polling(self) -> Iterator["Poller"]:
        self.start()
        try:
            yield self
        finally:
            self.stop()

    # What was seen

    @property
    def answers(self) -> list[Answer]:
        """In the order of their arrival."""
        with self._changed:
            return list(self._answers)

    def longest_gap(self, since_s: float = 0.0) -> Gap:
        """The longest time without an answer since `since_s` (a fault), or since the first answer; up to now or the stop."""
        end_s = self.stopped_s if self.stopped_s is not None else time.monotonic()
        times = [one.answered_s for one in self.answers]
        return longest_gap(times, since_s=max(since_s, self.started_s), end_s=end_s)

    @property
    def longest_gap_s(self) -> float:
        return self.longest_gap().length_s

    def first_answer_after(self, after_s: float, *, timeout_s: float = 0.0, by: str | None = None) -> Answer | None:
        """The first answer to a question that was asked after this moment, waiting for it if need be.

        `by`: and whose text begins with this (a host's name).
        """
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for answer in self._answers:
                    if answer.asked_s > after_s and (by is None or answer.text.startswith(by)):
                        return answer
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    return None
                self._changed.wait(left_s)

    def wait_for_answer(
        self, *, after_s: float | None = None, timeout_s: float = 30.0, by: str | None = None
    ) -> Answer:
        """As `first_answer_after`, from now on unless told otherwise; no answer is a LabError."""
        answer = self.first_answer_after(time.monotonic() if after_s is None else after_s, timeout_s=timeout_s, by=by)
        if answer is None:
            who = "Nobody" if by is None else f"Nobody called {by}"
            raise LabError(f"{who} answered at {self._url.geturl()} within {timeout_s:g} s.")
        return answer

    def answered_by(self, since_s: float = 0.0) -> list[str]:
        """Who answered, in order, without repetitions in a row: the service's way from host to host."""
        return changes([one.text.strip() for one in self.answers if one.answered_s >= since_s])

    # Below: how.

    def _run(self) -> None:
        with entered(self._namespace):
            asyncio.run(self._poll())

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        under_way: set[asyncio.Task[None]] = set()
        next_s = loop.time()
        while not self._stop.is_set():
            task = loop.create_task(self._ask())
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            next_s = max(next_s + self._every_s, loop.time())
            await asyncio.sleep(next_s - loop.time())
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _ask(self) -> None:
        asked_s = time.monotonic()
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
            async with asyncio.timeout(self._give_up_s):
                text = await self._exchange()
            self._remember(Answer(asked_s, time.monotonic(), text))

    async def _exchange(self) -> str:
        default_port = 80
        reader, writer = await asyncio.open_connection(self._url.hostname, self._url.port or default_port)
        try:
            if self._url.scheme == "tcp":
                return _text(await reader.read(4096))
            writer.write(f"GET {self._url.path or '/'} HTTP/1.0\r\nHost: {self._url.netloc}\r\n\r\n".encode())
            head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
            if b" 200 " not in head.split(b"\r\n")[0] + b" ":
                raise ValueError("not a good answer")
            return _text(body)
        finally:
            # A reset leaves no TIME_WAIT behind, of which a hundred a second would pile up.
            writer.transport.abort()

    def _remember(self, answer: Answer) -> None:
        with self._changed:
            self._answers.append(answer)
            self._changed.notify_all()


def longest_gap(answered_s: Sequence[float], *, since_s: float, end_s: float) -> Gap:
    """The longest time between two answers in a row, the end of the observation counting as the last.

    Counting begins with the last answer before `since_s`, or the first after it; without any, at `since_s`.
    """
    before = [at_s for at_s in answered_s if at_s < since_s][-1:]
    times = before + [at_s for at_s in answered_s if at_s >= since_s]
    begin = times or [since_s]
    return max((Gap(*pair) for pair in pairwise([*begin, max(end_s, begin[-1])])), key=lambda gap: gap.length_s)


def changes(names: Sequence[str]) -> list[str]:
    """Without repetitions in a row."""
    return [name for at, name in enumerate(names) if at == 0 or name != names[at - 1]]


def _text(data: bytes) -> str:
    if not data:
        raise ValueError("an empty answer")
    return data.decode(errors="replace")
