"""The agent in an imperfect world: the API away, slow or half-answering, writes that lose, other hands on its objects."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest

from backstay_agent.cluster.link import ASSIGNMENTS
from backstay_agent.drivers.base import Observed
from backstay_api.client.errors import ApiError, OutcomeUnknown, TooManyRequests
from backstay_api.memory.server import Change, Fate, Request
from backstay_api.objects import lease as leases
from backstay_api.objects.kinds import LEASES
from backstay_api.objects.plain import (
    ExpectedCopy,
    HostAssignment,
    Meta,
    PrerequisiteOrder,
    RenderedFile,
    RenderedPrerequisite,
)
from backstay_dev.simulator.virtualtime import in_virtual_time, run
from backstay_testing.agent_world import ADDRESS, HOST, UNIT, World, enrolled, unit


@dataclass
class Weather:
    """What befalls the agent's requests: by verb and resource, until changed."""

    fates: dict[tuple[str, str], Fate] = field(default_factory=dict)
    away: str = ""
    sent: list[Request] = field(default_factory=list)

    def request(self, request: Request) -> Fate:
        self.sent.append(request)
        if self.away:
            return Fate(unreachable=self.away)
        return self.fates.get((request.verb, request.resource), Fate())

    def event(self, watch: Request, change: Change | None) -> float | None:
        return None if self.away else 0.0


LEASE, ASSIGNMENT = LEASES.resource, ASSIGNMENTS.resource


async def under(weather: Weather) -> World:
    world = await enrolled(faults=weather)
    await world.order()
    await world.phase_is("Running")
    return world


@in_virtual_time
async def test_an_api_outage_stops_nothing_and_the_same_session_renews_afterwards() -> None:
    weather = Weather()
    world = await under(weather)
    session, renewal = await world.session(), (await world.lease()).renewal
    weather.away = "connection refused"
    world.api.cut_streams()
    await asyncio.sleep(3600)
    assert world.machine.log == [f"start {UNIT}", f"start {ADDRESS}"]
    weather.away = ""
    await asyncio.sleep(0.6)
    assert (await world.lease()).renewal > renewal
    assert await world.session() == session


@in_virtual_time
async def test_a_service_is_restarted_in_place_while_the_api_is_away_even_by_another_agent() -> None:
    weather = Weather()
    world = await under(weather)
    weather.away = "connection refused"
    world.machine.kill(UNIT)
    await world.until(lambda: world.runs(UNIT))
    await world.kill_agent()
    world.machine.kill(UNIT)
    world.start_agent()
    await world.until(lambda: world.runs(UNIT))


@pytest.mark.parametrize(
    ("found", "phase", "log"),
    [
        pytest.param(Observed("", {}), "Running", [f"start {UNIT}", f"start {ADDRESS}"], id="it is as it was"),
        pytest.param(Observed("/etc/one does not exist"), "Failed", [], id="it is gone"),
    ],
)
def test_what_another_agent_was_ordered_by_what_was_found_here_waits_for_that_to_be_looked_at_again(
    found: Observed, phase: str, log: list[str]
) -> None:
    async def story() -> None:
        weather = Weather()
        world = await enrolled(faults=weather)
        file = RenderedPrerequisite(name="one", file=RenderedFile(path="/etc/one"))
        looks = PrerequisiteOrder(namespace="shop", name="web-u1", resources=(file,))
        await world.operator.patch(ASSIGNMENTS, HOST, {"spec": {"prerequisites": {"u1": looks.to_wire()}}})
        world.system.why_nothing_exclusive = "it may fall asleep"
        await world.order(expects=[ExpectedCopy(name="one").to_wire()])
        await world.until(lambda: world.agent and world.agent.journal.checkpoint.records)
        weather.away = "connection refused"
        await world.kill_agent()
        world.machine.looks["one"] = found
        world.start_agent()
        await asyncio.sleep(30)
        assert world.machine.log == [], "it is not known what is to be looked at"
        weather.away = ""
        await world.phase_is(phase)
        assert [line for line in world.machine.log if line.startswith("start")] == log

    run(story())


