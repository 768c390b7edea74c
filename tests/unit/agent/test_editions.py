"""An agent brings a file to a standby and to where the service runs, killed anywhere; and takes back what that is not well with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from backstay_agent.core import editions
from backstay_agent.core.editions import SOAK_S, Edition
from backstay_agent.core.health import Verdict
from backstay_api.memory.server import Change, Fate, Request
from backstay_api.objects.editions import EDITION, REFUSED, STAGED, TRIAL, TRIES, WHY_REFUSED
from backstay_api.objects.plain import ExpectedCopy, RenderedRollout
from backstay_dev.simulator.virtualtime import in_virtual_time, run
from backstay_testing.agent_world import World, enrolled, running
from backstay_testing.editions import PATH, PROBED, A, B, bring, said, there, until_says


@in_virtual_time
async def test_a_standby_checks_it_and_puts_it_in_place() -> None:
    world = await enrolled()
    await bring(world, A, A)
    found = await until_says(world, EDITION, A.id)
    assert (there(world), found.why) == ("a", "")
    assert world.machine.log == ["check /bin/check", "put /etc/web.conf a"]


@in_virtual_time
async def test_what_its_program_calls_wrong_is_never_put_in_place_and_said_in_its_words() -> None:
    world = await enrolled()
    await bring(world, A, A)
    await until_says(world, EDITION, A.id)
    world.machine.wrong["b"] = "/bin/check exited with 1; it said: line 3: no"
    await bring(world, B, B, revision=2)
    found = await until_says(world, REFUSED, B.id)
    assert there(world) == "a"
    assert B.id not in found.facts[STAGED].split()
    assert found.facts[WHY_REFUSED] == "/bin/check exited with 1; it said: line 3: no"


class Away:
    """`Faults`: the API server cannot be reached for a while."""

    is_away = False

    def request(self, request: Request) -> Fate:
        return Fate(unreachable="no route" if self.is_away and request.actor == "agent" else "")

    def event(self, watch: Request, change: Change | None) -> float | None:
        return None if self.is_away else 0.0


async def on_trial(faults: Away | None = None, rollout: RenderedRollout | None = None) -> World:
    """A service runs with a, and b is put on trial."""
    world = await enrolled(faults=faults)
    await bring(world, A, A)
    await until_says(world, EDITION, A.id)
    await world.order(resources=PROBED)
    await world.phase_is("Running")
    await bring(world, B, A, revision=2)

    async def is_staged() -> bool:
        return B.id in (await said(world)).facts.get(STAGED, "").split()

    await world.until(is_staged)
    assert there(world) == "a"
    world.machine.log.clear()
    await bring(world, B, B, revision=2, rollout=rollout)
    await until_says(world, TRIAL, B.id)
    return world


@in_virtual_time
async def test_where_the_service_runs_it_is_reloaded_and_proven_after_a_while() -> None:
    world = await on_trial()
    assert (await said(world)).facts[EDITION] == A.id
    begun_s = asyncio.get_running_loop().time()
    await until_says(world, EDITION, B.id)
    assert SOAK_S - 1 <= asyncio.get_running_loop().time() - begun_s <= SOAK_S + 2
    assert world.machine.log == ["put /etc/web.conf b", "reload server"]
    assert TRIAL not in (await said(world)).facts


@in_virtual_time
async def test_it_is_on_trial_for_as_long_as_the_manifest_says_and_its_agent_says_so() -> None:
    world = await on_trial(rollout=RenderedRollout(soak="5s"))
    begun_s = asyncio.get_running_loop().time()
    found = await until_says(world, EDITION, B.id)
    assert 4 <= asyncio.get_running_loop().time() - begun_s <= 7
    assert found.facts[TRIES] == "soak 5s"


@in_virtual_time
async def test_what_the_service_is_not_well_with_is_taken_back_though_the_api_is_away() -> None:
    away = Away()
    world = await on_trial(away)
    away.is_away = True
    world.system.judges["server"](Verdict.FAILS, "probe alive: connection refused")
    await asyncio.sleep(2)
    assert there(world) == "a"
    away.is_away = False
    puts = [line for line in world.machine.log if not line.startswith(("start", "stop"))]
    assert puts[:4] == ["put /etc/web.conf b", "reload server", "put /etc/web.conf a", "reload server"]
    found = await until_says(world, REFUSED, B.id)
    assert found.facts[WHY_REFUSED].startswith("the service was not well with it: ")
    await asyncio.sleep(3 * SOAK_S)
    assert there(world) == "a"
    assert world.machine.log.count("put /etc/web.conf b") == 1


@in_virtual_time
async def test_a_reload_that_fails_takes_it_back() -> None:
    world = await enrolled()
    await bring(world, A, A)
    await until_says(world, EDITION, A.id)
    await world.order(resources=PROBED)
    await world.phase_is("Running")
    world.machine.hard_to_tell["server"] = "web.service was not reloaded"
    await bring(world, B, B, revision=2)
    found = await until_says(world, REFUSED, B.id)
    assert found.facts[WHY_REFUSED] == "web.service was not reloaded"
    assert there(world) == "a"


@in_virtual_time
async def test_a_full_disk_loses_nothing_and_is_said() -> None:
    world = await enrolled()
    await bring(world, A, A)
    await until_says(world, EDITION, A.id)
    world.disk.full = "No space left on device"
    await bring(world, B, B, revision=2)
    await asyncio.sleep(15)
    assert there(world) == "a"
    found = await said(world)
    assert "No space left" in found.facts[WHY_REFUSED]
    assert B.id not in found.facts[STAGED].split()
    world.disk.full = ""
    await until_says(world, EDITION, B.id)


@in_virtual_time
async def test_it_starts_with_what_it_was_chosen_with_though_another_is_in_place() -> None:
    world = await enrolled()
    await bring(world, A, A)
    await until_says(world, EDITION, A.id)
    await bring(world, B, B, revision=2)
    await until_says(world, EDITION, B.id)
    expected = ExpectedCopy(name="config", facts={EDITION: A.id})
    await world.order(resources=PROBED, expects=[expected.to_wire()])
    await world.phase_is("Running")
    log = [line for line in world.machine.log if line.startswith(("put", "start unit"))]
    assert log == [f"put {PATH} a", f"put {PATH} b", f"put {PATH} a", "start unit web.service"]


@in_virtual_time
async def test_what_it_was_chosen_with_and_does_not_have_is_a_failed_start() -> None:
    world = await enrolled()
    await bring(world, A, A)
    await until_says(world, EDITION, A.id)
    await world.order(resources=PROBED, expects=[ExpectedCopy(name="config", facts={EDITION: "c" * 32}).to_wire()])
    await world.phase_is("Failed")
    report = await world.report()
    assert report is not None
    assert "does not have the edition that it was chosen with" in report.why
    assert there(world) == "a"


@in_virtual_time
async def test_what_was_there_before_us_comes_back_where_the_service_runs() -> None:
    world = await running(resources=PROBED)
    world.machine.files[PATH] = Edition("mine", "root", "root", "0600")
    await bring(world, B, B)
    await until_says(world, TRIAL, B.id)
    world.system.judges["server"](Verdict.FAILS, "probe alive: connection refused")
    await asyncio.sleep(2)
    assert world.machine.files[PATH] == Edition("mine", "root", "root", "0600")


@in_virtual_time
async def test_what_the_policy_of_the_host_refuses_is_not_touched() -> None:
    world = await enrolled()
    world.machine.refused[f"file {PATH}"] = "file /etc/web.conf: add it to `files`"
    await bring(world, A, A)
    await asyncio.sleep(15)
    assert there(world) is None
    assert "add it to `files`" in (await said(world)).why


class Counted(list[str]):
    """Calls when so many effects have been."""

    def __init__(self, effect: Callable[[], None]) -> None:
        super().__init__()
        self._effect = effect

    def append(self, line: str) -> None:
        super().append(line)
        if line.startswith(("state/file", "put ", "reload ", "check ", "stop unit", "start unit")):
            self._effect()


RESTART = RenderedRollout(restart=("server",))


@pytest.mark.parametrize(
    ("is_well", "rollout", "at_least"),
    [
        pytest.param(True, None, 8, id="well"),
        pytest.param(False, None, 11, id="not well"),
        pytest.param(True, RESTART, 8, id="restarted, and well"),
        pytest.param(False, RESTART, 11, id="restarted, and not well"),
    ],
)
def test_an_agent_that_is_killed_after_any_effect_ends_where_one_that_lives_does(
    is_well: bool, rollout: RenderedRollout | None, at_least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editions, "SOAK_S", 3.0)  # there are many lives
    effects = 1
    while run(_killed_after(effects, is_well=is_well, rollout=rollout)):
        effects += 1
    assert effects > at_least


async def _killed_after(effects: int, *, is_well: bool, rollout: RenderedRollout | None) -> bool:
    """Whether there were so many effects."""
    world = await enrolled()
    await bring(world, A, A)
    await until_says(world, EDITION, A.id)
    await world.order(resources=PROBED)
    await world.phase_is("Running")
    left, killed = [effects], asyncio.Event()

    def count() -> None:
        left[0] -= 1
        if not left[0]:
            killed.set()
            world.end_now()

    world.machine.log, world.disk.written = Counted(count), Counted(count)
    client = asyncio.create_task(_client(world, is_well=is_well))
    await bring(world, B, B, revision=2, rollout=rollout)
    async with asyncio.timeout(1000):
        await asyncio.wait([asyncio.create_task(killed.wait())], timeout=3 * SOAK_S)
        if killed.is_set():
            await world.kill_agent()
            world.start_agent()
        expected = B if is_well else A
        await until_says(world, EDITION, expected.id)
        if not is_well:
            await until_says(world, REFUSED, B.id)
        await asyncio.sleep(5)
    client.cancel()
    assert there(world) == expected.content
    told = "start unit web.service" if rollout else "reload server"
    assert [line for line in world.machine.log if line.startswith("put") or line == told][-1] == told
    return killed.is_set()


async def _client(world: World, *, is_well: bool) -> None:
    """The probe: with b in place the service answers, or does not."""
    while True:
        await asyncio.sleep(0.2)
        if judge := world.system.judges.get("server"):
            fails = not is_well and there(world) == "b"
            judge(Verdict.FAILS if fails else Verdict.WORKS, "probe alive: no answer" if fails else "")
