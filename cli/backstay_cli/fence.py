"""`backstay fence HOST --confirm`: a person's word, in place of a device's, that a machine is powered off."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from backstay_api.client.errors import Conflict
from backstay_api.objects.models import FenceRequest
from backstay_api.objects.object_kinds import FENCE_REQUESTS
from backstay_api.objects.rbac import CONFIRM_VERB
from backstay_api.objects.texts import confirm_by_hand
from backstay_operator.planner.know.world import World

from .names import HostName
from .rights import Right, rights_to
from .session import NOT_NOW, WELL, Session, Stop
from .tables import table
from .view import EVERYTHING, VIEW, host_named, look

_CONFIRMING: Final = [
    *rights_to("patch", FENCE_REQUESTS),
    Right(CONFIRM_VERB, FENCE_REQUESTS.group, FENCE_REQUESTS.plural),
]

_TRIES: Final = 5
"""A busy fencer writes a request a few times a second."""


async def fence(
    session: Session,
    host: HostName,
    confirm: Annotated[bool, typer.Option("--confirm", help="I have seen that this machine is powered off.")] = False,
    reason: Annotated[str, typer.Option(help="What you saw, for the record.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
) -> int:
    """Show what is known of a lost host's power, or confirm with --confirm that it is off."""
    if confirm:
        await session.need(
            [*_CONFIRMING, *EVERYTHING], "The role backstay:fence-confirmers (the chart's value fenceConfirmers)"
        )
    else:
        await session.need(EVERYTHING, VIEW)
    await host_named(session.api, host)
    world = (await look(session)).world
    waiting = [request for request in _requests(world, host) if _waits(request)]
    if not confirm:
        return _show(session, world, host)
    if not waiting:
        raise Stop(_nothing_to_confirm(world, host), NOT_NOW)
    if not yes and not session.tools.ask(_question(world, host, waiting)):
        raise Stop("nothing was confirmed", NOT_NOW)
    by = await session.tools.who_am_i(session.api)
    for request in waiting:
        await _confirm(session, request, by, reason)
    session.say(f"Confirmed by {by}: {host} is powered off. Its services may start elsewhere now.")
    session.show({"host": host, "by": by, "confirmed": [request.key for request in waiting]}, lambda: None)
    return WELL


def _requests(world: World, host: str) -> list[FenceRequest]:
    return sorted((one for one in world.requests.values() if one.spec.host == host), key=lambda one: one.key)


def _waits(request: FenceRequest) -> bool:
    return request.spec.want != "Withdrawn" and request.status.evidence is None and request.spec.confirm is None


async def _confirm(session: Session, request: FenceRequest, by: str, reason: str) -> None:
    """Only for what was shown: each try is a compare-and-swap of a version that says the same as that did."""
    said = {"by": by, "at": session.tools.wall(), "reason": reason}
    seen = request
    for _ in range(_TRIES):
        body = {"metadata": {"resourceVersion": seen.metadata.resource_version}, "spec": {"confirm": said}}
        try:
            await session.api.patch(FENCE_REQUESTS, request.metadata.name, body)
            return
        except Conflict:
            # The fencer tells of each read.
            found = await session.api.get(FENCE_REQUESTS, request.metadata.name)
        if not isinstance(found, FenceRequest) or _substance(found) != _substance(request):
            break
        seen = found
    raise Stop(f"{request.key} has changed meanwhile: look again, and then confirm", NOT_NOW)


def _substance(request: FenceRequest) -> tuple[object, ...]:
    """What makes it another question whether the machine is off: another wish or session, a proof, or that it is, or was switched, on."""
    status = request.status
    reads_on = {(read.level, read.device) for read in status.reads if read.power == "On"}
    ons = [(one.level, one.device, one.at) for one in status.attempts if one.action == "on"]
    return request.uid, request.spec, status.evidence, status.power == "On", status.powered_on, reads_on, ons


def _question(world: World, host: str, waiting: list[FenceRequest]) -> str:
    machines = sorted({request.spec.machine_uuid for request in waiting if request.spec.machine_uuid})
    machine = f" (machine {', '.join(machines)})" if machines else ""
    held = sorted(world.held_by.get(host, ()))
    return (
        f"{host}{machine} holds {', '.join(held) or 'nothing'}.\n"
        f"If it is still powered on, these may run twice and destroy their data.\n"
        f"Have you seen for yourself that {host} is powered off?"
    )


def _nothing_to_confirm(world: World, host: str) -> str:
    requests = _requests(world, host)
    seen = world.leases.get(host)
    if any(request.status.evidence or request.spec.confirm for request in requests):
        return f"nothing to confirm: it is proven already that the lost session of {host} is over"
    if seen is None or not seen.lease.holder:
        return f"nothing to confirm: {host} has never been seen, so nothing runs there"
    liveness = world.hosts[host].status.liveness or "Unknown"
    return (
        f"nothing to confirm: no service is waiting for proof that {host} is off (it is {liveness});"
        " a host is asked about when it is silent and holds a service"
    )


def _show(session: Session, world: World, host: str) -> int:
    requests = _requests(world, host)
    rows = [
        (one.key, one.spec.want, one.status.power, _proof(one), one.status.message or one.spec.why) for one in requests
    ]

    def human() -> None:
        if rows:
            table(session.out, ("REQUEST", "WANT", "POWER", "PROOF", "WHY"), rows)
        else:
            session.say(f"Nobody has asked about the power of {host}.")
        if any(_waits(one) for one in requests):
            session.say(f"If you have seen that {host} is powered off: {confirm_by_hand(host)}")

    session.show({"host": host, "requests": [one.wire() for one in requests]}, human)
    return WELL


def _proof(request: FenceRequest) -> str:
    if request.spec.confirm:
        return f"confirmed by {request.spec.confirm.by}"
    return "device" if request.status.evidence else "-"
