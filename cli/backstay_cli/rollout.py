"""`backstay rollout`: how far an edit of the files that a service brings to hosts has come; have it wait, go on, or be tried again.

What a verb changes is a word of the manifest (`spec.rollout`), as with `kubectl rollout`: whoever keeps manifests in Git says it there, too.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAService
from backstay_api.objects.names import key_of
from backstay_api.objects.object_kinds import HA_SERVICES
from backstay_operator.planner.tell.rollouts import DONE, Standing, standings

from .maintenance import LOOK_EVERY_S, seconds_of
from .names import Service, WaitLimit
from .rights import rights_to
from .session import NOT_WELL, WELL, Session, Stop, till_unchanged
from .tables import table
from .view import EVERYTHING, VIEW, decided, place_of, slots_of


async def rollout_status(
    session: Session,
    service: Service,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until it is in use everywhere, or a host has refused it.")
    ] = False,
    timeout: WaitLimit = "10m",
) -> int:
    """Say of each host how far the files have come that a service brings there."""
    limit_s = seconds_of(timeout)
    await session.need(EVERYTHING, VIEW)
    known, found = await _found(session, service)
    if wait:
        known, found = await _until_over(session, service, known, found, limit_s)
    data = {"service": known.key, "files": [vars(one) for one in found]}
    session.show(data, lambda: _print(session, known, found))
    return WELL if _is_done(found) else NOT_WELL


async def pause(session: Session, service: Service) -> int:
    """Have the host that runs the service wait with new files, though all others have them. What is on trial goes on."""
    return await _say(session, service, {"paused": True}, "waits where it runs, from now on")


async def resume(session: Session, service: Service) -> int:
    """Let the host that runs the service begin with what waits."""
    return await _say(session, service, {"paused": None}, "goes on")


async def retry(session: Session, service: Service) -> int:
    """Have what a host has refused tried again, once."""
    return await _say(session, service, {"retriedAt": session.tools.wall()}, "is tried again where it was refused")


async def _say(session: Session, service: Service, words: Raw, what: str) -> int:
    namespace, name = place_of(session, service)
    await session.need(rights_to("get patch", HA_SERVICES, namespace, name), f"The role edit in namespace {namespace}")
    await session.need(EVERYTHING, VIEW)

    async def say() -> HAService:
        known, found = await _found(session, service)
        if not found:
            raise Stop(f"{known.key} brings no files to hosts, so there is nothing to roll out")
        meta = {"resourceVersion": known.metadata.resource_version}
        await session.api.patch(HA_SERVICES, name, {"metadata": meta, "spec": {"rollout": words}}, namespace)
        return known

    known = await till_unchanged(key_of(namespace, name), say)
    session.say(f"{known.key}: an edit of its files {what}.")
    session.show({"service": known.key, "rollout": words}, lambda: None)
    return WELL


async def _found(session: Session, service: Service) -> tuple[HAService, list[Standing]]:
    known, round_, decision = await decided(session, service)
    return known, [one for slot in slots_of(decision, "") for one in standings(round_.world, slot)]


def _is_done(found: list[Standing]) -> bool:
    return all(one.stage in DONE for one in found)


async def _until_over(
    session: Session, service: Service, known: HAService, found: list[Standing], limit_s: float
) -> tuple[HAService, list[Standing]]:
    try:
        async with asyncio.timeout(limit_s):
            while not _is_done(found) and not any(one.stage == "Refused" for one in found):
                await asyncio.sleep(LOOK_EVERY_S)
                known, found = await _found(session, service)
    except TimeoutError:
        session.say(f"after {limit_s:g} s it is not over yet")
    return known, found


def _print(session: Session, service: HAService, found: list[Standing]) -> None:
    if not found:
        session.say(f"{service.key} brings no files to hosts")
        return
    rows = [(one.host, one.resource, one.path, one.stage, one.why) for one in found]
    table(session.out, ("HOST", "RESOURCE", "PATH", "STAGE", "WHY"), rows)
