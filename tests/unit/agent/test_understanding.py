"""What an agent makes of orders and answers that are not as it expects: a later release's, malformed ones, refused ones, long ones."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from backstay_agent.cluster.link import ASSIGNMENTS
from backstay_agent.core.brief_status import ever_shorter, within_bounds
from backstay_agent.core.orders import NotUnderstood, read_orders
from backstay_agent.drivers import driver_of
from backstay_agent.drivers.base import StartFailed, State, StopFailed
from backstay_api.client.errors import ApiError, Forbidden, Unauthorized
from backstay_api.memory.server import Change, Fate, Request
from backstay_api.objects.bounds import MOST_INSTANCES
from backstay_api.objects.kinds import Raw
from backstay_api.objects.object_kinds import HOST_ASSIGNMENTS
from backstay_api.objects.plain import (
    AgentSession,
    HostAssignmentStatus,
    HostChecks,
    InstanceReport,
    RenderedResource,
    StandbyReport,
)
from backstay_api.objects.texts import MOST, clip
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import ADDRESS, HOST, UNIT, World, enrolled, running, unit

SESSION = {"bootID": "b", "nonce": "n", "seq": 1}
SERVER = {"name": "server", "systemd": {"unit": "web.service"}}
FILE = {"name": "data", "file": {"path": "/etc/web.conf"}}


def an_entry(*resources: Any, **more: Any) -> dict[str, Any]:
    frame = {"namespace": "shop", "name": "web-0", "epoch": 1, "session": SESSION, "want": "Up", "exclusive": True}
    return {**frame, "revision": 1, "resources": list(resources), **more}


def answer_to(entry: Any) -> str:
    """Why an order is not understood; empty if it is."""
    orders = read_orders({"instances": {"u1": entry}})
    answer = orders.not_understood.get("u1")
    return answer.why if isinstance(answer, NotUnderstood) else orders.trouble


@pytest.mark.parametrize(
    ("resource", "sentence"),
    [
        pytest.param(SERVER, "", id="understood"),
        pytest.param(FILE, "data: agent 0.1.0 does not know `file`: upgrade the agent", id="a kind of a later release"),
        pytest.param({**SERVER, "file": {"path": "/x"}}, "does not know `file`", id="a kind beside a known one"),
        pytest.param({**SERVER, "gate": "Warn"}, "does not know `gate`", id="a field of a later release"),
        pytest.param({**SERVER, "gate": ""}, "", id="…that is empty says nothing"),
        pytest.param({"name": "server", "systemd": {"unit": "web.service", "user": "x"}}, "`systemd.user`", id="deep"),
        pytest.param(
            {"name": "server", "systemd": {"unit": "web.device"}}, "`systemd.unit: 'web.device'`", id="a form"
        ),
        pytest.param({**SERVER, "timeouts": {"start": "1d"}}, "`timeouts.start: '1d'`", id="a unit of time"),
        pytest.param(
            {**SERVER, "probes": [{"name": "p", "httpGet": {"port": 1, "scheme": "QUIC"}}]},
            "`probes.httpGet.scheme: QUIC`",
            id="a word",
        ),
        pytest.param({**SERVER, "probes": [{"name": "p", "udp": {"port": 1}}]}, "`probes.udp`", id="a question"),
        pytest.param(
            {**SERVER, "probes": [{"name": "p", "exec": {"command": []}}]},
            "probe p has an empty command",
            id="no program",
        ),
        pytest.param({**SERVER, "probes": [{"name": "p"}]}, "exactly one question", id="a probe that asks nothing"),
        pytest.param({"name": "server"}, "exactly one kind", id="no kind at all"),
        pytest.param({**SERVER, "command": {"start": ["/a"], "stop": ["/b"]}}, "exactly one kind", id="two kinds"),
        pytest.param({"name": "server", "command": {"start": [], "stop": ["/b"]}}, "command is empty", id="no words"),
        pytest.param({"name": "a", "virtualIP": {"address": "999.0.2.1/24"}}, "is not an address", id="no address"),
        pytest.param({"name": "server", "systemd": "web.service"}, "systemd is no object", id="a text for an object"),
        pytest.param(
            {"name": 7, "systemd": {"unit": "web.service"}}, "name is 7, not a text", id="a number for a text"
        ),
        pytest.param({**SERVER, "probes": {}}, "probes is no list", id="a map for a list"),
        pytest.param(
            {**SERVER, "probes": [{"name": "p", "tcpSocket": {"port": 70000}}]}, "70000, out of bounds", id="a port"
        ),
        pytest.param("server", "it is no object", id="a text for a resource"),
    ],
)
def test_what_is_not_understood_of_a_resource_is_said(resource: Any, sentence: str) -> None:
    why = answer_to(an_entry(resource))
    assert (sentence in why) if sentence else why == ""
    orders = read_orders({"standbys": {"u1": {"namespace": "shop", "name": "web-0", "resources": [resource]}}})
    assert ("u1" in orders.not_ready) is bool(sentence) and ("u1" in orders.spec.standbys) is not bool(sentence)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        pytest.param({"role": "Observer"}, "does not know `role: Observer`", id="a role of a later release"),
        pytest.param({"state": "Paused"}, "does not know `state: Paused`", id="a state"),
        pytest.param(
            {"recovery": {"restarts": "many"}}, "restarts is 'many', not a whole number", id="a number in words"
        ),
    ],
)
def test_a_word_of_a_later_release_beside_the_frame_is_answered_and_a_stop_is_obeyed(more: Raw, why: str) -> None:
    assert why in answer_to(an_entry(SERVER, **more))
    assert not read_orders({"instances": {"u1": an_entry(SERVER, **more)}}).not_understood["u1"].order.hands_off
    down = read_orders({"instances": {"u1": an_entry(want="Down", **more)}})
    assert down.spec.instances["u1"].want == "Down" and not down.trouble


def test_a_reason_for_hands_off_that_cannot_be_read_keeps_hands_off_what_goes_on() -> None:
    answer = read_orders({"instances": {"u1": an_entry(SERVER, handsOff=["new disks"])}}).not_understood["u1"]
    assert answer.order.hands_off == "for a reason that cannot be read"


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(None, id="nothing"),
        pytest.param("Up", id="a text"),
        pytest.param(an_entry(SERVER, epoch="1"), id="an epoch in words"),
        pytest.param(an_entry(SERVER, epoch=True), id="an epoch that is true"),
        pytest.param(an_entry(SERVER, want="Sideways"), id="a wish of a later release"),
        pytest.param(an_entry(SERVER, session=None), id="no session"),
        pytest.param({"want": "Up"}, id="hardly anything"),
    ],
)
def test_an_entry_without_a_frame_is_told_and_leaves_the_others_alone(entry: Any) -> None:
    orders = read_orders({"instances": {"odd": entry, "u1": an_entry(SERVER)}})
    assert "instances.odd: " in orders.trouble and set(orders.spec.instances) == {"u1"}


def test_an_order_to_stop_needs_no_resources_that_are_understood() -> None:
    orders = read_orders({"instances": {"u1": an_entry(FILE, want="Down")}})
    assert orders.spec.instances["u1"].want == "Down"


def test_what_a_later_release_adds_beside_the_work_is_left_aside() -> None:
    entry = an_entry(SERVER, priority=7, session={**SESSION, "zone": "a"})
    assert answer_to(entry) == "" and not read_orders({"instances": {"u1": entry}, "colour": "red"}).trouble


def test_in_doubt_hands_off() -> None:
    assert read_orders({"handsOff": {"until": "noon"}}).spec.hands_off
    assert not read_orders({}).spec.hands_off


async def later_world() -> World:
    """The API server has the CRD of a later release: it takes what ours does not know."""
    world = World(guarded=False)
    await world.prepare()
    world.start_agent()
    await world.held()
    return world


@in_virtual_time
async def test_a_standby_of_an_unknown_kind_is_not_ready_and_the_agent_lives() -> None:
    world = await later_world()
    await world.order()
    await world.phase_is("Running")
    standby = {"namespace": "shop", "name": "db-0", "revision": 3, "resources": [FILE]}
    await world.operator.patch(ASSIGNMENTS, HOST, {"spec": {"standbys": {"u9": standby}}})

    async def told() -> bool:
        return "u9" in (await world.assignment()).status.standbys

    await world.until(told)
    report = (await world.assignment()).status.standbys["u9"]
    assert (report.ready, report.revision) == (False, 3)
    assert "agent 0.1.0 does not know `file`: upgrade the agent" in report.why
    world.machine.kill(UNIT)
    await world.until(lambda: world.runs(UNIT))


@in_virtual_time
async def test_an_order_of_an_unknown_kind_fails_in_words_and_the_others_are_carried_out() -> None:
    world = await later_world()
    session = (await world.session()).ref.to_wire()
    entries = {"odd": an_entry(SERVER, FILE, session=session), "worse": {"epoch": "x"}}
    await world.operator.patch(ASSIGNMENTS, HOST, {"spec": {"instances": entries}})
    await world.order()
    await world.phase_is("Running")
    await world.phase_is("Failed", "odd")
    report = await world.report("odd")
    assert report and not report.released and "does not know `file`" in report.why
    entries = {"odd": an_entry(SERVER, FILE, session=session, want="Down")}
    await world.operator.patch(ASSIGNMENTS, HOST, {"spec": {"instances": entries}})
    await world.released("odd")


@in_virtual_time
async def test_what_runs_goes_on_as_it_was_when_it_is_edited_into_something_unknown() -> None:
    world = await later_world()
    await world.order()
    await world.phase_is("Running")
    session = (await world.session()).ref.to_wire()
    entry = an_entry(SERVER, FILE, session=session, revision=2)
    await world.operator.patch(ASSIGNMENTS, HOST, {"spec": {"instances": {"u1": entry}}})

    async def told() -> bool:
        report = await world.report()
        return report is not None and "does not know `file`" in report.why

    await world.until(told)
    world.machine.kill(UNIT)
    await world.until(lambda: world.runs(UNIT, ADDRESS))
    report = await world.report()
    assert report and (report.phase, report.revision) == ("Running", 1)


@in_virtual_time
async def test_what_a_later_agent_left_running_counts_as_running_and_says_what_to_do() -> None:
    data = RenderedResource(name="data")  # what is left of `file` when this release reads the journal
    driver = driver_of({}, data)
    with pytest.raises(StopFailed, match="does not know this kind of resource: upgrade the agent"):
        await driver.stop(data, timeout_s=1)
    with pytest.raises(StartFailed, match="upgrade the agent"):
        await driver.start(data, timeout_s=1)
    assert (await driver.check(data)).state is State.UNKNOWN
    changes: Any = driver.changes(data)
    async with aclosing(changes):
        assert (await anext(changes)).state is State.UNKNOWN


# --- texts --------------------------------------------------------------------------------------------------------


def test_a_text_is_as_long_as_it_may_be_and_can_be_written() -> None:
    assert clip("x" * MOST) == "x" * MOST
    assert (len(clip("x" * (MOST + 1))), clip("x" * (MOST + 1))[-1]) == (MOST, "…")
    assert clip("a\udc80b") == "a?b"


@in_virtual_time
async def test_a_standby_with_many_missing_units_does_not_silence_the_host() -> None:
    world = await running()
    resources = [unit(f"telephony-worker-{n:02}", f"telephony-worker-{n:02}.service") for n in range(64)]
    for one in resources:
        assert one.systemd
        world.machine.scripts[f"unit {one.systemd.unit}"].not_ready = f"unit {one.systemd.unit} is not installed at all"
    standby = {"namespace": "shop", "name": "pbx-0", "revision": 1, "resources": [one.to_wire() for one in resources]}
    await world.operator.patch(ASSIGNMENTS, HOST, {"spec": {"standbys": {"u9": standby}}})
    await asyncio.sleep(5)
    await world.order("Down")
    await world.released()
    report = (await world.assignment()).status.standbys["u9"]
    assert not report.ready and report.why.endswith("…")


@in_virtual_time
async def test_a_stop_that_fails_at_great_length_is_told() -> None:
    world = await running()
    world.machine.scripts[UNIT].stop_fails = "a process does not die, " * 1000
    await world.order("Down")
    await world.phase_is("Stuck")


def a_status(**more: Any) -> HostAssignmentStatus:
    session = AgentSession(boot_id="b", nonce="n", seq=1, machine_uuid="m", supersedes=("old",))
    report = InstanceReport(namespace="shop", name="web-0", epoch=3, phase="Stopped", released=True, why="x" * 9999)
    standby = StandbyReport(ready=False, why="y" * 9999)
    values: dict[str, Any] = {"session": session, "instances": {"u1": report}, "standbys": {"u2": standby}}
    return HostAssignmentStatus(**{**values, **more})


def test_too_many_instances_are_cut_with_a_word_and_what_may_run_is_kept() -> None:
    over = InstanceReport(namespace="shop", name="w", epoch=1, phase="Stopped", released=True)
    runs = InstanceReport(namespace="shop", name="w", epoch=1, phase="Running")
    status = within_bounds(a_status(instances={**{f"o{n}": over for n in range(MOST_INSTANCES + 44)}, "up": runs}))
    assert len(status.instances) == MOST_INSTANCES and "up" in status.instances
    assert any("45 more instances" in report.why for report in status.instances.values())


def test_said_shorter_it_still_says_what_others_wait_for() -> None:
    brief, bare = ever_shorter(a_status(), "status.standbys.u2: no")
    for status in (brief, bare):
        report = status.instances["u1"]
        assert (status.session, report.epoch, report.released) == (a_status().session, 3, True)
        assert "status.standbys.u2: no" in report.why and len(report.why) <= 300
    assert "u2" in brief.standbys and not bare.standbys


@in_virtual_time
async def test_a_status_that_is_refused_for_one_field_still_says_what_is_released() -> None:
    world = await running()
    refused: list[str] = []

    def rule(kind: Any, old: Raw | None, new: Raw) -> str | None:
        if old is not None and new.get("status", {}).get("standbys"):
            refused.append(kind.kind)
            return "status.standbys: a later release does not take this"
        return None

    world.cluster.admit(HOST_ASSIGNMENTS, rule)
    standby = {"namespace": "shop", "name": "db-0", "revision": 1, "resources": [SERVER]}
    await world.operator.patch(ASSIGNMENTS, HOST, {"spec": {"standbys": {"u9": standby}}})
    await asyncio.sleep(5)
    await world.order("Down")
    await world.released()
    assert refused and world.agent and "does not take this" in world.agent.link.trouble
    report = await world.report()
    assert report and "does not take this" in report.why
    old = await world.session()
    await world.seal()

    async def superseded() -> bool:
        return old.nonce in (await world.session()).supersedes

    await world.until(superseded)


@pytest.mark.parametrize(
    ("raw", "checks", "trouble"),
    [
        pytest.param(None, None, "", id="none"),
        pytest.param({"names": ["db"]}, HostChecks(names=("db",)), "", id="understood"),
        pytest.param(
            {"smart": True},
            None,
            "agent 0.1.0 does not know `checks.smart`: upgrade the agent",
            id="of a later release",
        ),
        pytest.param({"names": "db"}, None, "the order cannot be read: checks.names", id="of another shape"),
    ],
)
def test_checks_of_the_host_that_are_not_understood_are_looked_at_by_nobody_and_said(
    raw: object, checks: HostChecks | None, trouble: str
) -> None:
    orders = read_orders({"checks": raw})
    assert orders.spec.checks == checks and orders.trouble.startswith(trouble) and bool(orders.trouble) is bool(trouble)


@in_virtual_time
async def test_credentials_that_are_refused_are_explained_to_the_admin(caplog: pytest.LogCaptureFixture) -> None:
    class Refusing:
        error: ApiError | None = None

        def request(self, request: Request) -> Fate:
            return Fate(error=self.error)

        def event(self, watch: Request, change: Change | None) -> float | None:
            return 0.0

    weather = Refusing()
    world = await enrolled(faults=weather)
    weather.error = Forbidden('leases "n1" is forbidden')
    await asyncio.sleep(5)
    assert world.agent and 'write its right name as "host" into agent.json' in world.agent.heartbeat.trouble
    weather.error = Unauthorized("token expired")
    await asyncio.sleep(5)
    assert "backstay host add n1" in world.agent.heartbeat.trouble and "token" in world.agent.sentence()
    said = [record for record in caplog.records if record.getMessage() == "renewal failed"]
    assert len(said) == 2, "once each, not at every try"


@in_virtual_time
async def test_a_renewal_that_is_refused_is_told_in_the_hosts_report_until_one_is_not() -> None:
    """Else it stands in the log of a machine that everybody takes for dead."""

    class RefusingLeases:
        error: ApiError | None = None

        def request(self, request: Request) -> Fate:
            return Fate(error=self.error if request.resource.startswith("leases") else None)

        def event(self, watch: Request, change: Change | None) -> float | None:
            return 0.0

    weather = RefusingLeases()
    world = await enrolled(faults=weather)
    assert (await world.assignment()).status.renewal_refused == ""
    weather.error = Forbidden('leases "n1" is forbidden')
    await asyncio.sleep(5)
    assert 'leases "n1" is forbidden' in (await world.assignment()).status.renewal_refused
    weather.error = ApiError("no answer")
    await asyncio.sleep(5)
    assert 'leases "n1" is forbidden' in (await world.assignment()).status.renewal_refused, "that is no other answer"
    weather.error = None

    async def is_over() -> bool:
        return not (await world.assignment()).status.renewal_refused

    await world.until(is_over)


@in_virtual_time
async def test_of_an_order_that_the_policy_refuses_it_is_taken_whose_hands_are_on_it() -> None:
    world = await running()
    world.machine.broken_policy = "policy.toml cannot be read"
    await world.order(handsOff="new disks", revision=2, resources=(unit(unit="other.service"),))
    assert world.agent is not None
    records = world.agent.journal
    await world.until(lambda: records.checkpoint.records["u1"].hands_off == "new disks")
    assert records.checkpoint.records["u1"].revision == 1 and world.runs(UNIT), "and of its edit nothing"
    await world.order(revision=2)
    await world.until(lambda: records.checkpoint.records["u1"].hands_off == "")
