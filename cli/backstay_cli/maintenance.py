"""`backstay drain`, `cordon`, `handsoff` and their ends: a host's maintenance stands in its Host object, and the operator does the rest."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

import typer

from backstay_api.client.api import Api
from backstay_api.objects import durations
from backstay_api.objects.models import HAInstance
from backstay_api.objects.object_kinds import HA_INSTANCES, HA_SERVICES, HOSTS, Unreadable

from .names import HostName, WaitLimit
from .rights import rights_to
from .session import NOT_NOW, WELL, Session, Stop
from .view import host_named, readable

Reason = Annotated[str, typer.Option(help="Why, for others to read.")]

ROLE: Final = "The role backstay:host-admins (the chart's value hostAdmins)"
# A person watches; a move takes tenths of a second.
LOOK_EVERY_S = 0.5


async def drain(
    session: Session,
    host: HostName,
    reason: Reason = "",
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until nothing of Backstay runs there, and tell how it goes.")
    ] = False,
    timeout: WaitLimit = "10m",
) -> int:
    """Move all services away from a host, and let none come: for repairs, upgrades, reboots."""
    limit_s = seconds_of(timeout)
    looking = [*rights_to("list", HA_INSTANCES), *(rights_to("get", HA_SERVICES) if wait else [])]
    await session.need([*rights_to("get patch", HOSTS, name=host), *looking], ROLE)
    maintenance = await _put_into(session, host, "Drain", reason)
    session.say(f"{host} is being drained.")
    if wait and not session.is_dry:
        await _wait_until_empty(session, host, limit_s)
    left = await held_on(session.api, host)
    session.show({"host": host, "maintenance": maintenance, "left": [one.key for one in left]}, lambda: None)
    return WELL


async def cordon(session: Session, host: HostName, reason: Reason = "") -> int:
    """Let no service come to a host; what runs there stays."""
    await session.need(rights_to("get patch", HOSTS, name=host), ROLE)
    known = await host_named(session.api, host)
    if known.spec.maintenance and known.spec.maintenance.mode == "Drain":
        raise Stop(f"{host} is being drained, so nothing comes there either; `backstay undrain {host}` first")
    maintenance = await _put_into(session, host, "Cordon", reason)
    session.say(f"{host} is cordoned: nothing new comes there, and what runs there stays.")
    session.show({"host": host, "maintenance": maintenance}, lambda: None)
    return WELL


async def uncordon(session: Session, host: HostName) -> int:
    """Let services come to a cordoned host again. Ends Cordon alone."""
    await session.need(rights_to("get patch", HOSTS, name=host), ROLE)
    present = (await host_named(session.api, host)).spec.maintenance
    if present and present.mode != "Cordon":
        raise Stop(f"{host} is not cordoned but in maintenance {present.mode}: `backstay undrain {host}` ends that")
    return await _end(session, host, is_in_it=present is not None)


async def handsoff(session: Session, host: HostName, reason: Reason = "") -> int:
    """Let nobody touch what runs on a host: nothing is started, restarted, stopped or moved there, and it is not fenced."""
    await session.need(rights_to("get patch", HOSTS, name=host), ROLE)
    maintenance = await _put_into(session, host, "HandsOff", reason)
    session.say(
        f"{host} is in HandsOff maintenance: nothing there is touched, and should it be lost, nothing of it starts"
        f" elsewhere. `backstay undrain {host}` ends that."
    )
    session.show({"host": host, "maintenance": maintenance}, lambda: None)
    return WELL


async def undrain(session: Session, host: HostName) -> int:
    """Let services come to a host again: ends Drain, Cordon and HandsOff."""
    await session.need(rights_to("get patch", HOSTS, name=host), ROLE)
    known = await host_named(session.api, host)
    return await _end(session, host, is_in_it=known.spec.maintenance is not None)


async def _put_into(session: Session, host: str, mode: str, reason: str) -> dict[str, str]:
    """HandsOff is left by `undrain` alone: whoever works there has to say that he has finished."""
    present = (await host_named(session.api, host)).spec.maintenance
    if present and present.mode == "HandsOff" and mode != "HandsOff":
        raise Stop(f"{host} is in HandsOff maintenance: nothing there is touched. `backstay undrain {host}` ends that")
    maintenance = {"mode": mode, "reason": reason or (present.reason if present else "")}
    await session.api.patch(HOSTS, host, {"spec": {"maintenance": maintenance}})
    return maintenance


async def _end(session: Session, host: str, *, is_in_it: bool) -> int:
    if not is_in_it:
        session.say(f"{host} was not in maintenance.")
    else:
        await session.api.patch(HOSTS, host, {"spec": {"maintenance": None}})
        session.say(f"{host} takes services again.")
    session.show({"host": host, "maintenance": None}, lambda: None)
    return WELL


async def _wait_until_empty(session: Session, host: str, limit_s: float) -> None:
    said = ""
    try:
        async with asyncio.timeout(limit_s):
            while left := await held_on(session.api, host):
                text = "\n".join([await _how_it_goes(session, one) for one in left])
                if text != said:
                    session.say(text)
                said = text
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise Stop(f"after {limit_s:g} s {host} is not empty; it stays drained:\n{said}", NOT_NOW) from None
    session.say(f"Nothing of Backstay runs on {host} any more.")


async def held_on(api: Api, host: str) -> list[HAInstance]:
    """What is granted to the host, in order of name. Stop where one cannot be read: it may be."""
    instances = [readable(one) for one in (await api.list(HA_INSTANCES)).items]
    return sorted((one for one in instances if one.holder == host), key=lambda one: one.key)


async def _how_it_goes(session: Session, instance: HAInstance) -> str:
    service = await session.api.get(HA_SERVICES, instance.spec.service.name, instance.metadata.namespace or "")
    if isinstance(service, Unreadable):
        return f"  {service.key} cannot be read: {service.why}"
    held_back = next(
        (one for one in service.status.conditions if one.type == "Degraded" and one.status == "True"), None
    )
    summary = next((one for one in service.status.instances if one.name == instance.metadata.name), None)
    why = held_back.message if held_back else (summary.why if summary else "")
    return f"  {service.key}: {service.status.state or 'Unknown'}{f': {why}' if why else ''}"


def seconds_of(text: str) -> float:
    try:
        return durations.seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
