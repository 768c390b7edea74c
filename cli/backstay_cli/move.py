"""`backstay move SERVICE`: writes a wish; the operator stops the service only when the target is ready, and takes the wish away."""

from __future__ import annotations

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

from .rights import rights_to
from .session import NO_SUCH_THING, WELL, Session, Stop
from .view import EVERYTHING, VIEW, decided, place_of, slot_of

# A wish that could not be granted for so long is no longer meant: nobody wants to be surprised by it tomorrow.
LASTS_S: Final = 600.0


async def move(
    session: Session,
    service: Annotated[str, typer.Argument(help="Name of the HAService, or NAMESPACE/NAME.")],
    to: Annotated[str, typer.Option(help="Host to move to. Default: the best of the others.", metavar="HOST")] = "",
    instance: Annotated[
        str, typer.Option(help="Which copy, where there are several: its name, or the host that it is on.")
    ] = "",
) -> int:
    """Move a service to another host, now."""
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
    wish: Raw = {
        "host": target,
        "generation": known.metadata.generation,
        "expires": later(session.tools.wall(), LASTS_S),
    }
    if known.spec.mode != "Single":
        wish["instance"] = slot.name
    meta = {"annotations": {MOVE_ANNOTATION: json.dumps(wish)}}
    await session.api.patch(HA_SERVICES, known.metadata.name, {"metadata": meta}, known.metadata.namespace or "")
    session.say(f"{_said(known, slot)} is to move to {target}, as soon as that is ready.")
    session.show({"service": known.key, "move": wish}, lambda: None)
    return WELL


def _said(service: HAService, slot: Slot) -> str:
    return service.key if service.spec.mode == "Single" else slot.name


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
