"""What a host needs besides its drivers' means, so that what is started there could also be kept, seen and asked.

Readiness asks for everything that the start and the probes will need: what it does not ask for is found out by a failover that
leads nowhere.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from backstay_agent.drivers.tools.disk_space import no_room
from backstay_agent.drivers.tools.file_system_looks import LOOK_LIMIT_S, NoAnswer, look
from backstay_agent.drivers.tools.ports import is_here, listeners, owner
from backstay_agent.drivers.tools.programs import not_runnable, unreadable
from backstay_agent.drivers.tools.service_mounts import comes_with_it
from backstay_agent.drivers.tools.transient import argv_refusal
from backstay_api.objects.plain import RenderedResource
from backstay_api.objects.probe_kinds import kind_of, others_ask
from backstay_api.objects.resource_kinds import is_address, units_of

DROP_INS: Final = Path("/etc/systemd/system")
_NO_SUCH_NAME: Final = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


class Needs(Protocol):
    """Asked of each standby, besides its drivers."""

    async def of(self, resource: RenderedResource, *, is_down: bool) -> list[str]:
        """What this resource and its probes will miss. `is_down`: nothing of it runs here, by us or by anybody."""


class NoNeeds:
    """Asks for nothing, as a fake for hosts that have no file system."""

    async def of(self, resource: RenderedResource, *, is_down: bool) -> list[str]:
        return []


class RealNeeds:
    """`Needs` of this very host."""

    async def of(self, resource: RenderedResource, *, is_down: bool) -> list[str]:
        # What is secured already needs no more writing; what a start changes there does.
        whys = await without_room([DROP_INS]) if units_of([resource]) else []
        for probe in resource.probes:
            kind, spec = kind_of(probe)
            whys += await _program(probe.name, kind.program(spec))
            whys += await _unreadable(probe.name, kind.files(spec))
            if kind.asks_port and spec.host:
                whys += await _unknown(probe.name, spec.host)
            if kind.asks_port and is_down and not is_address(resource) and not others_ask(probe):
                whys += await _port(probe.name, spec.host or "127.0.0.1", spec.port)
        return whys


async def without_room(folders: Sequence[Path]) -> list[str]:
    """Why nothing could be kept in these folders: sentences, none if all is well."""
    whys: list[str] = []
    for folder in folders:
        try:
            why = await look(f"{folder} (room)", partial(no_room, folder))
        except NoAnswer as error:
            why = str(error)
        whys += [why] if why else []
    return whys


async def _program(probe: str, argv: Sequence[str]) -> list[str]:
    if not argv or comes_with_it(argv[0]):
        return []
    why = argv_refusal(argv)
    try:
        why = why or await look(argv[0], partial(not_runnable, argv[0]))
    except NoAnswer as error:
        why = str(error)
    return [f"probe {probe} could not be asked: {why}"] if why else []


async def _unreadable(probe: str, files: Sequence[str]) -> list[str]:
    whys: list[str] = []
    for file in (file for file in files if not comes_with_it(file)):
        try:
            why = await look(f"{file} (read)", partial(unreadable, file))
        except NoAnswer as error:
            why = str(error)
        whys += [f"probe {probe} could not be asked: {why}"] if why else []
    return whys


async def _unknown(probe: str, host: str) -> list[str]:
    """A name that nobody knows. One that cannot be asked for now, or is asked for too long, is another matter: `checks.names`."""
    try:
        async with asyncio.timeout(LOOK_LIMIT_S):
            await asyncio.get_running_loop().getaddrinfo(host, None)
    except socket.gaierror as error:
        if error.errno in _NO_SUCH_NAME:
            return [f"probe {probe} could not be asked: {host} does not resolve: {error.strerror}"]
    except OSError:  # a TimeoutError is one
        pass
    return []


async def _port(probe: str, host: str, port: int) -> list[str]:
    """Whoever has the port would answer in the service's stead, and not let it in."""
    try:
        who = await look(f"/proc (port {port} of {host})", partial(_holder, host, port))
    except (NoAnswer, OSError):
        return []
    if who is None:
        return []
    return [f"port {port}, which probe {probe} asks, is held by {who} already"]


def _holder(host: str, port: int) -> str | None:
    here = [one for one in listeners(port) if one.answers(host)] if is_here(host) else []
    return owner(here[0].inode) if here else None