@in_virtual_time
async def test_in_an_outage_it_tries_every_half_second_and_no_oftener() -> None:
    weather = Weather()
    world = await under(weather)
    weather.away = "connection refused"
    weather.sent.clear()
    await asyncio.sleep(100)
    renewals = [request for request in weather.sent if request.resource == LEASE]
    assert 195 <= len(renewals) <= 205
    assert world.agent and world.agent.heartbeat.trouble


@in_virtual_time
async def test_a_slow_answer_does_not_put_off_the_next_renewal() -> None:
    """The period is counted from the send: others count our silence from when they see a renewal, not from its answer."""
    weather = Weather()
    world = await under(weather)
    weather.fates["update", LEASE] = Fate(answer_delay_s=0.3)
    before = (await world.lease()).renewal
    await asyncio.sleep(20)
    assert (await world.lease()).renewal >= before + 39


@in_virtual_time
async def test_a_renewal_whose_answer_is_lost_is_looked_up_and_goes_on() -> None:
    weather = Weather()
    world = await under(weather)
    weather.fates["update", LEASE] = Fate(answer_lost=True)
    before = (await world.lease()).renewal
    await asyncio.sleep(5)
    assert (await world.lease()).renewal >= before + 4
    verbs = [request.verb for request in weather.sent if request.resource == LEASE]
    assert all("get" in pair for pair in pairwise(verbs[-6:])), "after an unknown outcome it reads before it writes"


@pytest.mark.parametrize(
    "error", [TooManyRequests("slow down"), OutcomeUnknown("the server answered 500", code=500)], ids=["429", "500"]
)
def test_whatever_the_server_answers_the_session_stays(error: ApiError) -> None:
    @in_virtual_time
    async def story() -> None:
        weather = Weather()
        world = await under(weather)
        session = await world.session()
        for verb in ("get", "update"):
            weather.fates[verb, LEASE] = Fate(error=error)
        await asyncio.sleep(60)
        weather.fates.clear()
        await world.held()
        assert await world.session() == session
        assert world.machine.log == [f"start {UNIT}", f"start {ADDRESS}"]

    story()


@in_virtual_time
async def test_a_renewal_that_lost_against_an_admins_note_is_repeated_at_once() -> None:
    world = await enrolled()
    await asyncio.sleep(0.4)
    note = {"metadata": {"annotations": {"note": "hello"}}}
    await world.operator.patch(LEASES, HOST, note, leases.NAMESPACE)
    before = (await world.lease()).renewal
    await asyncio.sleep(0.6)
    lease = await world.lease()
    assert lease.renewal > before
    assert lease.metadata and lease.metadata["annotations"]["note"] == "hello"


@in_virtual_time
async def test_a_renewal_that_is_under_way_when_the_seal_comes_does_not_undo_it() -> None:
    weather = Weather()
    world = await under(weather)
    await asyncio.sleep(0.3)
    weather.fates["update", LEASE] = Fate(request_delay_s=0.3)
    await asyncio.sleep(0.3)
    old = await world.session()
    await world.seal()

    async def superseded() -> bool:
        return old.nonce in (await world.session()).supersedes

    await world.until(superseded)
    assert (await world.lease()).sealed
    assert not world.machine.running


@in_virtual_time
async def test_status_writes_go_on_while_others_write_to_the_assignment() -> None:
    world = await enrolled()
    await world.order()
    for number in range(20):
        await world.operator.patch(ASSIGNMENTS, HOST, {"metadata": {"annotations": {"n": str(number)}}})
        await asyncio.sleep(0)
    await world.phase_is("Running")


