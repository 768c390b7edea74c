"""Agents on paper: they open sessions, keep their Leases and report what they are told, with an agent's identity and no host.

For tests of everything but the host: operator, fencer, roles and policies on a real API server.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from backstay_api.client.api import Api, Event
from backstay_api.client.errors import ApiError
from backstay_api.client.informer import LEASE_BACKOFF, Informer
from backstay_api.objects import lease as leases
from backstay_api.objects.kinds import LEASES, Kind, Raw, raw
from backstay_api.objects.plain import (
    AgentSession,
    Facts,
    HostAssignment,
    HostAssignmentStatus,
    InstanceOrder,
    InstanceReport,
    StandbyReport,
)
from backstay_api.objects.promise import Contract

ASSIGNMENTS: Final[Kind[Raw]] = raw(
    "backstay.dev", "v1alpha1", "hostassignments", "HostAssignment", False, has_status=True
)
_RENEW_S: Final = 0.4


@dataclass
class FakeAgent:
    """One host's agent. Cancel `run` and the host is lost."""

    api: Api
    host: str
    runs: set[str] = field(default_factory=set)
    """UIDs of instances that run here, on paper."""

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._heartbeat())
            tasks.create_task(self._obey())

    async def _heartbeat(self) -> None:
        while True:
            try:
                body: Raw = await self.api.get(LEASES, self.host, leases.NAMESPACE)
                lease = leases.read(body)
                if not lease.sealed:
                    await self.api.replace(LEASES, leases.write(self._next(lease)))
            except ApiError:
                pass  # the next turn tries again
            await asyncio.sleep(_RENEW_S)

    def _next(self, lease: leases.HostLease) -> leases.HostLease:
        now = "2026-01-01T00:00:00.000000Z"
        contract = Contract(profile="lab", renew_s=0.5, request_s=0.5)
        if lease.holder == self._session.ref.text:
            return lease.renewed(contract, renew_time=now)
        return lease.taken(self._session.ref.text, self._session.seq, contract, renew_time=now)

    async def _obey(self) -> None:
        changed = asyncio.Event()

        def on_event(event: Event[Raw]) -> None:
            changed.set()

        informer = Informer(self.api, ASSIGNMENTS, rng=random.Random(1), name=self.host, backoff=LEASE_BACKOFF)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(informer.run(on_event))
            while True:
                await changed.wait()
                changed.clear()
                try:
                    await self._answer()
                except ApiError:
                    changed.set()
                    await asyncio.sleep(_RENEW_S)

    async def _answer(self) -> None:
        body = await self.api.get(ASSIGNMENTS, self.host)
        assignment = HostAssignment.from_wire(body)
        mine = {uid: one for uid, one in assignment.spec.instances.items() if one.session == self._session.ref}
        self.runs = {uid for uid, order in mine.items() if order.want == "Up"}
        status = HostAssignmentStatus(
            session=self._session,
            instances={uid: _report(order) for uid, order in mine.items()},
            standbys={
                uid: StandbyReport(ready=True, revision=o.revision) for uid, o in assignment.spec.standbys.items()
            },
            facts=Facts(hostname=self.host, agent_version="paper"),
        ).to_wire()
        if status != body.get("status"):
            await self.api.replace(ASSIGNMENTS, {**body, "status": status}, subresource="status")

    @property
    def _session(self) -> AgentSession:
        return AgentSession(boot_id=f"boot-{self.host}", nonce="paper", seq=1, machine_uuid=f"machine-{self.host}")


def _report(order: InstanceOrder) -> InstanceReport:
    up = order.want == "Up"
    return InstanceReport(
        namespace=order.namespace,
        name=order.name,
        service=order.service,
        epoch=order.epoch,
        phase="Running" if up else "Stopped",
        released=not up,
        revision=order.revision,
    )


async def until(what: str, holds: Callable[[], Any], *, timeout_s: float = 30.0) -> None:
    """Wait for a fact that a real server brings about."""
    try:
        async with asyncio.timeout(timeout_s):
            while not holds():
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"not within {timeout_s:g} s: {what}") from None
