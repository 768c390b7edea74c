"""The drivers of the agent: one module a kind of resource; drivers do not know each other.

Nothing heavy is imported before `real_drivers` is called: the agent's heartbeat beats before that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from backstay_agent.detection import Detection
from backstay_api.objects.resource_kinds import kinds_in

from .base import Driver, StartFailed, StopFailed
from .unknown import UnknownDriver

if TYPE_CHECKING:
    from backstay_api.objects.plain import Probe, RenderedResource

GROUPS_S: Final = 1.0
"""Who asks has waited for an answer already, on a host that may be slow."""


class RealDriver(Driver, Protocol):
    """A driver that also recognises what an agent of ours started, without any memory of it, and answers probes of its own kind."""

    async def leftovers(self, *, run_is_intact: bool = False) -> list[RenderedResource]:
        """Whatever of this kind is ours and not verifiably stopped; see `host_system.HostSystem.leftovers`."""

    async def groups(self, resource: RenderedResource) -> list[Path]:
        """The control groups of what of it runs here. Raises what says that systemd cannot be asked."""

    async def ask(self, resource: RenderedResource, probe: Probe) -> str | None:
        """Ask a question that only this kind knows: None if the answer is good, else why not. It may be cancelled."""


def driver_of(drivers: Mapping[str, Driver], resource: RenderedResource) -> Driver:
    return next((drivers[kind.field] for kind, _ in kinds_in([resource])), UnknownDriver())


def real_drivers(
    detection: Detection | None = None, *, mount_roots: Sequence[Path] = (), keeps: Sequence[Path] = ()
) -> Mapping[str, RealDriver]:
    """The drivers for this very host, by kind. One connection to systemd, opened when first needed, serves them all.

    `detection`: told how late they see what happens; `mount_roots`: below which filesystems may be mounted, by default where most
    hosts have some; `keeps`: where the agent keeps what it must remember. Imports D-Bus, which takes a while: call it in a thread.
    """
    from .address.driver import VirtualIPDriver
    from .address.netlink import Netlink
    from .command import CommandDriver
    from .mount.acts import UnitPrograms
    from .mount.driver import MountDriver
    from .mount.places import ROOTS, HostFiles
    from .ocf.driver import OcfDriver
    from .systemd.driver import SystemdDriver
    from .tools.bus import preload
    from .tools.manager import Manager

    preload()
    detection = detection or Detection()
    manager = Manager(detection=detection)
    files = HostFiles(roots=mount_roots or ROOTS, own=keeps)
    return {
        "systemd": SystemdDriver(manager),
        "command": CommandDriver(manager),
        "virtual_ip": VirtualIPDriver(Netlink(detection)),
        "mount": MountDriver(UnitPrograms(manager), files, detection=detection),
        "ocf": OcfDriver(manager),
    }


async def ask(drivers: Mapping[str, RealDriver], resource: RenderedResource, probe: Probe) -> str | None:
    """A probe's question that only the driver of the resource can ask."""
    for kind, _ in kinds_in([resource]):
        return await drivers[kind.field].ask(resource, probe)
    return await UnknownDriver().ask(resource, probe)


async def groups(drivers: Mapping[str, RealDriver], resource: RenderedResource) -> list[Path]:
    """The control groups of what of the resource runs here; none where systemd does not say so soon."""
    from .tools.bus import BusError

    try:
        async with asyncio.timeout(GROUPS_S):
            return [group for kind, _ in kinds_in([resource]) for group in await drivers[kind.field].groups(resource)]
    except (BusError, OSError, StartFailed):  # a TimeoutError is an OSError
        return []


async def leftovers(drivers: Mapping[str, RealDriver], *, run_is_intact: bool) -> list[RenderedResource]:
    """Whatever on this host is recognisable as ours and not verifiably stopped. Raises StopFailed if nobody can tell."""
    from .tools.bus import BusError
    from .tools.file_system_looks import NoAnswer

    try:
        found = [await driver.leftovers(run_is_intact=run_is_intact) for driver in drivers.values()]
        return [resource for resources in found for resource in resources]
    except (BusError, OSError, TimeoutError, NoAnswer) as error:
        raise StopFailed(f"it cannot be seen what still runs on this host: {error}") from error
