"""Boards that share one UUID (F13), and what a fencer that has just started says of machines that it does not know yet."""

import asyncio
from collections.abc import Mapping
from typing import Any

from backstay_api.client.errors import ApiTrouble
from backstay_api.objects.kinds import Kind
from backstay_api.objects.models import Host
from backstay_api.objects.object_kinds import HOST_ASSIGNMENTS, HOSTS
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.fake_bmc import FakeBmc
from backstay_testing.fencer_scene import UUID, Scene, nothing_before

# --- boards that share one UUID --------------------------------------------------------------------------------------


@in_virtual_time
async def test_of_two_hosts_with_one_machine_uuid_no_device_is_trusted_and_both_are_named() -> None:
    scene = Scene()
    await scene.prepare()
    await scene.agent_says("n1")
    async with scene.fencer():
        await asyncio.sleep(5)
        assert (await scene.fencing()).ready
        await scene.agent_says("n2")
        await asyncio.sleep(5)
        told = await scene.fencing()
        assert not told.ready
        assert "n2 say the same machine UUID" in told.message
        await scene.seal()
        await scene.ask("Off")
        await asyncio.sleep(60)
        assert scene.sent("off") == 0 and not await scene.proven()
        scene.is_on = False
        await asyncio.sleep(10)
        assert not await scene.proven(), "it may be the other's plug"
        assert "n2 say the same machine UUID" in (await scene.request()).status.message
        await scene.api.delete(HOST_ASSIGNMENTS, "n2")
        await asyncio.sleep(10)
        assert not await scene.proven(), "the board of a host that is removed still has the name"
        await scene.agent_says("n2", "5f0c1e5e-2222-4c4c-8d8d-000000000002")
        await scene.until(scene.proven)


@in_virtual_time
async def test_who_names_the_same_machine_is_known_before_an_off_though_no_watch_tells_of_it() -> None:
    scene = Scene()
    await scene.prepare()
    await scene.agent_says("n1")
    async with scene.fencer():
        await asyncio.sleep(5)
        scene.api.network.late_s[HOST_ASSIGNMENTS.resource] = float("inf")
        await scene.agent_says("n2")
        await scene.seal()
        await scene.ask("Off")
        await asyncio.sleep(60)
        assert scene.sent("off") == 0 and "n2 say the same machine UUID" in (await scene.request()).status.message


@in_virtual_time
async def test_who_has_named_the_same_machine_and_lost_its_power_is_known_before_a_proof() -> None:
    """n1's device is n2's in truth, and n2 has gone dark: nothing had to be switched off."""
    scene = Scene()
    await scene.prepare()
    await scene.agent_says("n1")
    async with scene.fencer():
        await asyncio.sleep(5)
        scene.api.network.late_s[HOST_ASSIGNMENTS.resource] = float("inf")
        await scene.agent_says("n2")
        scene.is_on = False
        await scene.seal()
        await scene.ask("Observe")
        await asyncio.sleep(60)
        assert not await scene.proven() and "n2 say the same machine UUID" in (await scene.request()).status.message


@in_virtual_time
async def test_where_nobody_answers_who_names_which_machine_nothing_is_sent_or_proven_and_then_it_is() -> None:
    scene = Scene()
    await scene.prepare()
    await scene.agent_says("n1")
    async with scene.fencer():
        await asyncio.sleep(5)

        async def refuse(kind: Kind[Any]) -> None:
            if kind.plural == "hostassignments":
                raise ApiTrouble("not now")

        scene.api.on_read = refuse
        await scene.seal()
        await scene.ask("Off")
        await asyncio.sleep(10)
        assert scene.sent("off") == 0
        scene.is_on = False
        await asyncio.sleep(10)
        assert not await scene.proven()
        assert "not known as of when it was read off" in (await scene.request()).status.message
        scene.api.on_read = nothing_before
        await scene.until(scene.proven, 10.0)


