"""Asks regularly whether a resource really works: a connection, an HTTP answer, a command's exit.

Here is when to ask and whom to tell; when enough has been seen is `core/health.py`; how one question is asked is `Asker`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from backstay_agent.core.health import Health, Thresholds, Verdict, judge
from backstay_api.objects.durations import seconds
from backstay_api.objects.plain import Probe, RenderedResource
from backstay_api.objects.probe_kinds import only_degrades
from backstay_api.process.waiting import clock_s

# A period of nothing would be a busy loop.
SHORTEST_PERIOD_S: Final = 0.05
# What is only coming up is asked often: its clients wait for the answer. At first twice this, then four times …
EAGER_S: Final = 0.025

OnVerdict = Callable[[bool, str], None]


class Asker(Protocol):
    """Asks one question once."""

    async def ask(self, probe: Probe) -> str | None:
        """None if the answer is good, else why not. It need not keep the probe's timeout; it must bear being cancelled."""


@dataclass
class _Board:
    """What the probes of one resource think, and what was last told."""

    on_verdict: OnVerdict
    silent: set[str]
    """Probes without a verdict: nothing is said to work before they have answered. Those that only degrade are not waited for."""
    failing: dict[str, str] = field(default_factory=dict)
    degrading: dict[str, str] = field(default_factory=dict)
    told: tuple[bool, str] | None = None
    """Whether it works; and if it does, by which probes it is degraded."""

    def note(self, probe: Probe, verdict: Verdict, why: str) -> None:
        self.silent.discard(probe.name)
        known = self.degrading if only_degrades(probe) else self.failing
        known.pop(probe.name, None)
        if verdict is Verdict.FAILS:
            known[probe.name] = why
        self.tell()

    def tell(self) -> None:
        works = not self.failing
        if works and self.silent:
            return
        news = (works, ", ".join(sorted(self.degrading)) if works else "")
        if news != self.told:
            self.told = news
            found = self.degrading if works else self.failing
            self.on_verdict(works, "; ".join(f"probe {name}: {why}" for name, why in sorted(found.items())))


async def run_probes(
    resource: RenderedResource, on_verdict: OnVerdict, asker: Asker, *, starting: bool = False
) -> None:
    """Run all probes of the resource until cancelled; tell when together they change their mind.

    `starting`: it is only coming up. Then the initial delay is kept, and until its first good answer a probe is asked
    oftener than its period says.
    """
    board = _Board(on_verdict, {probe.name for probe in resource.probes if not only_degrades(probe)})
    board.tell()
    async with asyncio.TaskGroup() as tasks:
        for probe in resource.probes:
            tasks.create_task(
                _repeat(probe, board, asker, starting=starting), name=f"probe {resource.name}/{probe.name}"
            )


async def _repeat(probe: Probe, board: _Board, asker: Asker, *, starting: bool) -> None:
    period_s = max(seconds(probe.period), SHORTEST_PERIOD_S)
    thresholds = Thresholds(probe.failure_threshold, probe.success_threshold)
    health = Health()
    # No start waits for one that only degrades: it may be asked for the first time when that is long over.
    due_s = clock_s() + (seconds(probe.initial_delay) if starting or only_degrades(probe) else 0.0)
    eager_s = EAGER_S if starting and not only_degrades(probe) else period_s
    while True:
        await asyncio.sleep(due_s - clock_s())
        why = await _ask(probe, asker)
        verdict_before = health.verdict
        health = judge(health, why is None, thresholds)
        if health.verdict is not verdict_before:
            board.note(probe, health.verdict, why or "")
        # From begin to begin; what was missed while one question took long is not made up for.
        eager_s = min(2 * eager_s, period_s) if health.verdict is not Verdict.WORKS else period_s
        due_s = max(due_s + eager_s, clock_s())


async def _ask(probe: Probe, asker: Asker) -> str | None:
    timeout_s = seconds(probe.timeout)
    try:
        async with asyncio.timeout(timeout_s):
            return await asker.ask(probe)
    except TimeoutError:
        return f"no answer within {timeout_s:g} s"
