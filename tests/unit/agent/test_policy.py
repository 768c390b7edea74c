"""The policy of a host's admin is asked before anything is done with what a service brings, and what runs is never left alone."""

from __future__ import annotations

import asyncio

import pytest

from backstay_agent.cluster.link import ASSIGNMENTS
from backstay_agent.fake import FakeMachine
from backstay_agent.standby.standbys import Keeper
from backstay_api.objects.plain import Command, RenderedResource, StandbyOrder, StandbyReport
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import ADDRESS, HOST, UNIT, World, address, enrolled, running, unit

WHY = "10-shop.toml does not allow it"
COMMAND = RenderedResource(name="app", command=Command(start=("/bin/up",), stop=("/bin/down",)))


async def refused(world: World, why: str = f"server: {WHY}") -> None:
    """The report says so, however it is said besides."""

    async def told() -> bool:
        report = await world.report()
        return report is not None and why in report.why

    await world.until(told)


@in_virtual_time
async def test_what_is_refused_is_not_started_and_leaves_no_trace() -> None:
    world = await enrolled()
    world.machine.refused[ADDRESS] = WHY
    await world.order()
    await refused(world, f"address: {WHY}")
    report = await world.report()
    assert report and (report.phase, report.healthy) == ("Failed", False)
    assert world.machine.log == [] and not world.machine.secured and world.agent
    assert not world.agent.journal.checkpoint.records, "nothing of it may be stopped by its own commands either"
    await world.order("Down")
    await world.released()
    assert world.machine.log == []


@in_virtual_time
async def test_an_edit_that_is_refused_leaves_what_runs_as_it_is() -> None:
    world = await running()
    world.machine.refused["unit evil.service"] = WHY
    begun = list(world.machine.log)
    await world.order(revision=2, resources=(unit(unit="evil.service"), address()))
    await refused(world)
    report = await world.report()
    assert report and (report.phase, report.healthy, report.epoch) == ("Running", True, 1)
    assert world.machine.log == begun and world.runs(UNIT, ADDRESS)
    await world.order("Down")
    await world.released()
    assert world.machine.log[len(begun) :] == [f"stop {ADDRESS}", f"stop {UNIT}"], "by what was started"


@in_virtual_time
async def test_what_runs_when_a_policy_is_tightened_is_watched_and_stopped_in_order() -> None:
    world = await running()
    begun = len(world.machine.log)
    world.machine.refused[UNIT] = WHY
    await refused(world)
    report = await world.report()
    assert report and (report.phase, report.healthy) == ("Running", True) and world.runs(UNIT, ADDRESS)
    world.machine.kill(ADDRESS)
    await world.phase_is("Failed")
    assert world.machine.log[begun:] == [f"died {ADDRESS}", f"stop {ADDRESS}", f"stop {UNIT}"], "nothing is begun anew"
    await refused(world)


@in_virtual_time
async def test_a_policy_that_is_broken_lets_what_runs_be_restarted_and_nothing_new_begin() -> None:
    world = await running()
    world.machine.broken_policy = "10-shop.toml is not understood"
    world.machine.kill(UNIT)
    await asyncio.sleep(1)
    await world.phase_is("Running")
    assert world.machine.log[-3:] == [f"died {UNIT}", f"stop {UNIT}", f"start {UNIT}"]
    await world.order(uid="u2", resources=(unit(unit="db.service"),))
    await world.phase_is("Failed", "u2")
    assert "unit db.service" not in world.machine.secured and world.runs(UNIT)


@in_virtual_time
async def test_what_is_loosened_is_taken_without_a_restart() -> None:
    world = await enrolled()
    world.machine.refused[UNIT] = WHY
    await world.order()
    await refused(world)
    del world.machine.refused[UNIT]
    await world.phase_is("Running")


@in_virtual_time
async def test_what_was_taken_and_is_refused_at_its_start_is_failed_here() -> None:
    """The policy was tightened between the order and the start."""
    world = await enrolled()
    world.system.why_nothing_exclusive = "it may fall asleep"
    await world.order()
    await refused(world, "it may fall asleep")
    world.machine.refused[UNIT], world.system.why_nothing_exclusive = WHY, ""
    await world.phase_is("Failed")
    await refused(world)
    report = await world.report()
    assert report and report.error_type == "Hard" and world.machine.log == []


@in_virtual_time
async def test_what_the_host_could_not_tell_is_asked_again_before_it_is_started() -> None:
    world = await enrolled()
    world.machine.unnamed = 2
    await world.order()
    await refused(world, "systemd does not say what it calls the unit; it is asked again")
    assert world.machine.log == []
    await world.phase_is("Running")
    report = await world.report()
    assert report and report.why == "" and world.runs(UNIT, ADDRESS)


@in_virtual_time
async def test_what_the_host_never_tells_is_for_another_host() -> None:
    world = await enrolled()
    world.machine.unnamed = 99
    await world.order()
    await world.phase_is("Failed")
    report = await world.report()
    assert report and (report.error_type, report.why) == ("Soft", "systemd does not say what it calls the unit")
    assert [line for line in world.machine.log if line.startswith("start")] == []


