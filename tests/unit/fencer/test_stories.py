"""The whole fencer on an in-memory API server, fake BMCs and virtual time."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import Any

import pytest

from backstay_api.client.errors import Conflict
from backstay_api.objects import lease as leases
from backstay_api.objects.kinds import Kind
from backstay_api.objects.models import Host
from backstay_api.objects.models.host import FenceDevice
from backstay_api.objects.object_kinds import FENCE_REQUESTS, HOST_LEASES, HOSTS
from backstay_api.objects.promise import Contract
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_fencer.agents import Action
from backstay_fencer.health import Health, SelfReport, ill, not_ready
from backstay_fencer.processes import AgentRun
from backstay_testing.fake_bmc import FakeAgents
from backstay_testing.fencer_scene import Scene, is_true, nothing_before


@in_virtual_time
async def test_a_host_without_power_is_proven_off_by_reads_alone_once_it_is_sealed() -> None:
    scene = Scene()
    await scene.prepare()
    scene.is_on = False
    async with scene.fencer():
        await scene.ask("Observe")
        await asyncio.sleep(5)
        assert (await scene.request()).status.power == "Off"
        assert not await scene.proven(), "before the seal a read proves nothing"
        await scene.seal()
        await scene.until(scene.proven)
    assert scene.sent("off") == 0


@in_virtual_time
async def test_a_read_that_began_before_the_seal_is_no_read_after_it_however_late_it_ends() -> None:
    scene = Scene(takes_s=1.0)
    await scene.prepare()
    scene.is_on = False
    async with scene.fencer():
        await scene.ask("Observe")
        await asyncio.sleep(10)
        begun = scene.sent("status")
        await scene.until(lambda: is_true(scene.sent("status") > begun))
        await scene.seal()
        await asyncio.sleep(1.2)
        assert scene.sent("status") == begun + 1 and not await scene.proven()
        await scene.until(scene.proven)


@in_virtual_time
async def test_a_running_host_is_switched_off_proven_and_switched_on_again() -> None:
    scene = Scene()
    await scene.prepare()
    async with scene.fencer():
        await scene.ask("Observe")
        await asyncio.sleep(1)
        await scene.seal()
        await scene.want("Off")
        await scene.until(scene.proven)
        await scene.until(lambda: is_true(scene.is_on))
        await scene.until(scene.switched_on)
    assert (scene.sent("off"), scene.sent("on")) == (1, 1)


@in_virtual_time
async def test_a_host_that_is_left_alone_for_hours_does_not_keep_its_bmc_busy() -> None:
    scene = Scene()
    await scene.prepare()
    async with scene.fencer():
        await scene.ask("Observe")
        await asyncio.sleep(3600)
        assert 600 < scene.sent("status") < 1100
        scene.is_on = False
        await asyncio.sleep(7)
        assert (await scene.request()).status.power == "Off"


@in_virtual_time
async def test_an_unsealed_session_is_never_switched_off() -> None:
    scene = Scene()
    await scene.prepare()
    async with scene.fencer():
        await scene.ask("Off")
        await asyncio.sleep(120)
    assert scene.sent("off") == 0 and scene.is_on


@in_virtual_time
async def test_what_is_sent_stands_in_the_request_as_ours_before_it_is_sent() -> None:
    """Or whoever comes after a fencer that died in this moment would not know that it owes the `on`."""
    scene = Scene()
    await scene.prepare()
    found = list[list[tuple[str, bool]]]()

    class LookedAt(FakeAgents):
        async def run(self, device: FenceDevice, action: Action, secret: Mapping[str, str]) -> AgentRun:
            if action == "off":
                found.append([(one.action, one.ours) for one in (await scene.request()).status.attempts])
            return await super().run(device, action, secret)

    scene.agents = LookedAt(scene.agents.bmcs)
    async with scene.fencer():
        await scene.ask("Off")
        await scene.seal()
        await scene.until(scene.proven)
    assert found == [[("off", True)]]


@in_virtual_time
async def test_a_host_that_has_opened_a_newer_session_is_not_switched_off_for_the_old_one() -> None:
    """The operator may die between reopening the Lease and withdrawing the request: the host is well, and must stay so."""
    scene = Scene()
    await scene.prepare()
    await scene.seal()
    lease = await scene.api.get(HOST_LEASES, "n1", leases.NAMESPACE)
    assert isinstance(lease, leases.HostLease)
    await scene.api.replace(HOST_LEASES, lease.reopened("boot-2/nonce-2", 2))
    await scene.ask("Off")
    async with scene.fencer():
        await asyncio.sleep(120)
    assert scene.sent("off") == 0 and scene.is_on


@in_virtual_time
async def test_a_host_whose_sealed_lease_is_made_anew_in_the_last_moment_is_not_switched_off() -> None:
    """A person has deleted it, and its agent has written another for the same session: whatever was decided, nothing is sealed now."""
    scene = Scene()
    await scene.prepare()

    async def made_anew(kind: Kind[Any]) -> None:
        if kind is HOST_LEASES:
            scene.api.on_read = nothing_before
            await scene.api.delete(HOST_LEASES, "n1", leases.NAMESPACE)
            held = leases.new("n1").taken("boot-1/nonce-1", 1, Contract(), renew_time="")
            await scene.api.create(HOST_LEASES, held, leases.NAMESPACE)

    async with scene.fencer():
        await scene.ask("Off")
        await asyncio.sleep(1)
        await scene.seal()
        scene.api.on_read = made_anew
        await asyncio.sleep(60)
    assert scene.api.on_read is nothing_before
    assert scene.sent("off") == 0 and scene.is_on


@in_virtual_time
async def test_what_was_read_for_one_session_proves_nothing_of_the_next_one() -> None:
    scene = Scene()
    await scene.prepare()
    scene.is_on = False
    async with scene.fencer():
        await scene.ask("Observe")
        await scene.seal()
        await scene.until(scene.proven)
        await scene.api.delete(FENCE_REQUESTS, "n1-x")
        lease = await scene.api.get(HOST_LEASES, "n1", leases.NAMESPACE)
        assert isinstance(lease, leases.HostLease)
        await scene.api.replace(HOST_LEASES, lease.reopened("boot-2/nonce-2", 2))
        await scene.seal()
        read_before = scene.sent("status")
        await scene.ask("Observe", session={"bootID": "boot-2", "nonce": "nonce-2", "seq": 2})
        await scene.until(scene.proven)
    assert scene.sent("status") - read_before >= 2


@in_virtual_time
async def test_the_exit_of_off_is_not_believed() -> None:
    scene = Scene(ignores_off=True)
    await scene.prepare()
    async with scene.fencer():
        await scene.ask("Off")
        await scene.seal()
        await asyncio.sleep(120)
        request = await scene.request()
    assert request.status.evidence is None
    assert "says on" in request.status.message and "backstay fence n1 --confirm" in request.status.message
    assert scene.sent("off") >= 2, "it is tried again"


@in_virtual_time
async def test_a_bmc_that_says_off_once_and_then_on_proves_nothing() -> None:
    scene = Scene(says=["ON", "OFF", "ON", "OFF", "ON", "OFF", "ON"], ignores_off=True)
    await scene.prepare()
    async with scene.fencer():
        await scene.ask("Off")
        await scene.seal()
        await asyncio.sleep(60)
        assert not await scene.proven()


@in_virtual_time
async def test_reads_made_for_one_session_never_count_for_another() -> None:
    scene = Scene()
    await scene.prepare()
    scene.is_on = False
    async with scene.fencer():
        await scene.ask("Observe")
        await asyncio.sleep(3)
        await scene.api.delete(FENCE_REQUESTS, "n1-x")
        scene.is_on = True
        await scene.ask("Observe")
        await scene.seal()
        await asyncio.sleep(30)
        assert not await scene.proven()


@in_virtual_time
async def test_a_proof_that_is_written_late_never_comes_into_a_request_that_was_made_anew() -> None:
    scene = Scene()
    await scene.prepare()
    scene.is_on = False
    late = asyncio.Event()

    async def made_anew_first(body: Mapping[str, Any]) -> None:
        await scene.api.delete(FENCE_REQUESTS, "n1-x")
        scene.is_on = True
        await scene.ask("Observe")
        with contextlib.suppress(Conflict):
            await scene.api.patch(FENCE_REQUESTS, "n1-x", body, subresource="status")

    async def as_late_as_can_be(kind: Kind[Any], body: Mapping[str, Any]) -> None:
        if kind is FENCE_REQUESTS and "evidence" in body.get("status", {}) and not late.is_set():
            late.set()  # it is on its way, whatever becomes of who has sent it
            await asyncio.shield(asyncio.create_task(made_anew_first(body)))
            raise Conflict("it was made anew meanwhile")

    scene.api.on_patch = as_late_as_can_be
    async with scene.fencer():
        await scene.ask("Observe")
        await scene.seal()
        await late.wait()
        await asyncio.sleep(30)
        assert not await scene.proven()


@in_virtual_time
async def test_what_was_read_in_a_false_alarm_is_forgotten_when_it_is_withdrawn() -> None:
    scene = Scene()
    await scene.prepare()
    scene.is_on = False
    async with scene.fencer():
        await scene.ask("Observe")
        await asyncio.sleep(2)
        assert (await scene.request()).status.power == "Off"
        await scene.want("Withdrawn")
        await asyncio.sleep(2)
        assert (await scene.request()).status.power == "Unknown"


@in_virtual_time
async def test_an_off_that_hangs_does_not_come_through_when_nobody_wants_it_any_more() -> None:
    scene = Scene(takes_s=1.5)
    await scene.prepare()
    async with scene.fencer():
        await asyncio.sleep(5)  # the path tests have learnt which machine it is
        await scene.ask("Off")
        await scene.seal()
        await scene.until(lambda: is_true(scene.sent("off") == 1))
        await scene.want("Withdrawn")
        await asyncio.sleep(60)
    assert scene.is_on and (scene.sent("off"), scene.sent("on")) == (1, 0), "nor was it made good: it was never off"


@in_virtual_time
async def test_an_unreachable_bmc_proves_nothing_and_the_message_says_what_a_person_can_do() -> None:
    scene = Scene(reachable=False)
    await scene.prepare()
    async with scene.fencer():
        await scene.ask("Off")
        await scene.seal()
        await asyncio.sleep(60)
        message = (await scene.request()).status.message
    assert "drill" in message and "backstay fence n1 --confirm" in message


@in_virtual_time
async def test_a_fencer_that_died_between_off_and_on_switches_on_in_its_next_life() -> None:
    scene = Scene()
    await scene.prepare()
    async with scene.fencer():
        await scene.ask("Off")
        await scene.seal()
        await scene.until(lambda: is_true(not scene.is_on))
    async with scene.fencer():
        await scene.until(scene.proven)
        await scene.until(lambda: is_true(scene.is_on))


@in_virtual_time
async def test_the_path_tests_tell_whether_the_fence_path_works() -> None:
    scene = Scene()
    await scene.prepare()
    async with scene.fencer():
        await asyncio.sleep(5)
        scene.bmc.uuid = "11111111-2222-3333-4444-555555555555"
        await asyncio.sleep(5)
        host = await scene.api.get(HOSTS, "n1")
        assert isinstance(host, Host) and host.status.fencing is not None
        assert not host.status.fencing.ready
        assert "agent has not yet said which machine" in host.status.fencing.message


@in_virtual_time
async def test_what_a_test_found_before_the_agent_spoke_is_not_written_over_what_the_next_one_found() -> None:
    """Both are due while everything is new, and the first one's write may be slow: it would stand for five minutes."""
    scene, held_up = Scene(), asyncio.Event()

    async def first_is_slow(kind: Kind[Any], body: Mapping[str, Any]) -> None:
        if kind is HOSTS and not held_up.is_set():
            held_up.set()
            await asyncio.sleep(3)

    await scene.prepare()
    scene.api.on_patch = first_is_slow
    async with scene.fencer():
        await held_up.wait()
        await scene.agent_says()
        await asyncio.sleep(10)
        assert (await scene.fencing()).ready


