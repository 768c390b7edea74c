"""Standbys are examined each for itself: what hangs or breaks stands in nobody's way, and what is said names the thing and the remedy."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from backstay_agent.drivers.base import Seen, StartFailed, State
from backstay_agent.drivers.tools.service_mounts import comes_with_it
from backstay_agent.fake import FakeDriver, FakeMachine
from backstay_agent.standby.readiness import AT_ONCE, PATIENCE_S, active_words
from backstay_agent.standby.standbys import Keeper
from backstay_api.objects.plain import Command, Mount, RenderedResource, StandbyOrder, StandbyReport
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import UNIT, address, unit

Ours = Mapping[str, tuple[RenderedResource, ...]]


class OddDriver(FakeDriver):
    """A driver that hangs or breaks over some units, as a fake."""

    def __init__(self, machine: FakeMachine) -> None:
        super().__init__(machine)
        self.hang: set[str] = set()
        self.broken: set[str] = set()
        self.loose: set[str] = set()
        self.lies_at: dict[str, str] = {}
        """Where the program of a unit is to be, which no host has."""
        self.takes_s = 0.0
        self.sees: dict[str, Seen] = {}
        self.at_once = self.most_at_once = 0

    async def secure(self, resource: RenderedResource) -> None:
        if resource.systemd and resource.systemd.unit in self.loose:
            raise StartFailed("/etc/systemd/system is read-only")
        await super().secure(resource)

    async def check(self, resource: RenderedResource) -> Seen:
        seen = self.sees.get(resource.systemd.unit if resource.systemd else "")
        return seen or await super().check(resource)

    async def not_ready(self, resource: RenderedResource) -> str | None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.takes_s)
            return await self._not_ready(resource)
        finally:
            self.at_once -= 1

    async def _not_ready(self, resource: RenderedResource) -> str | None:
        name = resource.systemd.unit if resource.systemd else ""
        if name in self.hang:
            await asyncio.Event().wait()
        if name in self.broken:
            raise RuntimeError("nobody thought of this")
        if name in self.lies_at and not comes_with_it(self.lies_at[name]):
            return f"{self.lies_at[name]} is not installed"
        return await super().not_ready(resource)


class Host:
    """A keeper on a fake machine."""

    def __init__(self) -> None:
        self.machine = FakeMachine()
        self.driver = OddDriver(self.machine)
        self.keeper = Keeper(lambda _: self.driver, lambda: "", lambda: None, list)
        self.life: asyncio.Task[None] | None = None

    async def asked_for(self, ours: Ours | None = None, **standbys: tuple[RenderedResource, ...]) -> None:
        orders = {
            uid: StandbyOrder(namespace="shop", name=uid, revision=1, resources=resources)
            for uid, resources in standbys.items()
        }
        self.keeper.update(orders, ours=ours or {}, secured=None)
        self.life = self.life or asyncio.create_task(self.keeper.run())
        await asyncio.sleep(0.1)

    def report(self, uid: str = "u1") -> StandbyReport | None:
        return self.keeper.reports.get(uid)


@in_virtual_time
async def test_one_that_hangs_is_not_ready_and_the_others_are_examined_all_the_same() -> None:
    host = Host()
    host.driver.hang.add("web.service")
    await host.asked_for(u1=(unit(),), u2=(unit(unit="db.service"),))
    await asyncio.sleep(PATIENCE_S)
    hung = host.report()
    assert hung and not hung.ready and hung.active, "what may run counts as running"
    assert hung.unclear, "and is not said to run"
    assert "does not answer" in hung.why
    assert host.report("u2") == StandbyReport(ready=True, revision=1)
    host.machine.scripts["unit db.service"].not_ready = "db.service is masked"
    await asyncio.sleep(20)
    assert host.report("u2") == StandbyReport(ready=False, revision=1, why="server: db.service is masked")
    host.driver.hang.clear()
    await host.asked_for(u1=(unit(), address()), u2=(unit(unit="db.service"),))
    assert host.report() == StandbyReport(ready=True, revision=1)


@in_virtual_time
async def test_what_lies_in_a_folder_that_the_service_mounts_is_not_missed_and_another_service_misses_it() -> None:
    host = Host()
    host.driver.lies_at = {"web.service": "/srv/shop/bin/server"}
    disk = RenderedResource(name="disk", mount=Mount(path="/srv/shop", device="/dev/vg/shop"))
    await host.asked_for(u1=(disk, unit()), u2=(unit(),))
    assert host.report() == StandbyReport(ready=True, revision=1)
    assert host.report("u2") == StandbyReport(
        ready=False, revision=1, why="server: /srv/shop/bin/server is not installed"
    )


@pytest.mark.parametrize(
    ("waits_for", "because"),
    [
        pytest.param("systemd waits for the PID file of x.service", "systemd waits for the PID file of x.service", id="known"),
        pytest.param("", f"something on this host does not answer within {PATIENCE_S:g} s", id="not known"),
    ],
)  # fmt: skip
@in_virtual_time
async def test_what_cannot_be_said_yet_names_what_it_waits_for(waits_for: str, because: str) -> None:
    host = Host()
    host.driver.hang.add("web.service")
    host.machine.scripts[UNIT].waits_for = waits_for
    await host.asked_for(u1=(address(), unit()))
    await asyncio.sleep(PATIENCE_S)
    report = host.report()
    assert report and report.unclear and report.why == f"server: not examined yet, because {because}"


@pytest.mark.parametrize(
    ("ours", "counts_as_running"),
    [((), True), ((address(),), True), ((address(), unit()), False)],
    ids=["nothing is ours", "something is not ours", "all is ours"],
)
@in_virtual_time
async def test_what_cannot_be_looked_at_counts_as_running_unless_it_is_ours(
    ours: tuple[RenderedResource, ...], counts_as_running: bool
) -> None:
    host = Host()
    host.driver.hang.add("web.service")
    await host.asked_for(ours={"u1": ours}, u1=(address(), unit()))
    await asyncio.sleep(PATIENCE_S)
    report = host.report()
    assert report and not report.ready and (report.active, report.unclear) == (counts_as_running, counts_as_running)


@in_virtual_time
async def test_what_cannot_be_kept_from_starting_at_the_next_boot_counts_as_running() -> None:
    """Granted to another host meanwhile, it would run twice as soon as this one boots."""
    host = Host()
    host.driver.loose.add("web.service")
    await host.asked_for(u1=(unit(),))
    disabled = host.report()
    assert disabled == StandbyReport(ready=False, revision=1, why="server: /etc/systemd/system is read-only")
    host.machine.enabled.add(UNIT)
    await asyncio.sleep(20)
    enabled = host.report()
    assert enabled and enabled.active and enabled.unclear and not enabled.ready
    assert enabled.why == (
        "server: /etc/systemd/system is read-only; unit web.service is enabled and would start by itself at the next boot"
    )
    host.driver.loose.clear()
    await asyncio.sleep(20)
    assert host.report() == StandbyReport(ready=True, revision=1)


@in_virtual_time
async def test_many_are_examined_a_few_at_a_time_and_hanging_ones_keep_nobody_from_his_turn() -> None:
    host = Host()
    names = [f"s{number}.service" for number in range(100)]
    host.driver.hang = set(names[:20])
    host.driver.takes_s = 0.05
    await host.asked_for(None, **{name: (unit(unit=name),) for name in names})
    await asyncio.sleep(4 * PATIENCE_S + 20)
    assert host.driver.most_at_once <= AT_ONCE + 20
    assert {name for name, report in host.keeper.reports.items() if report.ready} == set(names[20:])
    assert {name for name, report in host.keeper.reports.items() if "does not answer" in report.why} == set(names[:20])


@in_virtual_time
async def test_one_that_breaks_its_driver_is_said_and_ends_nothing() -> None:
    host = Host()
    host.driver.broken.add("web.service")
    await host.asked_for(u1=(unit(),), u2=(unit(unit="db.service"),))
    broken = host.report()
    assert broken and not broken.ready and broken.why == "server: it could not be examined: nobody thought of this"
    assert broken.active and broken.unclear
    assert host.report("u2") == StandbyReport(ready=True, revision=1)


@in_virtual_time
async def test_all_that_runs_and_all_that_is_missing_is_said_at_once_and_no_longer_than_an_object_can_carry() -> None:
    host = Host()
    host.machine.scripts[UNIT].not_ready = "web.service is masked"
    host.machine.up(unit(unit="one.service"))
    host.machine.up(unit(unit="two.service"))
    await host.asked_for(u1=(unit("a", "one.service"), unit("b", "two.service"), unit("c")))
    report = host.report()
    assert report and (report.ready, report.active) == (False, True)
    assert report.why == (
        "a: one.service is active and was not started by Backstay: systemctl stop one.service;"
        " b: two.service is active and was not started by Backstay: systemctl stop two.service;"
        " c: web.service is masked"
    )
    host.machine.scripts[UNIT].not_ready = "x" * 9000
    await asyncio.sleep(11)
    report = host.report()
    assert report and len(report.why) == 4096 and report.why.endswith("…")


@in_virtual_time
async def test_a_stop_by_hand_is_noticed_at_once() -> None:
    host = Host()
    host.machine.up(unit())
    await host.asked_for(u1=(unit(),))
    report = host.report()
    assert report and report.active
    host.machine.down(UNIT)
    await asyncio.sleep(0.1)
    assert host.report() == StandbyReport(ready=True, revision=1)
    assert not [queue for queues in host.machine.listeners.values() for queue in queues], "nobody listens any more"


@pytest.mark.parametrize(
    ("one", "two", "running", "unclear"),
    [
        pytest.param(Seen(State.STOPPED), Seen(State.FAILED, "it failed"), (), False, id="nothing runs"),
        pytest.param(Seen(State.STOPPED), Seen(State.RUNNING), ("b",), False, id="one runs"),
        pytest.param(Seen(State.STOPPED), Seen(State.UNKNOWN, "exited with 3"), (), True, id="one cannot be told"),
        pytest.param(Seen(State.RUNNING), Seen(State.UNKNOWN, "exited with 3"), ("a",), False, id="one runs for certain"),
        pytest.param(Seen(State.STOPPED), Seen(State.UNKNOWN, "a part runs", left=True), ("b",), False, id="a part of it runs"),
        pytest.param(Seen(State.STOPPED), Seen(State.STARTING), ("b",), False, id="one is starting"),
    ],
)  # fmt: skip
@in_virtual_time
async def test_what_cannot_be_told_counts_as_running_and_is_told_apart(
    one: Seen, two: Seen, running: tuple[str, ...], unclear: bool
) -> None:
    host = Host()
    host.driver.sees = {"one.service": one, "two.service": two}
    await host.asked_for(u1=(unit("a", "one.service"), unit("b", "two.service")))
    report = host.report()
    assert report and (report.active, report.running, report.unclear) == (bool(running) or unclear, running, unclear)


LEGACY = RenderedResource(
    name="server", command=Command(start=("/etc/init.d/x", "start"), stop=("/etc/init.d/x", "stop"), check=None)
)


@pytest.mark.parametrize(
    ("resource", "seen", "words"),
    [
        (unit(), Seen(State.STOPPED), ""),
        (unit(), Seen(State.FAILED, "it failed"), ""),
        (
            unit(),
            Seen(State.STARTING, "web.service is activating (start)"),
            "web.service is activating (start) and was not started by Backstay: systemctl stop web.service",
        ),
        (unit(), Seen(State.UNKNOWN, "systemd cannot be asked"), "systemd cannot be asked"),
        (LEGACY, Seen(State.RUNNING), "it is up and was not started by Backstay: /etc/init.d/x stop"),
        (LEGACY, Seen(State.UNKNOWN, "command x exited with 3"), "command x exited with 3"),
        (address(), Seen(State.UNKNOWN, "192.0.2.10 is an address of this host itself"), "192.0.2.10 is an address of this host itself"),
        (address(), Seen(State.RUNNING), "it is running, not started by Backstay"),
    ],
)  # fmt: skip
def test_what_runs_is_named_with_its_remedy(resource: RenderedResource, seen: Seen, words: str) -> None:
    assert active_words(resource, seen) == words
