"""What is known of a host's machine outlives the fencer that learnt it, a deleted HostAssignment and a removed Host."""

import asyncio
from collections.abc import Mapping
from itertools import product
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_api.client.errors import ApiTrouble
from backstay_api.objects.kinds import Kind
from backstay_api.objects.models import Host
from backstay_api.objects.models.host import MachineStatus
from backstay_api.objects.object_kinds import HOST_ASSIGNMENTS, HOSTS
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_fencer import identity, machines
from backstay_testing.fencer_scene import UUID, Scene

OTHER_UUID = "5f0c1e5e-2222-4c4c-8d8d-000000000002"


async def two_of_one_name() -> Scene:
    """n1 and n2, whose boards share a UUID; n1's device is not known to be n1's."""
    scene = Scene()
    await scene.prepare()
    await scene.api.create(HOSTS, Host.from_wire({"metadata": {"name": "n2"}, "spec": {}}))
    await scene.agent_says("n1")
    await scene.agent_says("n2")
    return scene


async def known_of(scene: Scene, name: str) -> MachineStatus | None:
    host = await scene.api.get(HOSTS, name)
    assert isinstance(host, Host)
    return host.status.machine


async def nobody_is_switched_off(scene: Scene) -> None:
    """Though it is wanted for a minute, and the device says off in the end."""
    await scene.seal()
    await scene.ask("Off")
    await asyncio.sleep(60)
    assert scene.sent("off") == 0
    scene.is_on = False
    await asyncio.sleep(10)
    assert not await scene.proven(), "it may be the other's power"
    assert "n2 say the same machine UUID" in (await scene.request()).status.message


# --- two machines of one name ----------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_fencer_that_starts_later_knows_what_a_deleted_hostassignment_said() -> None:
    scene = await two_of_one_name()
    async with scene.fencer():
        await asyncio.sleep(5)
    assert await known_of(scene, "n1") == MachineStatus(uuid=UUID, shared_with=["n2"])
    assert await known_of(scene, "n2") == MachineStatus(uuid=UUID, shared_with=["n1"])
    await scene.api.delete(HOST_ASSIGNMENTS, "n2")
    async with scene.fencer():
        await nobody_is_switched_off(scene)


@in_virtual_time
async def test_what_a_deleted_hostassignment_said_counts_for_a_host_that_reports_only_then() -> None:
    scene = await two_of_one_name()
    await scene.api.delete(HOST_ASSIGNMENTS, "n1")
    async with scene.fencer():
        await asyncio.sleep(5)
    assert await known_of(scene, "n1") is None
    assert await known_of(scene, "n2") == MachineStatus(uuid=UUID)
    await scene.api.delete(HOST_ASSIGNMENTS, "n2")
    async with scene.fencer():
        await scene.agent_says("n1")
        await nobody_is_switched_off(scene)


@pytest.mark.parametrize("restarts", [False, True])
@in_virtual_time
async def test_a_host_that_was_removed_before_the_other_is_fenced_counts_on(restarts: bool) -> None:
    scene = await two_of_one_name()
    async with scene.fencer():
        await asyncio.sleep(5)
        await scene.api.delete(HOSTS, "n2")
        await scene.api.delete(HOST_ASSIGNMENTS, "n2")
        await asyncio.sleep(5)
        if not restarts:
            await nobody_is_switched_off(scene)
    if restarts:
        async with scene.fencer():
            await nobody_is_switched_off(scene)


@in_virtual_time
async def test_a_host_that_comes_back_with_another_name_shares_nothing_any_more() -> None:
    scene = await two_of_one_name()
    async with scene.fencer():
        await asyncio.sleep(5)
        await scene.api.delete(HOST_ASSIGNMENTS, "n2")
        await scene.agent_says("n2", OTHER_UUID)
        await asyncio.sleep(5)
        assert await known_of(scene, "n1") == MachineStatus(uuid=UUID)
        assert await known_of(scene, "n2") == MachineStatus(uuid=OTHER_UUID)
        await scene.seal()
        await scene.ask("Off")
        await scene.until(scene.proven)


@in_virtual_time
async def test_a_third_host_of_that_name_is_one_more() -> None:
    """Whoever of them is given another name, the others count on."""
    scene = await two_of_one_name()
    await scene.api.create(HOSTS, Host.from_wire({"metadata": {"name": "n3"}, "spec": {}}))
    await scene.agent_says("n3")
    async with scene.fencer():
        await asyncio.sleep(5)
        await scene.api.delete(HOSTS, "n2")
        await scene.api.delete(HOST_ASSIGNMENTS, "n2")
        await scene.api.delete(HOST_ASSIGNMENTS, "n3")
        await scene.agent_says("n3", OTHER_UUID)
        await asyncio.sleep(5)
        assert await known_of(scene, "n1") == MachineStatus(uuid=UUID, shared_with=["n2"])
        await nobody_is_switched_off(scene)


# --- before anything is believed -------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", ["hosts", "hostassignments"])
@in_virtual_time
async def test_a_fencer_that_starts_believes_nobody_before_it_knows_who_is_there(late: str) -> None:
    """It took n1's device for n1's while the list of what agents say was under way (seed 55056607141)."""
    scene = await two_of_one_name()

    async def slow(kind: Kind[Any]) -> None:
        if kind.plural == late:
            await asyncio.sleep(20)

    scene.api.on_read = slow
    async with scene.fencer():
        await nobody_is_switched_off(scene)


