"""`backstay move SERVICE`: writes a wish; the operator stops the service only when the target is ready, and takes the wish away."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Final

import typer

from backstay_api.objects.durations import later
from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAService
from backstay_api.objects.object_kinds import HA_SERVICES
from backstay_operator.planner.do.decisions import Slot, next_host
from backstay_operator.planner.do.moves import MOVE_ANNOTATION, elsewhere
from backstay_operator.planner.do.rounds import Round
from backstay_operator.planner.judge.copies import its_host
from backstay_operator.planner.judge.placement import NoHost

from .maintenance import LOOK_EVERY_S, seconds_of
from .names import Service, WaitLimit
from .rights import rights_to
from .session import NO_SUCH_THING, WELL, Session, Stop
from .view import EVERYTHING, VIEW, decided, place_of, readable, slot_of

# A wish that could not be granted for so long is no longer meant: nobody wants to be surprised by it tomorrow.
LASTS_S: Final = 600.0


async def move(
    session: Session,
    service: Service,
    to: Annotated[str, typer.Option(help="Host to move to. Default: the best of the others.", metavar="HOST")] = "",
    instance: Annotated[
        str, typer.Option(help="Which copy, where there are several: its name, or the host that it is on.")
    ] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it runs and works there, or says why not.")] = False,
    timeout: WaitLimit = "10m",
) -> int:
    """Move a service to another host, now. With --wait it ends with 4 where that has come to nothing."""
    limit_s = seconds_of(timeout)
    namespace, name = place_of(session, service)
    await session.need(rights_to("get patch", HA_SERVICES, namespace, name), f"The role edit in namespace {namespace}")
    await session.need(EVERYTHING, VIEW)
    known, round_, decision = await decided(session, service)
    slot = slot_of(decision, instance)
    if only := its_host(known, slot.instance):
        raise Stop(
            f"{slot.name} is the copy of {only}: of mode EveryHost none moves; labels and placement.hosts say where they are"
        )
    target = to or _best_other(round_, slot, known)
    if slot.instance and slot.instance.holder == target:
        session.say(f"{_said(known, slot)} is on {target} already.")
        return WELL
    _check(round_, slot, known, target)
    wish = await write_wish(session, known, slot.name, target)
    if wait and not session.is_dry:
        await wait_for(session, known, slot.name, target, limit_s)
    session.show({"service": known.key, "move": wish}, lambda: None)
    return WELL


async def write_wish(session: Session, service: HAService, slot: str, target: str) -> Raw:
    """Ask the operator to move one instance, by its name, to a host."""
    is_single = service.spec.mode == "Single"
    wish: Raw = {"host": target, "generation": service.metadata.generation}
    wish |= {"expires": later(session.tools.wall(), LASTS_S), **({} if is_single else {"instance": slot})}
    meta = {"annotations": {MOVE_ANNOTATION: json.dumps(wish)}}
    await session.api.patch(HA_SERVICES, service.metadata.name, {"metadata": meta}, service.metadata.namespace or "")
    session.say(f"{service.key if is_single else slot} is to move to {target}, as soon as that is ready.")
    return wish


def _said(service: HAService, slot: Slot) -> str:
    return service.key if service.spec.mode == "Single" else slot.name


async def wait_for(session: Session, service: HAService, slot: str, target: str, limit_s: float) -> None:
    """Until it runs there. Stop where the operator has taken the wish away and it does not, or where it lasts too long."""
    said = ""
    try:
        async with asyncio.timeout(limit_s):
            while not _is_there(now := await _present(session, service), slot, target):
                if not (now.metadata.annotations or {}).get(MOVE_ANNOTATION) and _host(now, slot) not in ("", target):
                    raise Stop(f"{now.key} has not moved to {target}: {_why(now)}")
                if (why := _why(now)) != said:
                    session.say(f"  {now.status.state or 'Unknown'}: {why}")
                said = why
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise Stop(f"after {limit_s:g} s {service.key} is not on {target}; it is still to move there: {said}") from None
    session.say(f"{service.key} runs on {target}.")


async def _present(session: Session, service: HAService) -> HAService:
    return readable(await session.api.get(HA_SERVICES, service.metadata.name, service.metadata.namespace or ""))


def _host(service: HAService, slot: str) -> str:
    return service.status.host if service.spec.mode == "Single" else service.status.of(slot).host


def _is_there(service: HAService, slot: str, target: str) -> bool:
    if service.spec.mode != "Single":  # Ready speaks of all copies
        return _host(service, slot) == target and service.status.of(slot).state == "Running"
    ready = next((one.status for one in service.status.conditions if one.type == "Ready"), "")
    return _host(service, slot) == target and ready == "True"


def _why(service: HAService) -> str:
    return next((one.message for one in service.status.conditions if one.type == "Ready"), "nothing is known yet")


def _best_other(round_: Round, slot: Slot, service: HAService) -> str:
    answer = next_host(round_, slot)
    if isinstance(answer, NoHost):
        raise Stop(f"{service.key} stays where it is: {answer.why}")
    return answer.host


def _check(round_: Round, slot: Slot, service: HAService, target: str) -> None:
    """Refuse at once what could not be granted anyway."""
    hosts = round_.world.hosts
    if target not in hosts:
        raise Stop(f"there is no host {target}; there are: {', '.join(sorted(hosts)) or 'none'}", NO_SUCH_THING)
    if service.spec.state != "Running":
        raise Stop(f"{service.key} moves nowhere: spec.state is {service.spec.state}")
    answer = elsewhere(round_, slot.in_force, slot.instance, to=target)
    rejected = next(verdict.rejected for verdict in answer.verdicts if verdict.host == target)
    if rejected and not rejected.is_passing:
        raise Stop(f"{service.key} cannot move to {target}: {target} {rejected.why}")
