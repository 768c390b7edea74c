"""The heartbeat as both sides write it, through the typed client: a seal is final, on the fake and on a real server."""

import asyncio
import random
from dataclasses import replace

import pytest

from backstay_api.client.api import Event
from backstay_api.client.errors import Conflict
from backstay_api.client.informer import LEASE_BACKOFF, Informer
from backstay_api.objects import lease
from backstay_api.objects.lease import HostLease
from backstay_api.objects.object_kinds import HOST_LEASES, Unreadable
from backstay_api.objects.promise import PROFILES
from contract.scene import Play, Scene

LAB = PROFILES["lab"]


async def a_held_lease(scene: Scene) -> HostLease:
    there = lease.new("n1")
    there = replace(there, metadata={"name": "n1", "namespace": scene.namespace})
    made = readable(await scene.api.create(HOST_LEASES, there, scene.namespace))
    taken = made.taken("boot/nonce", 1, LAB, renew_time="2026-01-01T00:00:00.000000Z")
    return readable(await scene.api.replace(HOST_LEASES, taken))


def readable(found: HostLease | Unreadable) -> HostLease:
    assert isinstance(found, HostLease)
    return found


def test_a_renewal_is_seen_and_read_alike(play: Play) -> None:
    async def story(scene: Scene) -> None:
        held = await a_held_lease(scene)
        renewals: asyncio.Queue[int] = asyncio.Queue()

        def note(event: Event[HostLease | Unreadable]) -> None:
            renewals.put_nowait(readable(event.object).renewal)

        informer = Informer(
            scene.api, HOST_LEASES, namespace=scene.namespace, rng=random.Random(1), backoff=LEASE_BACKOFF
        )
        running = asyncio.create_task(informer.run(note))
        await informer.synced.wait()
        for _ in range(3):
            renewed = held.renewed(LAB, renew_time="2026-01-01T00:00:01.000000Z")
            held = readable(await scene.api.lane("lease").replace(HOST_LEASES, renewed))
        async with asyncio.timeout(10):
            assert [await renewals.get() for _ in range(4)] == [1, 2, 3, 4]
        assert (held.holder, held.seq, held.sealed, held.contract) == ("boot/nonce", 1, False, LAB)
        running.cancel()
        await asyncio.wait([running])

    play(story)


def test_after_a_seal_no_renewal_of_that_session_succeeds(play: Play) -> None:
    async def story(scene: Scene) -> None:
        held = await a_held_lease(scene)
        sealed = readable(await scene.api.replace(HOST_LEASES, held.sealed_()))
        assert sealed.sealed
        with pytest.raises(Conflict):
            await scene.api.replace(HOST_LEASES, held.renewed(LAB, renew_time="2026-01-01T00:00:01.000000Z"))
        assert readable(await scene.api.get(HOST_LEASES, "n1", scene.namespace)).sealed

    play(story)


def test_a_renewal_that_is_quicker_than_the_seal_wins(play: Play) -> None:
    async def story(scene: Scene) -> None:
        held = await a_held_lease(scene)
        await scene.api.replace(HOST_LEASES, held.renewed(LAB, renew_time="2026-01-01T00:00:01.000000Z"))
        with pytest.raises(Conflict):
            await scene.api.replace(HOST_LEASES, held.sealed_())

    play(story)
