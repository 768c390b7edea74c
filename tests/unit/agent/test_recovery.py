"""How often an agent restarts in place, and when: by what the order says of it, else by the defaults."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from backstay_agent.core.checkpoint import Checkpoint, Record
from backstay_agent.core.orders import read_orders
from backstay_agent.core.patience import due_at_s, may_restart, try_again
from backstay_agent.drivers.base import Seen, State
from backstay_agent.run.attempts import Attempts
from backstay_agent.run.monitoring import Monitor
from backstay_api.objects.plain import Backoff, RenderedRecovery
from backstay_api.objects.recovery import ErrorType, Policy, policy_of
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import UNIT, World, enrolled, running


@pytest.mark.parametrize(
    ("recovery", "policy"),
    [
        pytest.param(None, Policy(), id="nothing is said"),
        pytest.param(RenderedRecovery(), Policy(), id="an empty block"),
        pytest.param(RenderedRecovery(restarts=0), Policy(restarts=0), id="0 is not absent"),
        pytest.param(RenderedRecovery(window="1m"), Policy(window="1m"), id="a window"),
        pytest.param(
            RenderedRecovery(backoff=Backoff(initial="2s")), Policy(first_s=2.0), id="the longest pause stays"
        ),
        pytest.param(
            RenderedRecovery(backoff=Backoff(initial="1m")),
            Policy(first_s=60.0, longest_s=60.0),
            id="unless it is shorter",
        ),
        pytest.param(RenderedRecovery(backoff=Backoff(max="5s")), Policy(longest_s=5.0), id="a cap"),
    ],
)
def test_what_is_not_said_is_as_always(recovery: RenderedRecovery | None, policy: Policy) -> None:
    assert policy_of(recovery) == policy


@pytest.mark.parametrize(
    ("restarted_at_s", "policy", "may"),
    [
        pytest.param([], Policy(restarts=0), False, id="none at all"),
        pytest.param([90], Policy(restarts=1), False, id="one"),
        pytest.param([90, 91, 92, 93], Policy(restarts=5), True, id="more than three"),
        pytest.param([90, 99], Policy(restarts=2, window="10s"), True, id="each is forgotten by itself"),
        pytest.param([91, 99], Policy(restarts=2, window="10s"), False, id="and not before"),
    ],
)
def test_as_many_restarts_as_the_manifest_says(restarted_at_s: list[float], policy: Policy, may: bool) -> None:
    assert may_restart(restarted_at_s, now_s=100, by=policy) is may
    assert try_again([*restarted_at_s, 99], now_s=100, by=replace_one_more(policy)) is may


def replace_one_more(policy: Policy) -> Policy:
    return Policy(restarts=policy.restarts + 1, window=policy.window)


@pytest.mark.parametrize(
    ("policy", "due_at"),
    [
        pytest.param(Policy(first_s=0.5), 102, id="half a second, one, two"),
        pytest.param(Policy(longest_s=3.0), 103, id="never longer than max"),
        pytest.param(Policy(window="4s"), 102, id="what lies before the window makes it no longer"),
    ],
)
def test_pauses_as_the_manifest_says(policy: Policy, due_at: float) -> None:
    assert due_at_s([95, 98, 100], now_s=100, by=policy) == due_at


def test_a_record_remembers_its_policy_and_all_restarts_that_count() -> None:
    record = Record(uid="u", namespace="shop", name="web-0", epoch=1, nonce="n", want="Up", exclusive=True,
                    recovery=RenderedRecovery(restarts=5, window="100s", backoff=Backoff(initial="2s")))  # fmt: skip
    for at_s in (0.0, 50.0, 60.0, 70.0, 120.0):
        record = record.restarted(at_s)
    assert record.restarted_at_s == (50.0, 60.0, 70.0, 120.0) and record.restarts == 5
    checkpoint = Checkpoint(boot_id="b", nonce="n", records={"u": record})
    assert Checkpoint.from_wire(checkpoint.to_wire()) == checkpoint
    old = checkpoint.to_wire()
    del old["records"][0]["recovery"]
    assert Checkpoint.from_wire(old).records["u"].policy == Policy(), "as an agent wrote it that knew of none"


def test_what_a_later_release_adds_to_recovery_is_left_aside() -> None:
    entry = {"namespace": "shop", "name": "web-0", "epoch": 1, "session": {"bootID": "b", "nonce": "n", "seq": 1}}
    entry |= {"want": "Up", "exclusive": True, "recovery": {"restarts": 7, "jitter": "1s"}, "conscience": "good"}
    order = read_orders({"instances": {"u": entry}}).spec.instances["u"]
    assert order.recovery == RenderedRecovery(restarts=7)


async def dies(world: World, times: int) -> None:
    for _ in range(times):
        await world.phase_is("Running")
        world.machine.kill(UNIT)
        await asyncio.sleep(0.1)


async def given_up(world: World, why: str) -> None:
    async def is_so() -> bool:
        report = await world.report()
        return report is not None and report.phase == "Failed" and why in report.why

    await world.until(is_so)


@pytest.mark.parametrize(
    ("recovery", "deaths", "why"),
    [
        pytest.param({"restarts": 0}, 1, "recovery.restarts is 0; then ", id="no restart in place"),
        pytest.param({"restarts": 1}, 2, "restarted in place once within 10m; then ", id="one"),
        pytest.param({"restarts": 5, "window": "2m"}, 6, "restarted in place 5 times within 2m; then ", id="five"),
    ],
)
def test_it_is_given_up_when_its_own_restarts_are_used_up(recovery: dict[str, Any], deaths: int, why: str) -> None:
    @in_virtual_time
    async def story() -> None:
        world = await running(recovery=recovery)
        await dies(world, deaths - 1)
        await world.phase_is("Running")
        report = await world.report()
        assert report and report.restarts == deaths - 1
        await dies(world, 1)
        await given_up(world, why)

    story()


@in_virtual_time
async def test_pauses_are_those_of_the_order() -> None:
    world = await running(recovery={"backoff": {"initial": "10s"}})
    await dies(world, 2)
    begun_s = asyncio.get_running_loop().time()
    await world.phase_is("Running")
    assert 9 <= asyncio.get_running_loop().time() - begun_s <= 11


@in_virtual_time
async def test_another_policy_restarts_nothing_and_counts_at_once() -> None:
    world = await running()
    await dies(world, 1)
    await world.phase_is("Running")
    log = list(world.machine.log)
    await world.order(revision=2, recovery={"restarts": 1})

    async def accepted() -> bool:
        report = await world.report()
        return report is not None and report.revision == 2

    await world.until(accepted)
    assert world.machine.log == log and (await world.report()).phase == "Running"  # type: ignore[union-attr]
    await dies(world, 1)
    await given_up(world, "restarted in place once within 10m")


@in_virtual_time
async def test_an_agent_that_starts_anew_goes_on_by_the_same_policy() -> None:
    world = await enrolled()
    await world.order(recovery={"restarts": 1})
    await dies(world, 1)
    await world.phase_is("Running")
    await world.kill_agent()
    world.start_agent()
    await dies(world, 1)
    await given_up(world, "restarted in place once")


# --- what another try does not help against -----------------------------------------------------------------------


async def given_up_for(world: World, error_type: str) -> None:
    await given_up(world, "no such disk")
    report = await world.report()
    assert report and (report.error_type, "restarted in place" in report.why) == (error_type, False)


@in_virtual_time
@pytest.mark.parametrize("error_type", ["Hard", "Fatal"])
async def test_what_cannot_work_here_is_tried_once_and_given_up(error_type: ErrorType) -> None:
    world = await running()
    script = world.machine.scripts[UNIT]
    script.start_fails, script.error_type = "no such disk", error_type
    await dies(world, 1)
    await given_up_for(world, error_type)
    assert world.machine.log.count(f"start {UNIT}") == 2
    await world.kill_agent()
    world.start_agent()
    await given_up_for(world, error_type)
    script.start_fails = ""
    await world.order(cleared=1)
    await world.phase_is("Running")
    assert (await world.report()).error_type == "Soft"  # type: ignore[union-attr]


@in_virtual_time
async def test_what_its_monitor_says_cannot_work_here_is_not_restarted_in_place() -> None:
    world = await running()
    world.machine.down(UNIT, Seen(State.FAILED, "no such disk", error_type="Hard"))
    await given_up_for(world, "Hard")
    assert world.machine.log.count(f"start {UNIT}") == 1


# --- what a person has forgotten ------------------------------------------------------------------------------------


@in_virtual_time
async def test_what_was_given_up_is_tried_again_when_a_person_has_cleared_it() -> None:
    world = await running(recovery={"restarts": 0})
    await dies(world, 1)
    await given_up(world, "recovery.restarts is 0")
    await world.order(recovery={"restarts": 0}, cleared=1)
    await world.phase_is("Running")
    await dies(world, 1)
    await given_up(world, "recovery.restarts is 0")
    await world.order(recovery={"restarts": 0}, cleared=1)
    await asyncio.sleep(60)
    await given_up(world, "recovery.restarts is 0")  # one clear forgets once


@in_virtual_time
async def test_restarts_that_a_person_has_cleared_count_no_more_and_nothing_is_touched() -> None:
    world = await running()
    await dies(world, 2)
    await world.phase_is("Running")
    log = list(world.machine.log)
    assert (await counted(world))[0] == 2
    await world.order(cleared=3)
    await world.until(lambda: counts(world, 0))
    assert world.machine.log == log
    await world.kill_agent()
    world.start_agent()
    await dies(world, 3)
    await world.phase_is("Running")
    await asyncio.sleep(60)
    assert await counts(world, 3), "one clear forgets once, however often its order is read"


async def counted(world: World) -> tuple[int | None, str | None, str | None]:
    report = await world.report()
    assert report is not None
    return report.recent_restarts, report.forgotten_at, report.next_try_at


async def counts(world: World, wanted: int) -> bool:
    return (await counted(world))[0] == wanted


@in_virtual_time
async def test_the_status_says_how_many_restarts_count_and_when_one_is_forgotten() -> None:
    world = await running(recovery={"window": "100s", "backoff": {"initial": "20s"}})
    assert await counted(world) == (0, None, None)
    await dies(world, 1)
    await world.phase_is("Running")
    assert await counted(world) == (1, "1970-01-01T00:01:40Z", None), "the wall clock stands still here"
    await dies(world, 1)
    await world.until(lambda: waits(world))
    await world.phase_is("Running")
    assert await counts(world, 2)
    await world.until(lambda: counts(world, 1), limit_s=100)
    await world.until(lambda: counts(world, 0), limit_s=100)


async def waits(world: World) -> bool:
    return (await counted(world))[2] is not None


# --- what nobody touches --------------------------------------------------------------------------------------------

UNMANAGED = "spec.state is Unmanaged"


async def left(world: World, phase: str = "Running") -> bool:
    report = await world.report()
    return report is not None and report.hands_off and report.phase == phase


@in_virtual_time
async def test_what_is_left_to_others_is_watched_and_neither_started_nor_restarted() -> None:
    world = await running()
    log = list(world.machine.log)
    await world.order(revision=2, handsOff=UNMANAGED)
    await world.until(lambda: left(world))
    world.machine.kill(UNIT)
    await world.until(lambda: broken(world))
    await asyncio.sleep(60)
    assert world.machine.log == [*log, f"died {UNIT}"]


async def broken(world: World) -> bool:
    report = await world.report()
    return report is not None and not report.healthy


@in_virtual_time
async def test_what_is_taken_back_is_not_restarted_where_it_is_as_wanted() -> None:
    world = await running()
    log = list(world.machine.log)
    await world.order(revision=2, handsOff=UNMANAGED)
    await world.until(lambda: left(world))
    await world.order(revision=3)
    await world.until(lambda: taken_back(world, 3))
    assert world.machine.log == log
    await dies(world, 1)
    await world.phase_is("Running")
    assert await counts(world, 1), "it is managed again"


async def taken_back(world: World, revision: int) -> bool:
    report = await world.report()
    return report is not None and not report.hands_off and report.healthy and report.revision == revision


@in_virtual_time
async def test_what_was_down_meanwhile_is_started_when_it_is_taken_back_and_counts_nothing() -> None:
    world = await running()
    await world.order(revision=2, handsOff=UNMANAGED)
    await world.until(lambda: left(world))
    world.machine.kill(UNIT)
    await world.order(revision=3)
    await world.until(lambda: taken_back(world, 3))
    assert world.runs(UNIT) and await counts(world, 0)


@in_virtual_time
async def test_an_order_to_stop_is_obeyed_all_the_same() -> None:
    world = await running()
    await world.order(revision=2, handsOff=UNMANAGED)
    await world.until(lambda: left(world))
    await world.order("Down", revision=2)
    await world.released()
    assert not world.machine.running


@in_virtual_time
async def test_another_agent_leaves_it_alone_too() -> None:
    world = await running()
    await world.order(revision=2, handsOff=UNMANAGED)
    await world.until(lambda: left(world))
    log = list(world.machine.log)
    await world.kill_agent()
    world.machine.kill(UNIT)
    world.start_agent(blind=False)
    await asyncio.sleep(60)
    assert (world.machine.log == [*log, f"died {UNIT}"] and await left(world, "Running")) or await left(
        world, "Stopped"
    )


@in_virtual_time
async def test_another_count_is_news_once_though_nobody_can_be_told() -> None:
    attempts = Attempts(Monitor(cast(Any, None), lambda: None), lambda: "1970-01-01T00:00:00Z")
    record = Record(uid="u", namespace="shop", name="web-0", epoch=1, nonce="n", want="Up", exclusive=True)
    record = record.restarted(asyncio.get_running_loop().time())
    assert [attempts.is_another_count(record) for _ in range(3)] == [True, False, False]
