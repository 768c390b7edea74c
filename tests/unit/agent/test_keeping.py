"""What an agent keeps: files that are whole or not there, an inventory ahead of need, a token that stays young."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import stat
import subprocess
import sys
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

import pytest

from backstay_agent.addresses import own_addresses
from backstay_agent.cluster.link import ASSIGNMENTS
from backstay_agent.cluster.tokens import read_token, renew_token
from backstay_agent.config import machine_uuid, read_config, sleep_obstacle
from backstay_agent.core.sessions import Inventory, JournalState
from backstay_agent.fake import FakeDriver, FakeMachine
from backstay_agent.health import HealthEndpoint, metrics
from backstay_agent.main import EX_CONFIG
from backstay_agent.standby.standbys import Keeper
from backstay_agent.store.disk import MOST_BYTES, DiskTrouble, MemoryDisk, RealDisk
from backstay_agent.store.journal import INVENTORY, JOURNAL, Journal
from backstay_api.client.kubeconfig import NoConfig
from backstay_api.memory.server import MemoryApi, MemoryCluster
from backstay_api.objects.plain import RenderedResource
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import HOST, UNIT, World, enrolled, running, unit

# --- disk ---------------------------------------------------------------------------------------------------------


def a_disk(tmp_path: Path) -> RealDisk:
    return RealDisk(run_dir=tmp_path / "run", state_dir=tmp_path / "state")


@pytest.mark.parametrize("name", ["run/journal", "state/inventory"])
def test_a_file_is_replaced_as_a_whole_and_only_root_reads_it(tmp_path: Path, name: str) -> None:
    async def story() -> None:
        disk = a_disk(tmp_path)
        assert await disk.read(name) is None
        await disk.write(name, "one")
        await disk.write(name, "two")
        assert await disk.read(name) == "two"
        folder, _, file = name.partition("/")
        assert await disk.list(folder) == [file], "nothing half written stays"
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        await disk.remove(name)
        assert await disk.read(name) is None

    asyncio.run(story())


def test_what_cannot_be_written_or_believed_is_said_in_a_sentence(tmp_path: Path) -> None:
    async def story() -> None:
        disk = a_disk(tmp_path)
        (tmp_path / "run" / "journal.b").mkdir()  # even root cannot write there
        with pytest.raises(DiskTrouble, match="cannot be written"):
            await disk.write("run/journal", "x")
        (tmp_path / "state" / "inventory").write_bytes(b"\xff\xfe")
        with pytest.raises(DiskTrouble, match="cannot be read"):
            await disk.read("state/inventory")
        with (tmp_path / "state" / "huge").open("wb") as file:
            file.truncate(MOST_BYTES + 1)
        with pytest.raises(DiskTrouble, match="larger than anything"):
            await disk.read("state/huge")

    asyncio.run(story())


@in_virtual_time
async def test_a_journal_cut_anywhere_is_never_believed() -> None:
    world = await running()
    whole = world.disk.files[JOURNAL]
    for length in range(0, len(whole) - 1, 7):
        world.disk.files[JOURNAL] = whole[:length]
        found = await Journal(world.disk, "boot-1").load()
        assert found.kept.value == "broken", length


@in_virtual_time
async def test_what_was_kept_in_another_boot_tells_nothing_of_this_one() -> None:
    disk = MemoryDisk()
    before = Journal(disk, "boot-1")
    await before.open("nonce-1")
    await before.cover("u1", (unit(),))
    after = Journal(disk, "boot-2")
    found = await after.load()
    assert (found.kept, found.inventory, found.may_run) == (JournalState.OTHER_BOOT, Inventory.OTHER_BOOT, ())
    assert not after.has_session


@in_virtual_time
async def test_a_seal_counts_at_once_though_nothing_at_all_can_be_written() -> None:
    disk = MemoryDisk()
    journal = Journal(disk, "boot-1")
    await journal.load()
    await journal.open("nonce-1")
    disk.broken = "Read-only file system"
    await journal.restrict(lambda checkpoint: checkpoint.sealed("it was sealed"))
    assert journal.checkpoint.seal_seen == "it was sealed"
    disk.broken = ""
    await journal.change(lambda checkpoint: checkpoint.published(3))
    assert "it was sealed" in disk.files[JOURNAL], "the next change writes it"


@in_virtual_time
async def test_what_is_started_bears_our_mark_though_nobody_has_asked_for_it_as_a_standby() -> None:
    world = await running()
    assert UNIT in world.machine.secured


@in_virtual_time
async def test_a_standby_is_in_the_inventory_before_it_is_ever_started() -> None:
    world = await enrolled()
    standby = {"namespace": "shop", "name": "web-0", "revision": 1, "resources": [unit().to_wire()]}
    await world.operator.patch(ASSIGNMENTS, "n1", {"spec": {"standbys": {"u1": standby}}})
    await world.until(lambda: "web.service" in world.disk.files.get(INVENTORY, ""))
    before = world.disk.written.count(INVENTORY)
    await world.order(resources=(unit(),))
    await world.phase_is("Running")
    assert world.disk.written.count(INVENTORY) == before, "the start did not wait for the platter"


@in_virtual_time
async def test_readiness_of_a_standby_is_told_and_an_active_one_of_unknown_origin_too() -> None:
    world = await enrolled()
    world.machine.scripts[UNIT].not_ready = "web.service is masked"
    standby = {"namespace": "shop", "name": "web-0", "revision": 1, "resources": [unit().to_wire()]}
    await world.operator.patch(ASSIGNMENTS, "n1", {"spec": {"standbys": {"u1": standby}}})

    async def reported() -> Any:
        return (await world.assignment()).status.standbys.get("u1")

    await world.until(reported)
    report = await reported()
    assert (report.ready, report.active) == (False, False) and "masked" in report.why
    world.machine.scripts[UNIT].not_ready = ""
    world.machine.up(unit())
    await asyncio.sleep(31)
    report = await reported()
    assert (report.ready, report.active) == (True, True)


# --- configuration ------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_unit_whose_drop_in_is_there_is_secured_once_more_by_each_life_of_the_agent() -> None:
    # An earlier life may have died after it had written the file, and before systemd had read it.
    machine = FakeMachine()
    driver = CountingDriver(machine)
    machine.secured.add(machine.unit("other.service"))
    keeper = Keeper(lambda _: driver, lambda: "", lambda: None, lambda: ["other.service"])
    keeper.update({}, ours={}, secured=frozenset({"other.service"}))
    life = asyncio.create_task(keeper.run())
    await asyncio.sleep(100)
    life.cancel()
    assert driver.secured == ["other.service"]


class CountingDriver(FakeDriver):
    """Remembers what it was asked to secure."""

    def __init__(self, machine: FakeMachine) -> None:
        super().__init__(machine)
        self.secured: list[str] = []

    async def secure(self, resource: RenderedResource) -> None:
        self.secured.append(resource.name)
        await super().secure(resource)


@in_virtual_time
async def test_a_standby_that_is_broken_later_says_so_within_ten_seconds() -> None:
    world = await enrolled()
    order = {"namespace": "shop", "name": "web", "revision": 1, "resources": [unit().to_wire()]}
    await world.operator.patch(ASSIGNMENTS, HOST, {"spec": {"standbys": {"u1": order}}})

    async def ready(wanted: bool) -> bool:
        report = (await world.assignment()).status.standbys.get("u1")
        return report is not None and report.ready is wanted

    await world.until(lambda: ready(True))
    world.machine.scripts[UNIT].not_ready = "unit web.service is masked: systemctl unmask web.service"
    await world.until(lambda: ready(False), limit_s=10.1)


def test_addresses_are_what_people_find_this_machine_by() -> None:
    addresses = asyncio.run(own_addresses())
    assert all(not (ip_interface(one).is_loopback or ip_interface(one).is_link_local) for one in addresses)


def test_a_configuration_names_its_servers_and_may_name_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "agent.json"
    file.write_text(
        json.dumps({"servers": ["https://a:6443"], "host": "n7", "run_dir": "/tmp/x", "mount_roots": ["/data"]})
    )
    config = read_config(file)
    assert config.mount_roots == (Path("/data"),)
    assert (config.host, config.run_dir, config.api.servers) == ("n7", Path("/tmp/x"), ("https://a:6443",))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not JSON"),
        ("[]", "one JSON object"),
        ("{}", "servers"),
        ('{"servers": ["https://a"], "hots": "n1"}', "unknown in the configuration: hots"),
        ('{"servers": ["https://a"], "mount_roots": "/srv"}', "mount_roots must be a list of absolute paths"),
        ('{"servers": ["https://a"], "mount_roots": ["srv"]}', "mount_roots must be a list of absolute paths"),
    ],
)
def test_a_wrong_configuration_is_refused_with_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "agent.json"
    file.write_text(text)
    with pytest.raises(NoConfig, match=sentence):
        read_config(file)


NOT_ROOT = """
import os, sys
os.geteuid = lambda: 1000
from backstay_agent.main import main
sys.exit(main(["--config", sys.argv[1]]))
"""


def test_an_agent_that_is_not_root_does_not_begin(tmp_path: Path) -> None:
    file = tmp_path / "agent.json"
    file.write_text(json.dumps({"servers": ["https://a:6443"], "run_dir": str(tmp_path / "run")}))
    told = subprocess.run([sys.executable, "-c", NOT_ROOT, str(file)], capture_output=True, text=True, check=False)
    assert told.returncode == EX_CONFIG
    assert "the agent must be root" in told.stderr and not (tmp_path / "run").exists()


def test_a_machine_without_a_uuid_is_told_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(NoConfig, match="machine_uuid_file"):
        machine_uuid(str(tmp_path / "absent"))
    (tmp_path / "uuid").write_text("ABC-1\n")
    assert machine_uuid(str(tmp_path / "uuid")) == "abc-1"


def test_a_machine_is_awake_for_ever_only_if_every_way_to_sleep_is_masked(tmp_path: Path) -> None:
    power, container = tmp_path / "power", tmp_path / "container"
    power.write_text("freeze mem disk\n")

    def obstacle() -> str:
        return sleep_obstacle(power=power, container=container, root=tmp_path)

    assert "systemctl mask sleep.target suspend.target hibernate.target" in obstacle()
    folder = tmp_path / "etc/systemd/system"
    folder.mkdir(parents=True)
    for name in ("sleep", "suspend", "hibernate", "hybrid-sleep"):
        (folder / f"{name}.target").symlink_to("/dev/null")
    assert obstacle().endswith("systemctl mask suspend-then-hibernate.target`")
    (folder / "suspend-then-hibernate.target").symlink_to("/dev/null")
    assert obstacle() == ""
    power.write_text("\n")
    (folder / "sleep.target").unlink()
    assert obstacle() == "", "a kernel that cannot sleep needs no mask"


# --- token --------------------------------------------------------------------------------------------------------


def a_token(
    issued_s: float, expires_s: float, sub: str = "system:serviceaccount:backstay-hosts:backstay-host-n1"
) -> str:
    claims = json.dumps({"sub": sub, "iat": issued_s, "exp": expires_s}).encode()
    return f"h.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.s"


def test_what_is_no_service_accounts_token_is_left_alone() -> None:
    assert read_token("opaque") is None
    assert read_token(a_token(0, 1, sub="somebody")) is None
    assert read_token("a.!!.c") is None


class Issuer(MemoryApi):
    """An API server that issues tokens, as a fake."""

    def __init__(self) -> None:
        super().__init__(MemoryCluster())
        self.asked_at_s: list[float] = []
        self.asked_for: list[dict[str, Any]] = []
        self.fails = 0

    async def create(self, kind: Any, obj: Any, namespace: str = "", *, timeout_s: float | None = None) -> Any:
        from backstay_api.client.errors import Unreachable

        now_s = asyncio.get_running_loop().time()
        self.asked_at_s.append(now_s)
        assert kind.path(namespace).endswith("/namespaces/backstay-hosts/serviceaccounts/backstay-host-n1/token")
        if self.fails:
            self.fails -= 1
            raise Unreachable("away")
        self.asked_for.append(obj["spec"])
        return {"status": {"token": a_token(now_s, now_s + obj["spec"]["expirationSeconds"])}}


@in_virtual_time
async def test_a_token_is_renewed_at_two_thirds_of_its_life_again_and_again(tmp_path: Path) -> None:
    clock, api, file = asyncio.get_running_loop(), Issuer(), tmp_path / "token"
    begun_s = clock.time()
    file.write_text(a_token(begun_s, begun_s + 3600))
    task = asyncio.create_task(renew_token(api, file, now_s=clock.time, rng=random.Random(1)))
    await asyncio.sleep(10_000)
    assert [round(at_s - begun_s) for at_s in api.asked_at_s] == [2400, 4800, 7200, 9600]
    api.fails = 3
    await asyncio.sleep(3600)
    token = read_token(file.read_text())
    assert token and token.expires_at_s > clock.time()
    task.cancel()


@in_virtual_time
async def test_a_token_is_asked_for_bound_for_a_month_at_most_and_every_day(tmp_path: Path) -> None:
    clock, api, file = asyncio.get_running_loop(), Issuer(), tmp_path / "token"
    begun_s, day_s = clock.time(), 86_400
    file.write_text(a_token(begun_s, begun_s + 3650 * day_s))
    task = asyncio.create_task(renew_token(api, file, now_s=clock.time, rng=random.Random(1)))
    await asyncio.sleep(2.5 * day_s)
    assert [round(at_s - begun_s) for at_s in api.asked_at_s] == [day_s, 2 * day_s]
    identity = {"kind": "Secret", "apiVersion": "v1", "name": "backstay-host-n1"}
    assert api.asked_for == [{"expirationSeconds": 30 * day_s, "boundObjectRef": identity}] * 2
    task.cancel()


@in_virtual_time
async def test_a_month_of_renewals_and_a_month_away_need_nobody(tmp_path: Path) -> None:
    """Each day a token that lives 30 days; the last of them outlives 29 days in which nobody answers."""
    clock, api, file = asyncio.get_running_loop(), Issuer(), tmp_path / "token"
    begun_s, day_s = clock.time(), 86_400
    file.write_text(a_token(begun_s, begun_s + 30 * day_s))
    told: list[float] = []
    keeping = renew_token(api, file, now_s=clock.time, rng=random.Random(1), told=told.append, look_s=3600)
    task = asyncio.create_task(keeping)
    least_left_s = 30.0 * day_s
    for _ in range(30 * 24):
        await asyncio.sleep(3600)
        token = read_token(file.read_text())
        assert token
        least_left_s = min(least_left_s, token.expires_at_s - clock.time())
    assert [round((at_s - begun_s) / day_s) for at_s in api.asked_at_s] == list(range(1, 31))
    assert least_left_s >= 29 * day_s
    assert told == [begun_s + (30 + number) * day_s for number in range(31)]
    api.fails = 10**9
    await asyncio.sleep(29 * day_s)
    api.fails = 0
    token = read_token(file.read_text())
    assert token and token.expires_at_s > clock.time(), "back from repair: it is good for the first question"
    await asyncio.sleep(60)
    assert told[-1] > clock.time() + 29 * day_s
    task.cancel()


# --- health -------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_facts_are_told_as_numbers_and_as_words() -> None:
    world: World = await running()
    assert world.agent
    facts = world.agent.facts()
    assert facts["lease_held"] is True and facts["instances_that_may_run"] == 1
    assert "backstay_agent_instances_that_may_run 1\n" in metrics(facts)
    assert [(await HealthEndpoint(world.agent).answer("GET", path))[0] for path in ("/healthz", "/")] == [200, 404]