@in_virtual_time
async def test_an_edit_waits_until_the_host_can_tell_and_what_runs_goes_on() -> None:
    world = await running()
    begun = list(world.machine.log)
    world.machine.unnamed = 9
    await world.order(revision=2, resources=(unit(unit="other.service"), address()))
    await refused(world, "systemd does not say what it calls the unit; it is asked again")
    await asyncio.sleep(5)
    assert world.machine.log == begun and world.runs(UNIT, ADDRESS)
    await world.until(lambda: _runs(world, "unit other.service"))


async def _runs(world: World, *identities: str) -> bool:
    return world.runs(*identities)


@in_virtual_time
async def test_the_inventory_of_what_may_run_lists_nothing_that_is_refused() -> None:
    """An agent that has lost its journal stops all that is listed, by its own commands."""
    world = await enrolled()
    world.machine.refused["command /bin/up"] = WHY
    allowed = {"namespace": "shop", "name": "web-0", "revision": 1, "resources": [unit().to_wire()]}
    standbys = {"u8": allowed, "u9": {**allowed, "resources": [COMMAND.to_wire()]}}
    await world.operator.patch(ASSIGNMENTS, HOST, {"spec": {"standbys": standbys}})

    async def told() -> bool:
        return len((await world.assignment()).status.standbys) == 2

    await world.until(told)
    found = await world.agent.journal.load() if world.agent else None
    assert found and [one.name for group in found.may_run for one in group] == ["server"]


@in_virtual_time
async def test_a_policy_is_told_with_what_is_wrong_with_it() -> None:
    world = await enrolled()
    assert world.agent
    world.machine.broken_policy = "10-shop.toml is not understood"
    world.agent.examined(())

    async def told() -> bool:
        status = (await world.assignment()).status
        return status.facts.policy == world.machine.broken_policy and bool(status.problems)

    await world.until(told)
    (problem,) = (await world.assignment()).status.problems or ()
    assert (problem.check, problem.why) == ("Policy", world.machine.broken_policy)


# --- a standby -------------------------------------------------------------------------------------------------------


class Host:
    """A keeper on a fake machine."""

    def __init__(self) -> None:
        from backstay_agent.fake import FakeHostSystem

        self.machine = FakeMachine()
        self.system = FakeHostSystem(self.machine)
        self.keeper: Keeper = self.system.standbys(lambda: None)
        self.life: asyncio.Task[None] | None = None

    async def examined(self, *resources: RenderedResource, secured: frozenset[str] | None = None) -> StandbyReport:
        order = StandbyOrder(namespace="shop", name="web-0", revision=1, resources=resources)
        self.keeper.update({"u1": order}, ours={}, secured=secured)
        self.life = self.life or asyncio.create_task(self.keeper.run())
        await asyncio.sleep(11)
        return self.keeper.reports["u1"]


@pytest.mark.parametrize("where", ["a standby", "a list of units"])
@in_virtual_time
async def test_what_is_refused_is_not_secured_and_its_host_is_not_ready(where: str) -> None:
    host = Host()
    host.machine.refused[UNIT] = WHY
    secured = frozenset({"web.service"}) if where != "a standby" else None
    report = await host.examined(unit(), secured=secured)
    assert report == StandbyReport(ready=False, revision=1, why=f"server: {WHY}") and not host.machine.secured
    del host.machine.refused[UNIT]
    assert await host.examined(unit(), secured=secured) == StandbyReport(ready=True, revision=1)
    assert UNIT in host.machine.secured


@in_virtual_time
async def test_a_refused_unit_that_would_start_by_itself_counts_as_running() -> None:
    """Nothing keeps it from that here, so its first start elsewhere waits."""
    host = Host()
    host.machine.refused[UNIT] = WHY
    host.machine.unit("web.service")
    host.machine.enabled.add(UNIT)
    report = await host.examined(unit())
    assert (report.active, report.unclear) == (True, True) and "would start by itself" in report.why


@in_virtual_time
async def test_nobody_looks_at_what_only_a_refused_command_could_tell() -> None:
    host = Host()
    host.machine.refused["command /bin/up"] = WHY
    report = await host.examined(COMMAND)
    assert (report.ready, report.active, report.unclear) == (False, True, True)
    assert report.why == f"app: {WHY}; so nobody may look whether it runs here either"
    assert not host.machine.listeners["command /bin/up"], "nor is it watched, which would look too"
    assert not host.machine.secured


@in_virtual_time
async def test_a_unit_that_was_secured_before_it_was_refused_stays_so() -> None:
    host = Host()
    await host.examined(unit(), secured=frozenset({"web.service"}))
    host.machine.refused[UNIT] = WHY
    report = await host.examined(unit(), secured=frozenset({"web.service"}))
    assert not report.ready and UNIT in host.machine.secured


@in_virtual_time
async def test_a_standby_asks_the_policy_of_what_says_how_fresh_its_data_is() -> None:
    host = Host()
    host.machine.refused["score /position"] = WHY
    host.machine.scores["/position"] = 7
    order = StandbyOrder(namespace="shop", name="web", service="web", resources=(unit(),), score_command=("/position",))
    host.keeper.update({"u1": order}, ours={}, secured=None, up={("shop", "web")})
    host.life = asyncio.create_task(host.keeper.run())
    await asyncio.sleep(11)
    assert (host.keeper.reports["u1"].score, host.keeper.reports["u1"].score_why) == (-1, WHY)
