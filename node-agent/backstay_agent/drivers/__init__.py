"""The drivers of the agent: one module a kind of resource; drivers do not know each other.

Nothing heavy is imported before `real_drivers` is called: the agent's heartbeat beats before that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from backstay_agent.detection import Detection
from backstay_api import VERSION
from backstay_api.objects.resource_kinds import kinds_in

from .base import AskedParts, Driver, Looker, NotNamed, Observed, Parts, StartFailed, StopFailed, TellsParts
from .unknown import UnknownDriver

if TYPE_CHECKING:
    from backstay_api.objects.plain import Probe, RenderedPrerequisite, RenderedResource

    from .tools.files import RealInstaller
    from .tools.manager import Manager

GROUPS_S: Final = 1.0
"""Who asks has waited for an answer already, on a host that may be slow."""
NAMED_S: Final = 3.0
"""Whoever asks does so again: this is for one answer of systemd's."""


class RealDriver(Driver, Protocol):
    """A driver that also recognises what an agent of ours started, without any memory of it, and answers probes of its own kind."""

    async def leftovers(self, *, run_is_intact: bool = False) -> list[RenderedResource]:
        """Whatever of this kind is ours and not verifiably stopped; see `host_system.HostSystem.leftovers`."""

    async def groups(self, resource: RenderedResource) -> list[Path]:
        """The control groups of what of it runs here. Raises what says that systemd cannot be asked."""

    async def own_unit(self, resource: RenderedResource) -> str:
        """What systemd calls the unit that it is; empty if it is none. Raises what says that systemd cannot be asked."""

    async def ask(self, resource: RenderedResource, probe: Probe) -> str | None:
        """Ask a question that only this kind knows: None if the answer is good, else why not. It may be cancelled."""


def driver_of(drivers: Mapping[str, Driver], resource: RenderedResource) -> Driver:
    return next((drivers[kind.field] for kind, _ in kinds_in([resource])), UnknownDriver())


def real_manager(detection: Detection | None = None) -> Manager:
    """One connection to this host's systemd, opened when first needed. Imports D-Bus, which takes a while: call it in a thread."""
    from .tools.bus import preload
    from .tools.manager import Manager

    preload()
    return Manager(detection=detection)


def real_drivers(
    detection: Detection | None = None,
    *,
    mount_roots: Sequence[Path] = (),
    keeps: Sequence[Path] = (),
    manager: Manager | None = None,
) -> Mapping[str, RealDriver]:
    """The drivers for this very host, by kind. One connection to systemd serves them all, by default one of their own.

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

    detection = detection or Detection()
    manager = manager or real_manager(detection)
    files = HostFiles(roots=mount_roots or ROOTS, own=keeps)
    return {
        "systemd": SystemdDriver(manager),
        "command": CommandDriver(manager),
        "virtual_ip": VirtualIPDriver(Netlink(detection)),
        "mount": MountDriver(UnitPrograms(manager), files, detection=detection),
        "ocf": OcfDriver(manager),
    }


def real_lookers(manager: Manager | None = None) -> Mapping[str, Looker]:
    """Who looks at prerequisites on this very host, by kind. `manager`: whom to ask about units; without one they cannot be seen."""
    from .certificate import CertificateLooks
    from .endpoint import EndpointLooks
    from .file import FileLooks
    from .package import PackageLooks
    from .path import PathLooks
    from .setting import SettingLooks, unseen

    return {
        "file": FileLooks(),
        "package": PackageLooks(),
        "certificate": CertificateLooks(),
        "endpoint": EndpointLooks(),
        "setting": SettingLooks(manager.properties if manager else unseen),
        "path": PathLooks(),
    }


def real_files(manager: Manager) -> RealInstaller:
    """Who puts files in place on this very host."""
    from .tools.files import RealInstaller

    return RealInstaller(manager)


def real_tellers() -> Mapping[str, TellsParts]:
    """Who says where prerequisites differ, by kind: of those whose row says so (`says_where`)."""
    from .file import parts_of_file
    from .path import parts_of_tree

    return {"file": parts_of_file, "path": parts_of_tree}


async def parts_of(
    tellers: Mapping[str, TellsParts], resource: RenderedPrerequisite, asked: AskedParts, key: bytes
) -> Parts:
    """What is said of one prerequisite, part by part."""
    for kind, spec in kinds_in([resource]):
        if kind.field in tellers:
            return await tellers[kind.field](spec, asked, key)
    return Parts(f"agent {VERSION} does not know the parts of this kind of prerequisite")


async def look_at(lookers: Mapping[str, Looker], resource: RenderedPrerequisite, salt: str) -> Observed:
    """What is seen of one prerequisite. One of a later release's kind is seen by nobody."""
    for kind, spec in kinds_in([resource]):
        return await lookers[kind.field](spec, salt)
    return Observed(f"agent {VERSION} does not know this kind of prerequisite: upgrade the agent")


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


async def own_unit(drivers: Mapping[str, RealDriver], resource: RenderedResource) -> str:
    """What systemd calls the unit of the resource; empty if it has none. Raises NotNamed where systemd does not say so soon, StartFailed where
    it is a name that no unit of a service may have."""
    from .tools.bus import BusError

    try:
        async with asyncio.timeout(NAMED_S):
            return "".join([await drivers[kind.field].own_unit(resource) for kind, _ in kinds_in([resource])])
    except TimeoutError as error:
        why = f"systemd has not said within {NAMED_S:g} s what it calls the unit of {resource.name}"
        raise NotNamed(f"{why}, so it is not known whether the policy of this host allows that") from error
    except (BusError, OSError) as error:
        raise NotNamed(f"systemd does not say what it calls the unit of {resource.name}: {error}") from error


async def leftovers(drivers: Mapping[str, RealDriver], *, run_is_intact: bool) -> list[RenderedResource]:
    """Whatever on this host is recognisable as ours and not verifiably stopped. Raises StopFailed if nobody can tell."""
    from .tools.bus import BusError
    from .tools.file_system_looks import NoAnswer

    try:
        found = [await driver.leftovers(run_is_intact=run_is_intact) for driver in drivers.values()]
        return [resource for resources in found for resource in resources]
    except (BusError, OSError, TimeoutError, NoAnswer) as error:
        raise StopFailed(f"it cannot be seen what still runs on this host: {error}") from error
