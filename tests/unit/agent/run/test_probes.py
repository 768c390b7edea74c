"""When probes are asked and whom they tell, in virtual time."""

import asyncio
import errno
import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from backstay_agent.core.health import CALM, Pressure, Signs, Verdict
from backstay_agent.run.asking import RealAsker
from backstay_agent.run.probes import NotAsked, run_probes
from backstay_api.objects.plain import OcfDepth, Probe, RenderedResource, TcpSocket
from backstay_api.objects.probe_kinds import is_asked
from backstay_dev.simulator.virtualtime import in_virtual_time


class ScriptedAsker:
    """An Asker that answers by the clock, as a fake: good, or why not."""

    def __init__(self, answers: Callable[[Probe, float], str | None], *, takes_s: float = 0.0) -> None:
        self._answers = answers
        self._takes_s = takes_s
        self._begun_s = asyncio.get_running_loop().time()
        self.asked_at_s: list[float] = []

    async def ask(self, probe: Probe) -> str | None:
        now_s = asyncio.get_running_loop().time() - self._begun_s
        self.asked_at_s.append(now_s)
        await asyncio.sleep(self._takes_s)
        return self._answers(probe, now_s)


A_PROBE = Probe(name="p", tcp_socket=TcpSocket(port=1), period="1s")


async def told(
    probes: tuple[Probe, ...], asker: ScriptedAsker, *, for_s: float, starting: bool = False, signs: Signs = CALM
) -> list[tuple[float, bool, str]]:
    """What is told, and when; that it is suspected is no verdict that it works."""

    async def seen() -> Signs:
        return signs

    clock = asyncio.get_running_loop()
    begun_s, news = clock.time(), []
    resource = RenderedResource(name="r", probes=probes)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(for_s):
            await run_probes(
                resource,
                lambda verdict, why: news.append((clock.time() - begun_s, verdict is Verdict.WORKS, why)),
                asker,
                signs=seen,
                starting=starting,
            )
    return news


@in_virtual_time
async def test_asked_from_begin_to_begin_after_the_initial_delay() -> None:
    asker = ScriptedAsker(lambda probe, now_s: None, takes_s=0.4)
    await told((replace(A_PROBE, initial_delay="5s", period="2s"),), asker, for_s=10, starting=True)
    assert asker.asked_at_s == [5, 7, 9]


@in_virtual_time
async def test_what_runs_already_is_asked_at_once() -> None:
    asker = ScriptedAsker(lambda probe, now_s: None)
    await told((replace(A_PROBE, initial_delay="5s", period="2s"),), asker, for_s=5)
    assert asker.asked_at_s == [0, 2, 4]


@in_virtual_time
async def test_what_is_coming_up_is_asked_often_until_its_first_good_answer() -> None:
    asker = ScriptedAsker(lambda probe, now_s: None if now_s >= 1 else "connection refused")
    news = await told((replace(A_PROBE, period="10s"),), asker, for_s=20, starting=True)
    assert asker.asked_at_s == pytest.approx([0, 0.05, 0.15, 0.35, 0.75, 1.55, 11.55])
    assert [works for _, works, _ in news] == [False, True]


@in_virtual_time
async def test_nothing_is_said_to_work_before_all_probes_have_answered() -> None:
    slow = replace(A_PROBE, name="slow", success_threshold=3, period="1s")
    news = await told((replace(A_PROBE, name="quick"), slow), ScriptedAsker(lambda probe, now_s: None), for_s=5)
    assert [(at_s, works) for at_s, works, _ in news] == [(2.0, True)]


@in_virtual_time
async def test_a_slow_answer_delays_the_next_question_and_nothing_is_made_up_for() -> None:
    asker = ScriptedAsker(lambda probe, now_s: None, takes_s=2.5)
    await told((replace(A_PROBE, timeout="9s"),), asker, for_s=9)
    assert asker.asked_at_s == [0, 2.5, 5, 7.5]


@in_virtual_time
async def test_a_period_of_nothing_is_no_busy_loop() -> None:
    asker = ScriptedAsker(lambda probe, now_s: None)
    await told((replace(A_PROBE, period="0s"),), asker, for_s=1)
    assert len(asker.asked_at_s) <= 21