@in_virtual_time
async def test_what_is_not_listed_yet_is_said_and_ends_by_itself() -> None:
    scene = Scene()
    await scene.prepare()

    async def slow(kind: Kind[Any]) -> None:
        if kind.plural == "hostassignments":
            await asyncio.sleep(20)

    scene.api.on_read = slow
    async with scene.fencer():
        await scene.seal()
        await scene.ask("Off")
        await asyncio.sleep(10)
        assert scene.sent("off") == 0 and machines.NOT_LISTED in (await scene.request()).status.message
        await scene.until(scene.proven)


@in_virtual_time
async def test_no_device_is_believed_before_what_its_agent_said_is_written_down() -> None:
    scene = Scene()
    await scene.prepare()
    await scene.agent_says("n1")
    refused = 20

    async def refuse(kind: Kind[Any], body: Mapping[str, Any]) -> None:
        nonlocal refused
        if "machine" in body.get("status", {}) and refused:
            refused -= 1
            raise ApiTrouble("not now")

    scene.api.on_patch = refuse
    async with scene.fencer():
        await scene.seal()
        await scene.ask("Off")
        await asyncio.sleep(10)
        assert scene.sent("off") == 0 and machines.NOT_RECORDED in (await scene.request()).status.message
        await scene.until(scene.proven)
        assert refused == 0 and await known_of(scene, "n1") == MachineStatus(uuid=UUID)


@in_virtual_time
async def test_a_fencer_that_has_seen_less_writes_nothing_over_what_another_has_found() -> None:
    scene = Scene()
    await scene.prepare()
    await scene.agent_says("n1")
    found = {"uuid": UUID, "sharedWith": ["n9"]}
    writes: list[object] = []

    async def another_was_first(kind: Kind[Any], body: Mapping[str, Any]) -> None:
        if "machine" in body.get("status", {}) and "metadata" in body:
            writes.append(body)
            if len(writes) == 1:
                await scene.api.patch(HOSTS, "n1", {"status": {"machine": found}}, subresource="status")

    scene.api.on_patch = another_was_first
    async with scene.fencer():
        await asyncio.sleep(10)
    assert await known_of(scene, "n1") == MachineStatus(uuid=UUID, shared_with=["n9"])
    assert len(writes) == 1, "it was refused, and says what is written by now"


# --- what a device has said --------------------------------------------------------------------------------------------


async def with_a_drilled_device(**bmc: Any) -> Scene:
    scene = Scene(**bmc)
    await scene.prepare()
    await scene.agent_says("n1")
    raw = (await scene.api.get(HOSTS, "n1")).wire()  # type: ignore[union-attr]
    raw["spec"]["fencing"]["levels"][0]["devices"][0]["drilled"] = True
    await scene.edit_host(raw["spec"])
    return scene


@in_virtual_time
async def test_a_drilled_device_is_asked_whose_it_is_before_its_first_off() -> None:
    """An agent that cannot tell is believed because of the drill; one that was not asked is not."""
    scene = await with_a_drilled_device()
    scene.bmc.uuid = "another machine's"
    await scene.seal()
    await scene.ask("Off")
    async with scene.fencer():
        await asyncio.sleep(60)
        assert scene.sent("off") == 0 and not await scene.proven()
        assert "another machine" in (await scene.request()).status.message


@in_virtual_time
async def test_a_device_that_was_found_to_be_anothers_stays_so_until_it_says_otherwise() -> None:
    scene = await with_a_drilled_device()
    scene.bmc.uuid = "another machine's"
    async with scene.fencer():
        await asyncio.sleep(5)
    scene.bmc.uuid = None  # it does not tell now
    async with scene.fencer():
        await asyncio.sleep(400)  # one more regular test, which finds out no more
        await scene.seal()
        await scene.ask("Off")
        await asyncio.sleep(60)
        assert scene.sent("off") == 0 and not await scene.proven()
        await scene.lead_to("192.0.2.101")
        scene.bmc.uuid = UUID
        await scene.until(scene.proven, limit_s=400)


@in_virtual_time
async def test_a_device_that_was_edited_since_is_another_one_of_which_nothing_was_found() -> None:
    scene = await with_a_drilled_device()
    scene.bmc.uuid = "another machine's"
    async with scene.fencer():
        await asyncio.sleep(5)
    scene.bmc.uuid = None
    raw = (await scene.api.get(HOSTS, "n1")).wire()  # type: ignore[union-attr]
    raw["spec"]["fencing"]["levels"][0]["devices"][0]["agent"] = "fence_ipmilan"
    await scene.edit_host(raw["spec"])
    await scene.seal()
    await scene.ask("Off")
    async with scene.fencer():
        await scene.until(scene.proven)


# --- many hosts ------------------------------------------------------------------------------------------------------

SPELT = (UUID, UUID.upper(), "5e1e0c5f-2222-4c4c-8d8d-000000000002", OTHER_UUID, "uuid-n1", "abc", "cab", "")


@given(st.lists(st.tuples(st.sampled_from(("n1", "n2", "n3")), st.sampled_from(SPELT)), max_size=8))
def test_who_has_the_name_of_a_machine_is_found_as_by_asking_of_each(drawn: list[tuple[str, str]]) -> None:
    """Of a thousand hosts each used to be held against each, at every word of one of them."""
    known = machines.Machines(cast(Any, None), cast(Any, None), lambda: None)
    for host, uuid in drawn:
        known._name(host, uuid)
    for host, uuid in product(("n1", "n2", "n3"), filter(None, SPELT)):
        each = [name for name, said in known._uuids.items() if name != host and identity.is_same(said, uuid)]
        assert known._same(host, uuid) == sorted(each)
    assert set().union(*known._named.values()) == known._uuids.keys(), "nothing is left of what was said before"