@in_virtual_time
async def test_hosts_whose_machine_is_known_are_not_read_again_however_often_they_write() -> None:
    scene, read = Scene(), []
    await scene.prepare()
    await scene.agent_says("n1")
    await scene.agent_says("n3", "5f0c1e5e-2222-4c4c-8d8d-000000000003")
    async with scene.fencer():
        await asyncio.sleep(5)
        scene.api.network.late_s[HOST_ASSIGNMENTS.resource] = float("inf")
        await scene.api.patch(HOST_ASSIGNMENTS, "n3", {"metadata": {"labels": {"a": "b"}}})
        scene.api.on_one = lambda kind, name: read.append((kind.plural, name))
        await scene.seal()
        await scene.ask("Off")
        await scene.until(scene.proven)
    assert ("hostassignments", "n3") not in read and ("leases", "n1") in read


@in_virtual_time
async def test_a_uuid_that_a_whole_series_of_boards_has_names_no_machine() -> None:
    common = "03000200-0400-0500-0006-000700080009"
    scene = Scene()
    scene.bmc.uuid = common
    await scene.prepare()
    await scene.agent_says("n1", uuid=common)
    async with scene.fencer():
        await asyncio.sleep(5)
        told = await scene.fencing()
    assert not told.ready and told.devices[0].uuid == "Unverified"


@in_virtual_time
async def test_two_boards_with_one_uuid_name_no_machine_whatever_their_agents_say() -> None:
    """Somebody has given one of the agents another UUID. Who has mixed up the addresses would have the neighbour's power cut, and believed."""
    other = "5f0c1e5e-2222-4c4c-8d8d-000000000002"
    scene = Scene()
    neighbour = FakeBmc(lambda: True, scene.switch, uuid=UUID)
    scene.agents.bmcs = {**scene.agents.bmcs, "192.0.2.102": neighbour}
    device = {"name": "bmc", "agent": "fence_redfish", "parameters": {"ip": "192.0.2.102"}}
    spec = {"fencing": {"levels": [{"name": "bmc", "devices": [device]}]}}
    await scene.prepare()
    await scene.agent_says("n1")
    await scene.api.create(HOSTS, Host.from_wire({"metadata": {"name": "n2"}, "spec": spec}))
    await scene.agent_says("n2", uuid=other)
    async with scene.fencer():
        await asyncio.sleep(400)
        told = await scene.fencing()
        assert not told.ready and told.devices[0].uuid == "Unverified"
        await scene.seal()
        await scene.ask("Off")
        await asyncio.sleep(60)
        assert scene.sent("off") == 0 and not await scene.proven()
        neighbour.uuid = other
        await scene.until(scene.proven)


@in_virtual_time
async def test_a_neighbours_device_that_leads_to_this_board_takes_nothing_from_its_own_host() -> None:
    scene = Scene()
    device = {"name": "b", "agent": "fence_redfish", "parameters": {"ip": "192.0.2.101"}}
    spec = {"fencing": {"levels": [{"name": "bmc", "devices": [device]}]}}
    await scene.prepare(secret=False)
    await scene.agent_says("n1")
    await scene.api.create(HOSTS, Host.from_wire({"metadata": {"name": "n2"}, "spec": spec}))
    await scene.agent_says("n2", uuid="5f0c1e5e-2222-4c4c-8d8d-000000000002")
    async with scene.fencer():
        await asyncio.sleep(400)
        assert (await scene.fencing()).devices[0].uuid == "Match"


# --- a fencer that has just started ----------------------------------------------------------------------------------


@in_virtual_time
async def test_a_fencer_that_starts_says_nothing_before_it_knows_which_machines_there_are() -> None:
    """It once told of every host, at each start, that its agent had not yet said which machine it runs on."""
    scene = Scene()
    await scene.prepare()
    await scene.agent_says("n1")
    said: list[bool] = []

    async def noted(kind: Kind[Any], body: Mapping[str, Any]) -> None:
        if kind is HOSTS and "fencing" in body["status"]:
            said.append(body["status"]["fencing"]["ready"])

    async def slow(kind: Kind[Any]) -> None:
        if kind.plural == "hostassignments":
            await asyncio.sleep(20)

    scene.api.on_patch, scene.api.on_read = noted, slow
    async with scene.fencer():
        await asyncio.sleep(60)
    assert said and all(said)
