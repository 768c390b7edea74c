"""What is known of the devices themselves, whatever request they are asked for: which machine each says it powers.

Shared by the requests' workers and the path tests, so that a fence at night need not ask first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final

from backstay_api.client.api import Api
from backstay_api.objects.models.host import DeviceStatus, FenceDevice

from . import identity, secrets
from .agents import Action, FenceAgents
from .counters import Counters
from .facts import Identity
from .parameters import merged, names
from .processes import AgentRun

# What says which board a device leads to.
_ADDRESS: Final = names("auth_url ip ipaddr plug port session_url systems_uri target")


class Devices:
    """Runs agents with their secrets, and remembers which machine a device named."""

    def __init__(self, api: Api, agents: FenceAgents, counters: Counters) -> None:
        self._api = api
        self._counters = counters
        self._agents = agents
        self._named: dict[str, str] = {}
        """UUID by the device's definition."""
        self._asked: set[str] = set()
        """Definitions of those that were asked in this life, whether they could tell or not."""
        self._led: dict[str, str] = {}
        """Where its Secret last said that it is, by what the Host says of it."""
        self._addresses: dict[str, frozenset[str]] = {}
        """The same of Host and Secret together: two that differ are two boards, as far as is known."""

    def definition(self, device: FenceDevice) -> str:
        """What makes it this device: with another address or user it is another one, under whatever name."""
        of_host = _of_host(device)
        return of_host + self._led.get(of_host, "")

    async def run(self, device: FenceDevice, action: Action) -> tuple[AgentRun, str]:
        """Run the device's agent once; what goes wrong before it is told as if it had said so. And which device that was."""
        before = self.definition(device)
        try:
            secret = await self._secret(device)
        except secrets.NoSecret as error:
            return AgentRun(125, str(error)), before
        asked = self.definition(device)
        if before not in (asked, _of_host(device)):
            await self.ask_identity(device)
            if action != "status":
                return AgentRun(
                    125, "its Secret names another address than before: not switched before it is read"
                ), asked
        run = await self._agents.run(device, action, secret)
        self._counters.ran(action, exit_code=run.exit_code)
        return run, asked

    def expecting(self, devices: Iterable[FenceDevice]) -> AbstractAsyncContextManager[None]:
        """Within this, these devices will be asked soon."""
        return self._agents.expecting(devices)

    async def ask_identity(self, device: FenceDevice) -> bool:
        """Let the device name its machine. An answer is kept; no answer leaves what was known. False: it could not be asked."""
        try:
            secret = await self._secret(device)
        except secrets.NoSecret:
            return False
        asked = self.definition(device)
        said = await self._agents.machine_uuid(device, secret)
        self._asked.add(asked)
        if said is not None:
            self._named[asked] = said
        return True

    def identity(
        self,
        device: FenceDevice,
        machine_uuid: str,
        before: DeviceStatus | None = None,
        *,
        others: Callable[[], Iterable[FenceDevice]] = tuple,
    ) -> Identity:
        """Whether this device powers this machine, as far as it has said.

        `before`: what a life of the fencer before has told. That it powers another machine stands until the device says otherwise; that
        it powers this one does not, for somebody may have laid the cables anew since. `others`: devices of other hosts. Where one at
        another address names this machine as well, boards share that name, whatever their hosts' agents say: then it says nothing.
        """
        asked = self.definition(device)
        if asked in self._named:
            found = identity.compare(self._named[asked], machine_uuid)
            return "Unverified" if found == "Match" and self._is_named_twice(device, machine_uuid, others) else found
        if before is not None and before.uuid == "Mismatch" and before.definition == digest(device):
            return "Mismatch"
        return "Unverified" if asked in self._asked else "Unasked"

    async def know(self, device: FenceDevice) -> bool:
        """Ask once, unless it has named its machine before. False: it could not be asked."""
        return self.definition(device) in self._named or await self.ask_identity(device)

    def _is_named_twice(
        self, device: FenceDevice, machine_uuid: str, others: Callable[[], Iterable[FenceDevice]]
    ) -> bool:
        same = {definition for definition, said in self._named.items() if identity.is_same(said, machine_uuid)}
        if len(same) < 2:
            return False
        here = self._addresses.get(_of_host(device))
        twins = (other for other in others() if self.definition(other) in same)
        return any(self._addresses.get(_of_host(other)) != here for other in twins)

    async def _secret(self, device: FenceDevice) -> Mapping[str, str]:
        secret = await secrets.read(self._api, device)
        self._led[_of_host(device)] = str(sorted(secrets.ways(secret)))
        told = merged(device, secret).items()
        self._addresses[_of_host(device)] = frozenset(
            f"{key.replace('ipaddr', 'ip')}={value}" for key, value in told if key in _ADDRESS
        )
        return secret


def digest(device: FenceDevice) -> str:
    """By which a later fencer knows that something was told of this device, and not of one that the Host named before it."""
    return hashlib.sha256(_of_host(device).encode()).hexdigest()[:16]


def _of_host(device: FenceDevice) -> str:
    return device.model_dump_json(exclude={"timeout", "read_gap", "drilled"})
