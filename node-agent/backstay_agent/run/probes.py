"""Asks regularly whether a resource really works: a connection, an HTTP answer, a command's exit.

Here is when to ask and whom to tell; when enough has been seen is `core/health.py`; how one question is asked is `Asker`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from backstay_agent.core.health import CALM, Health, Look, Signs, Thresholds, Verdict, joined, judge, no_answer, patient
from backstay_agent.detection import PROBE, Detection
from backstay_agent.host_system import OnVerdict
from backstay_api.objects.durations import seconds
from backstay_api.objects.plain import Probe, RenderedResource
from backstay_api.objects.probe_kinds import only_degrades
from backstay_api.process.waiting import clock_s

# A period of nothing would be a busy loop.
SHORTEST_PERIOD_S: Final = 0.05
# What is only coming up is asked often: its clients wait for the answer. At first twice this, then four times …
EAGER_S: Final = 0.025


log = logging.getLogger(__name__)


class NotAsked(Exception):
    """The question could not be put: that is this agent's trouble, and says nothing of the service."""


class Asker(Protocol):
    """Asks one question once."""

    async def ask(self, probe: Probe) -> str | None:
        """None if the answer is good, else why not. Raises TimeoutError where there was none, and NotAsked. It need not keep the probe's
        timeout; it must bear being cancelled."""


async def no_signs() -> Signs:
    """Of a host that is calm."""
    return CALM


@dataclass
class _Board:
    """What the probes of one resource think, and what was last told."""

    on_verdict: OnVerdict
    silent: set[str]
    """Probes without a verdict: nothing is said to work before they have answered. Those that only degrade are not waited for."""
    detection: Detection
    failing: dict[str, str] = field(default_factory=dict)
    suspected: dict[str, str] = field(default_factory=dict)
    degrading: dict[str, str] = field(default_factory=dict)
    told: tuple[Verdict, str] | None = None
    """The verdict; and where nothing is done about it, by which probes it is not simply well."""

    def note(self, probe: Probe, verdict: Verdict, why: str) -> None:
        self.silent.discard(probe.name)
        for known in (self.failing, self.suspected, self.degrading):
            known.pop(probe.name, None)
        if verdict is Verdict.SUSPECT:
            self.suspected[probe.name] = why
        elif verdict is Verdict.FAILS:
            (self.degrading if only_degrades(probe) else self.failing)[probe.name] = why
        self.tell()

    def tell(self) -> None:
        verdict, found = self._found()
        news = (verdict, "" if verdict is Verdict.FAILS else ", ".join(sorted(found)))
        if verdict is not Verdict.UNKNOWN and news != self.told:
            self.told = news
            self.on_verdict(verdict, "; ".join(f"probe {name}: {why}" for name, why in sorted(found.items())))

    def _found(self) -> tuple[Verdict, dict[str, str]]:
        """The worst, and who says so."""
        if self.failing:
            return Verdict.FAILS, self.failing
        if self.suspected:
            return Verdict.SUSPECT, self.suspected
        return (Verdict.UNKNOWN, {}) if self.silent else (Verdict.WORKS, self.degrading)


async def run_probes(
    resource: RenderedResource,
    on_verdict: OnVerdict,
    asker: Asker,
    *,
    signs: Callable[[], Awaitable[Signs]] = no_signs,
    starting: bool = False,
    detection: Detection | None = None,
) -> None:
    """Run all probes of the resource until cancelled; tell when together they change their mind.

    `signs`: asked where a question got no answer. `starting`: it is only coming up. Then the initial delay is kept, and
    until its first good answer a probe is asked oftener than its period says.
    """
    seen = detection or Detection()
    board = _Board(on_verdict, {probe.name for probe in resource.probes if not only_degrades(probe)}, seen)
    board.tell()
    async with asyncio.TaskGroup() as tasks:
        for probe in resource.probes:
            tasks.create_task(
                _repeat(probe, board, asker, signs, starting=starting), name=f"probe {resource.name}/{probe.name}"
            )


async def _repeat(
    probe: Probe, board: _Board, asker: Asker, signs: Callable[[], Awaitable[Signs]], *, starting: bool
) -> None:
    thresholds = _thresholds(probe, starting=starting)
    period_s = thresholds.every_s
    health, begun_s = Health(), 0.0
    # No start waits for one that only degrades: it may be asked for the first time when that is long over.
    due_s = clock_s() + (seconds(probe.initial_delay) if starting or only_degrades(probe) else 0.0)
    eager_s = EAGER_S if starting and not only_degrades(probe) else period_s
    while True:
        await asyncio.sleep(due_s - clock_s())
        asked_at_s = clock_s()
        try:
            look, why = await _ask(probe, asker)
        except NotAsked as error:
            log.warning("probe not asked", extra={"probe": probe.name, "why": str(error)})
        else:
            found = CALM if look.in_time else await signs()
            verdict_before = health.verdict
            health = judge(health, look, thresholds, found)
            begun_s = asked_at_s if health.row == 1 else begun_s
            if health.verdict is not verdict_before:
                board.detection.saw(PROBE, clock_s() - begun_s)
                said = why if look.in_time else no_answer(thresholds.limit_s, found)
                board.note(probe, health.verdict, _words(health, said))
        # From begin to begin; what was missed while one question took long is not made up for.
        eager_s = min(2 * eager_s, period_s) if health.verdict is not Verdict.WORKS else period_s
        due_s = max(due_s + eager_s, clock_s())


def _thresholds(probe: Probe, *, starting: bool) -> Thresholds:
    """A start has a limit of its own, and what only degrades brings nothing down: neither is given more time."""
    period_s = max(seconds(probe.period), SHORTEST_PERIOD_S)
    by = Thresholds(probe.failure_threshold, probe.success_threshold, seconds(probe.timeout), period_s)
    return by if starting or only_degrades(probe) else patient(by)


def _words(health: Health, why: str) -> str:
    return health.why if health.verdict is Verdict.SUSPECT else joined(why, health.why)


async def _ask(probe: Probe, asker: Asker) -> tuple[Look, str]:
    """With why it is not good; empty where there was no answer."""
    timeout_s, begun_s = seconds(probe.timeout), clock_s()
    try:
        async with asyncio.timeout(timeout_s):
            why = await asker.ask(probe)
    except TimeoutError:
        return Look(good=False, took_s=timeout_s, in_time=False), ""
    return Look(good=why is None, took_s=clock_s() - begun_s), why or ""