@in_virtual_time
async def test_a_removed_host_is_not_due_for_a_test_for_ever() -> None:
    """Its due time passes; a test that still waited for it would turn without end (virtual time calls that a livelock)."""
    scene = Scene()
    await scene.prepare()
    async with scene.fencer():
        await asyncio.sleep(5)
        await scene.api.delete(HOSTS, "n1")
        await asyncio.sleep(3600)


@in_virtual_time
async def test_the_fencer_says_what_it_watches_and_tests() -> None:
    scene = Scene()
    await scene.prepare()
    async with scene.fencer() as executor:
        health = Health(executor)
        assert (await health.answer("GET", "/readyz"))[0] == 503, "nothing has been listed yet"
        assert (await health.answer("GET", "/healthz"))[0] == 200, "starting it again would not help"
        await scene.ask("Observe")
        await asyncio.sleep(5)
        code, _, body = await health.answer("GET", "/readyz")
        told = json.loads(body)
        assert (code, told["fenceRequests"], told["hosts"]) == (200, 1, 1)
        assert told["lastFenceTestAgeSeconds"] is not None
        assert (await health.answer("GET", "/else"))[0] == 404


@pytest.mark.parametrize(
    ("watches", "trouble", "is_ill", "is_ready"),
    [
        pytest.param({"hosts": 5.0, "leases": 1.0}, "", False, True, id="all is watched"),
        pytest.param(
            {"hosts": 500.0, "leases": 500.0}, "refused", False, False, id="no server: a restart would not help"
        ),
        pytest.param({"hosts": 5.0, "leases": 500.0}, "", True, False, id="one stream is silent"),
        pytest.param({"hosts": None, "leases": None}, "not listed yet", False, False, id="just begun"),
    ],
)
def test_when_the_fencer_is_ill(watches: dict[str, float | None], trouble: str, is_ill: bool, is_ready: bool) -> None:
    facts = SelfReport(watches, {"leases": trouble}, leads=True, requests=0, hosts=1, tested_s=None)
    assert (bool(ill(facts)), not not_ready(facts)) == (is_ill, is_ready)


@in_virtual_time
async def test_a_host_whose_many_devices_all_fail_ends_no_fencer_and_is_told_of() -> None:
    """Their sentences together are longer than a status may be."""
    scene, words = Scene(), "it said " + "no " * 200

    async def run(device: FenceDevice, action: Action, secret: Mapping[str, str]) -> AgentRun:
        return AgentRun(1, f"{device.name}: {words}")

    scene.agents.run = run  # type: ignore[method-assign]
    devices = [{"name": f"d{n}", "agent": "fence_pve", "drilled": True} for n in range(8)]
    await scene.prepare()
    await scene.edit_host({"fencing": {"levels": [{"name": f"l{n}", "devices": devices} for n in range(8)]}})
    await scene.agent_says("n1")
    async with scene.fencer():
        await scene.seal()
        await scene.ask("Off")
        await asyncio.sleep(60)
    told, request = await scene.fencing(), await scene.request()
    assert told.message.startswith("l0/d0: exit 1: ") and len(told.devices) == 64
    assert request.status.message.startswith("n1 is not proven off: level l0: d0: says unknown")