@in_virtual_time
async def test_a_released_epoch_is_told_though_the_first_writes_get_lost() -> None:
    weather = Weather()
    world = await under(weather)
    weather.fates["update", ASSIGNMENT] = Fate(request_lost=True)
    await world.order("Down")
    await asyncio.sleep(30)
    report = await world.report()
    assert report and not report.released
    weather.fates.clear()
    await world.released()


@in_virtual_time
async def test_an_answer_that_comes_after_the_assignment_was_made_anew_is_not_taken_for_what_stands_there() -> None:
    """The write went to the one before: whoever reads the new one knows nothing of this host yet."""
    weather = Weather()
    world = await under(weather)
    mine = (await world.session()).nonce
    weather.fates["update", ASSIGNMENT] = Fate(answer_delay_s=1.0)
    weather.sent.clear()
    await world.order(revision=2)
    await world.until(lambda: ("update", ASSIGNMENT) in [(each.verb, each.resource) for each in weather.sent])
    await asyncio.sleep(0.5)
    await world.operator.delete(ASSIGNMENTS, HOST)
    weather.fates.clear()
    body = {"metadata": {"name": HOST}, "spec": {"heartbeat": {"profile": "lab"}, "instances": {}, "standbys": {}}}
    await world.operator.create(ASSIGNMENTS, HostAssignment.from_wire(body))
    await asyncio.sleep(300)
    assert (await world.session()).nonce == mine


@in_virtual_time
async def test_a_read_from_the_past_of_an_assignment_that_is_gone_is_not_taken_for_what_stands_there() -> None:
    """After a write whose outcome is not known it reads, and finds all that it has to say: on the one before."""
    weather = Weather()
    world = await under(weather)
    mine, before = (await world.session()).nonce, world.cluster.revision
    weather.fates["update", ASSIGNMENT] = Fate(request_lost=True)
    weather.fates["get", ASSIGNMENT] = Fate(as_of=before)
    weather.sent.clear()
    await world.operator.patch(ASSIGNMENTS, HOST, {"spec": {"handsOff": "new disks"}})
    await world.until(lambda: ("update", ASSIGNMENT) in [(each.verb, each.resource) for each in weather.sent])
    await world.operator.patch(ASSIGNMENTS, HOST, {"spec": {"handsOff": ""}})
    await world.operator.delete(ASSIGNMENTS, HOST)
    body = {"metadata": {"name": HOST}, "spec": {"heartbeat": {"profile": "lab"}, "instances": {}, "standbys": {}}}
    await world.operator.create(ASSIGNMENTS, HostAssignment.from_wire(body))
    del weather.fates["update", ASSIGNMENT]
    await asyncio.sleep(300)
    assert (await world.session()).nonce == mine


@in_virtual_time
async def test_a_write_that_was_given_up_and_comes_late_is_put_right() -> None:
    weather = Weather()
    world = await under(weather)
    assert world.agent
    as_it_is, before = await world.assignment(), world.cluster.revision
    assert as_it_is.status.facts
    weather.fates["update", ASSIGNMENT] = Fate(request_delay_s=12.0)
    weather.fates["get", ASSIGNMENT] = Fate(as_of=before)
    world.agent.learn(addresses=("192.0.2.77/24",))
    await asyncio.sleep(1)
    weather.fates.pop(("update", ASSIGNMENT))
    world.agent.learn(addresses=as_it_is.status.facts.addresses)
    await asyncio.sleep(60)
    assert (await world.assignment()).status == as_it_is.status


@in_virtual_time
async def test_a_slower_profile_is_obeyed_only_once_it_is_published() -> None:
    weather = Weather()
    world = await under(weather)
    weather.fates["update", LEASE] = Fate(request_lost=True)
    await world.operator.patch(ASSIGNMENTS, HOST, {"spec": {"heartbeat": {"profile": "tolerant"}}})
    weather.sent.clear()
    await asyncio.sleep(10)
    tries = [request for request in weather.sent if (request.verb, request.resource) == ("update", LEASE)]
    assert len(tries) >= 10, "it keeps its old promise until the new one is known"
    weather.fates.clear()
    await asyncio.sleep(10)
    assert (await world.lease()).contract.renew_s == 5.0
    before = (await world.lease()).renewal
    await asyncio.sleep(50)
    assert (await world.lease()).renewal - before == 10