@in_virtual_time
async def test_no_answer_in_time_is_a_failure() -> None:
    asker = ScriptedAsker(lambda probe, now_s: None, takes_s=60)
    news = await told((replace(A_PROBE, timeout="500ms", failure_threshold=2),), asker, for_s=3)
    assert news == [(1.5, False, "probe p: no answer within 0.5 s")]


@in_virtual_time
async def test_a_change_of_mind_is_told_once_with_its_reason() -> None:
    asker = ScriptedAsker(lambda probe, now_s: "refused" if 3 <= now_s < 10 else None)
    news = await told((A_PROBE,), asker, for_s=20)
    assert news == [(0, True, ""), (5, False, "probe p: refused"), (10, True, "")]


@in_virtual_time
async def test_a_resource_works_only_if_all_its_probes_say_so() -> None:
    def answers(probe: Probe, now_s: float) -> str | None:
        bad = {"a": 2 <= now_s < 6, "b": 4 <= now_s < 8}[probe.name]
        return "no" if bad else None

    probes = (replace(A_PROBE, name="a", failure_threshold=1), replace(A_PROBE, name="b", failure_threshold=1))
    news = await told(probes, ScriptedAsker(answers), for_s=20)
    assert [(at_s, works) for at_s, works, _why in news] == [(0, True), (2, False), (8, True)]


DEEP = replace(A_PROBE, name="deep", on_failure="Degrade", failure_threshold=2, initial_delay="3s")


@in_virtual_time
async def test_a_probe_that_only_degrades_is_told_of_what_works_and_never_makes_it_fail() -> None:
    def answers(probe: Probe, now_s: float) -> str | None:
        return (
            "slow" if probe.name == "deep" and now_s < 8 else "refused" if probe.name == "p" and now_s >= 11 else None
        )

    news = await told((A_PROBE, DEEP), ScriptedAsker(answers), for_s=20)
    assert news == [(0, True, ""), (4, True, "probe deep: slow"), (8, True, ""), (13, False, "probe p: refused")]


def test_what_only_degrades_says_of_nothing_that_it_works() -> None:
    r = RenderedResource(name="r")
    assert [is_asked(replace(r, probes=probes)) for probes in ((), (DEEP,), (A_PROBE,), (DEEP, A_PROBE))] == [
        False,
        False,
        True,
        True,
    ]


@in_virtual_time
async def test_what_fails_and_is_degraded_fails() -> None:
    news = await told((A_PROBE, DEEP), ScriptedAsker(lambda probe, now_s: f"{probe.name} says no"), for_s=20)
    assert news == [(2, False, "probe p: p says no")]


@in_virtual_time
async def test_no_start_waits_for_a_probe_that_only_degrades() -> None:
    asker = ScriptedAsker(lambda probe, now_s: "slow")
    assert await told((DEEP,), asker, for_s=20, starting=True) == [(0, True, ""), (4, True, "probe deep: slow")]


@in_virtual_time
async def test_a_probe_that_hangs_keeps_no_other_from_being_asked() -> None:
    class Hanging(ScriptedAsker):
        async def ask(self, probe: Probe) -> str | None:
            if probe.name == "hangs":
                await asyncio.Event().wait()
            return await super().ask(probe)

    asker = Hanging(lambda probe, now_s: None)
    await told((A_PROBE, replace(A_PROBE, name="hangs", timeout="60s")), asker, for_s=4.5)
    assert asker.asked_at_s == [0, 1, 2, 3, 4]


class Stalling(ScriptedAsker):
    """Answers well, but not at all for a while, as a fake."""

    def __init__(self, *, from_s: float, to_s: float = 1e9, probes: tuple[str, ...] = ("p",)) -> None:
        super().__init__(lambda probe, now_s: None)
        self._from_s, self._to_s, self._probes = from_s, to_s, probes

    async def ask(self, probe: Probe) -> str | None:
        now_s = asyncio.get_running_loop().time() - self._begun_s
        if probe.name in self._probes and self._from_s <= now_s < self._to_s:
            await asyncio.Event().wait()
        return await super().ask(probe)


