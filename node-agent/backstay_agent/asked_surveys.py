"""Answers people's HostSurveys of this host: looks once, in a process of its own with no more rights than a look needs, and writes what was
found where the question stands. It only reads, so a life that ends in the middle leaves nothing but a question that the next one answers.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from backstay_api.client.api import Api, Event, EventType
from backstay_api.client.errors import ApiError, Conflict, NotFound
from backstay_api.client.informer import Informer, RetryPause
from backstay_api.objects.bounds import MOST_DOCUMENT
from backstay_api.objects.durations import between_s
from backstay_api.objects.kinds import Raw, raw
from backstay_api.objects.texts import clip

log = logging.getLogger(__name__)

HOST_SURVEYS: Final = raw("backstay.dev", "v1alpha1", "hostsurveys", "HostSurvey", False, has_status=True)
LIMIT_S: Final = 60.0
"""Of a look: it ends itself after half of that."""
# An identity or a cluster of an earlier release does not let it be had at all, and then it is asked for on and on.
_PAUSE: Final = RetryPause(2.0, 15.0)
_TRIES: Final = 3
_INSIDE: Final = """\
import sys
sys.path[:0] = sys.argv[2:]
from backstay_agent.survey.main import main
sys.exit(main(["--", sys.argv[1]]))
"""
_WALLS: Final = (
    "CapabilityBoundingSet=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH",
    "NoNewPrivileges=yes",
    "MemoryMax=256M",
    "CPUQuota=50%",
    "IOSchedulingClass=idle",
    f"RuntimeMaxSec={LIMIT_S:g}",
)


_PLACES: Final = tuple(os.path.abspath(path) for path in sys.path if path)
"""Where this program's own modules are."""


class CannotLook(Exception):
    """There is no answer; the message says why."""


Look = Callable[[str], Awaitable[str]]
"""What a unit uses, as a document. Raises CannotLook."""


@dataclass
class AskedSurveys:
    """Of one host."""

    api: Api
    host: str
    look: Look
    wall: Callable[[], str]
    rng: random.Random

    def __post_init__(self) -> None:
        self._asked: asyncio.Queue[Raw] = asyncio.Queue()
        self._begun: set[str] = set()
        """UIDs of questions that this life has seen."""
        self._looking: tuple[str, asyncio.Task[None]] | None = None
        """The question that is being answered, by its UID."""

    async def run(self) -> None:
        """Until cancelled."""
        informer = Informer(self.api.lane("watch"), HOST_SURVEYS, rng=self.rng, name=self.host, backoff=_PAUSE)
        informer.may_be_absent = True
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(informer.run(self._on_event))
            tasks.create_task(self._answer_for_ever())

    def _on_event(self, event: Event[Raw]) -> None:
        if event.type is EventType.DELETED:
            if self._looking is not None and self._looking[0] == event.meta.uid:
                self._looking[1].cancel()  # whoever asks next need not wait for it
            return
        uid, phase = str(event.meta.uid), _of(event.object, "status").get("phase")
        if uid not in self._begun and phase not in ("Done", "Failed"):
            self._begun.add(uid)
            self._asked.put_nowait(event.object)

    async def _answer_for_ever(self) -> None:
        while True:
            asked = await self._asked.get()
            task = asyncio.create_task(self._answered(asked))
            self._looking = str(_of(asked, "metadata").get("uid")), task
            try:
                await asyncio.wait([task])
            finally:
                task.cancel()
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("a survey has failed", extra={"host": self.host, "why": repr(error)})
            self._looking = None

    async def _answered(self, asked: Raw) -> None:
        try:
            await self._answer(asked)
        except (Conflict, NotFound):
            log.info("a survey was taken back", extra={"host": self.host})
        except ApiError as error:
            log.warning("a survey could not be answered", extra={"host": self.host, "why": str(error)})

    async def _answer(self, asked: Raw) -> None:
        spec, now = _of(asked, "spec"), self.wall()
        unit, until = str(spec.get("unit") or ""), str(spec.get("until") or "")
        if _is_over(until, now):
            why = f"the question was over at {until}, and it is {now[:19]}Z by this host's clock: ask again, or set its clock"
            await self._say(asked, {"phase": "Failed", "why": clip(why)})
            return
        log.info("a unit is surveyed", extra={"host": self.host, "unit": unit, "by": str(spec.get("by"))})
        asked = await self._say(asked, {"phase": "Running"})
        try:
            document = await self.look(unit)
        except CannotLook as error:
            await self._say(asked, {"phase": "Failed", "why": clip(str(error))})
            return
        if len(document) > MOST_DOCUMENT:
            there = f"`ssh {self.host} sudo backstay-agent survey {unit}` has all of it"
            why = f"what was found is longer than the {MOST_DOCUMENT // 1024} KiB that there is room for: {there}"
            await self._say(asked, {"phase": "Failed", "why": why})
            return
        await self._say(asked, {"phase": "Done", "document": document})

    async def _say(self, asked: Raw, status: Mapping[str, str]) -> Raw:
        """What stands there then. Raises ApiError; Conflict and NotFound: somebody has taken the question back."""
        for left in reversed(range(_TRIES)):
            try:
                return await self.api.replace(HOST_SURVEYS, {**asked, "status": dict(status)}, subresource="status")
            except (Conflict, NotFound):
                raise
            except ApiError:
                if not left:
                    raise
                await asyncio.sleep(_PAUSE.first_s)
        raise AssertionError("the last try returns or raises")


def _of(body: Raw, part: str) -> Mapping[str, Any]:
    found = body.get(part)
    return found if isinstance(found, dict) else {}


def _is_over(until: str, now: str) -> bool:
    """Nobody waits until what is no time at all."""
    try:
        return between_s(until, now) > 0
    except ValueError:
        return True


async def look_here(unit: str) -> str:
    """Run `backstay-agent survey` of this very program, and read what it writes. Raises CannotLook."""
    inside = (sys.executable, "-IB", "-c", _INSIDE, unit, *_PLACES)
    walls = (f"--property={wall}" for wall in _WALLS)
    words = ("systemd-run", "--quiet", "--pipe", "--wait", "--collect", *walls, "--", *inside)
    try:
        process = await asyncio.create_subprocess_exec(*words, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
    except OSError as error:
        raise CannotLook(f"systemd-run cannot be started: {error.strerror}") from error
    try:
        async with asyncio.timeout(LIMIT_S):
            out, err = await process.communicate()
    except TimeoutError:
        raise CannotLook(f"it was not done after {LIMIT_S:g} s") from None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    if process.returncode:
        said = " ".join(err.decode(errors="replace").split()).removeprefix("backstay-agent survey: ")
        raise CannotLook(said or f"it ended with exit code {process.returncode}")
    return out.decode(errors="replace")


def looking(refusal: Callable[[str], str], look: Look = look_here) -> Look:
    """The same, where the host's policy lets services name that unit: what it lets nobody touch, nobody looks into from afar."""

    async def allowed(unit: str) -> str:
        if why := refusal(unit):
            raise CannotLook(why)
        return await look(unit)

    return allowed