@in_virtual_time
async def test_a_session_opened_beside_ours_ends_ours_after_everything_is_stopped() -> None:
    world = await enrolled()
    await world.order()
    await world.phase_is("Running")
    mine = await world.session()
    stored = await world.assignment()
    other = replace(mine, nonce="intruder", seq=mine.seq + 1)
    await world.operator.replace(
        ASSIGNMENTS, replace(stored, status=replace(stored.status, session=other)), subresource="status"
    )

    async def superseded() -> bool:
        return "intruder" in (await world.session()).supersedes

    await world.until(superseded)
    assert not world.machine.running


@in_virtual_time
async def test_another_machine_under_this_hosts_name_writes_nothing() -> None:
    world = await enrolled()
    stored = await world.assignment()
    assert stored.status.session
    other = replace(stored.status.session, machine_uuid="another machine", nonce="theirs", seq=9)
    world.api.cut_streams()
    await world.operator.delete(ASSIGNMENTS, HOST)
    made = await world.operator.create(ASSIGNMENTS, replace(stored, metadata=Meta(name=HOST)))
    assert isinstance(made, HostAssignment)
    await world.operator.replace(
        ASSIGNMENTS, replace(made, status=replace(made.status, session=other)), subresource="status"
    )
    await asyncio.sleep(30)
    assert (await world.session()) == other
    assert world.agent and "belongs to machine another machine" in world.agent.link.trouble


@in_virtual_time
async def test_an_assignment_made_again_gets_our_session_back() -> None:
    world = await enrolled()
    mine = await world.session()
    await world.operator.delete(ASSIGNMENTS, HOST)
    await asyncio.sleep(1)
    stored = {"metadata": {"name": HOST}, "spec": {"heartbeat": {"profile": "lab"}, "instances": {}, "standbys": {}}}
    await world.operator.create(ASSIGNMENTS, HostAssignment.from_wire(stored))

    async def back() -> bool:
        now = (await world.assignment()).status.session
        return now is not None and (now.nonce, now.seq) == (mine.nonce, mine.seq)

    await world.until(back)


@in_virtual_time
async def test_a_driver_that_hangs_in_its_start_gives_way_to_a_stop() -> None:
    world = await enrolled()
    world.machine.scripts[UNIT].start_takes_s = 15
    await world.order()
    await world.until(lambda: world.machine.log == [f"start {UNIT}"])
    await world.order("Down")
    await world.released()
    assert world.machine.log == [f"start {UNIT}", f"stop {ADDRESS}", f"stop {UNIT}"]


@in_virtual_time
async def test_a_duplicate_address_is_found_while_the_unit_starts_and_nothing_stays_up() -> None:
    world = await enrolled()
    world.machine.scripts[UNIT].start_takes_s = 1
    world.machine.scripts[ADDRESS].prepare_fails = "192.0.2.10 is in use already"
    await world.order()
    await world.phase_is("Failed")
    report = await world.report()
    assert report and "in use already" in report.why
    assert not world.machine.running


@in_virtual_time
async def test_a_host_that_may_fall_asleep_runs_nothing_exclusive_and_says_so() -> None:
    world = await enrolled()
    world.system.why_nothing_exclusive = "this machine could be suspended"
    await world.order()
    await world.order(uid="u2", exclusive=False, resources=(unit(unit="cache.service"),))
    await world.phase_is("Running", "u2")
    report = await world.report()
    assert report and report.phase == "Stopped" and "could be suspended" in report.why
    assert not world.runs(UNIT)