BUSY = Signs((Pressure("the host's", "io", 71.0),), ("7 (tick, in nfs_wait)",))
IMPATIENT = replace(A_PROBE, timeout="500ms", failure_threshold=2)
SLOWLY = (
    "probe p: answers slowly: its last 3 answers took 0.0 s of 0.5 s, and then none came; the host's io pressure is 71 %;"
    " it hangs in the kernel (D state): 7 (tick, in nfs_wait); waiting up to 10 s more before it counts as failed"
)
HANGS = "probe p: no answer within 0.5 s; it hangs in the kernel (D state): 7 (tick, in nfs_wait)"


@in_virtual_time
async def test_no_answer_under_pressure_fails_only_when_its_extension_is_over() -> None:
    news = await told((IMPATIENT,), Stalling(from_s=3), for_s=60, signs=BUSY)
    given = "it was given 10 s more, for it might only have been slow"
    assert news == [(0, True, ""), (4.5, False, SLOWLY), (14.5, False, f"{HANGS}; {given}")]


@in_virtual_time
async def test_an_answer_within_the_extension_ends_it() -> None:
    news = await told((IMPATIENT,), Stalling(from_s=3, to_s=9), for_s=60, signs=BUSY)
    assert news == [(0, True, ""), (4.5, False, SLOWLY), (9, True, "")]


@in_virtual_time
async def test_without_pressure_no_answer_fails_at_its_threshold_and_names_what_hangs() -> None:
    news = await told((IMPATIENT,), Stalling(from_s=3), for_s=60, signs=replace(BUSY, pressures=()))
    assert news == [(0, True, ""), (4.5, False, HANGS)]


@in_virtual_time
async def test_what_fails_is_not_held_up_by_what_may_be_slow() -> None:
    class Both(Stalling):
        async def ask(self, probe: Probe) -> str | None:
            answer = await super().ask(probe)
            return "refused" if probe.name == "q" and self.asked_at_s[-1] >= 7 else answer

    news = await told((IMPATIENT, replace(IMPATIENT, name="q")), Both(from_s=3), for_s=12, signs=BUSY)
    assert news == [(0, True, ""), (4.5, False, SLOWLY), (8, False, "probe q: refused")]


@in_virtual_time
async def test_a_start_has_a_limit_of_its_own_and_no_other_extension() -> None:
    news = await told((IMPATIENT,), Stalling(from_s=0), for_s=5, signs=BUSY, starting=True)
    assert [why for _, _, why in news] == [HANGS]


@in_virtual_time
async def test_what_only_degrades_is_degraded_at_once() -> None:
    slow = replace(IMPATIENT, on_failure="Degrade")
    news = await told((slow,), Stalling(from_s=3), for_s=20, signs=BUSY)
    assert news == [(0, True, ""), (4.5, True, HANGS)]


@in_virtual_time
async def test_what_has_never_answered_is_suspected_and_not_said_to_work() -> None:
    """An agent that starts on a busy host finds what its predecessor left running."""
    news = await told((IMPATIENT, replace(IMPATIENT, name="q")), Stalling(from_s=0, to_s=4), for_s=9, signs=BUSY)
    assert [(at_s, works) for at_s, works, _ in news] == [(1.5, False), (4, True)]


@in_virtual_time
async def test_what_could_not_be_asked_says_nothing_of_the_service() -> None:
    """Seen with 300 services on a host: the agent had no descriptor left, and restarted what ran well."""

    def answers(probe: Probe, now_s: float) -> str | None:
        if now_s >= 5:
            raise NotAsked("[Errno 24] Too many open files")
        return None

    news = await told((A_PROBE,), ScriptedAsker(answers), for_s=60)
    assert [works for _, works, _ in news] == [True]


@pytest.mark.parametrize(
    ("number", "is_ours"), [(errno.EMFILE, True), (errno.ENOMEM, True), (errno.ECONNREFUSED, False)]
)
def test_whose_trouble_it_is(number: int, is_ours: bool) -> None:
    async def own(probe: Probe) -> str | None:
        raise OSError(number, os.strerror(number))

    asking = RealAsker(own).ask(Probe(name="p", ocf=OcfDepth(depth=0)))
    if is_ours:
        with pytest.raises(NotAsked):
            asyncio.run(asking)
    else:
        assert os.strerror(number) in (asyncio.run(asking) or "")
