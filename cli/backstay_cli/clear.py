"""`backstay clear SERVICE`, what Pacemaker users know as cleanup: failures so far count for nothing any more, and a person says why."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Final

import typer

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.names import key_of
from backstay_api.objects.object_kinds import HA_SERVICES
from backstay_operator.planner.know.clearing import CLEAR_ANNOTATION, Clear, clear_of, epochs_up_to_now
from backstay_operator.planner.know.world import World

from .names import Service
from .rights import rights_to
from .session import NO_SUCH_THING, WELL, Session, Stop, till_unchanged
from .view import EVERYTHING, VIEW, decided, place_of

_MOST_CHARS: Final = 1000


async def clear(
    session: Session,
    service: Service,
    reason: Annotated[str, typer.Option(help="What was mended, for the record.")],
    host: Annotated[str, typer.Option(help="Only what failed on this host.", metavar="HOST")] = "",
) -> int:
    """Forget a service's failures: it may be tried at once where it failed, and restarts in place are counted from zero."""
    namespace, name = place_of(session, service)
    await session.need(rights_to("get patch", HA_SERVICES, namespace, name), f"The role edit in namespace {namespace}")
    await session.need(EVERYTHING, VIEW)
    by = await session.tools.who_am_i(session.api)
    known, word = await till_unchanged(key_of(namespace, name), lambda: _said(session, service, host, by, reason))
    session.say(f"Failures of {known.key}{f' on {host}' if host else ''} up to now are forgotten.")
    session.show({"service": known.key, "clear": vars(word)}, lambda: None)
    return WELL


async def _said(session: Session, service: str, host: str, by: str, reason: str) -> tuple[HAService, Clear]:
    known, round_, decision = await decided(session, service)
    instances = [slot.instance for slot in decision.slots if slot.instance]
    if host and host not in round_.world.hosts:
        raise Stop(
            f"there is no host {host}; there are: {', '.join(sorted(round_.world.hosts)) or 'none'}", NO_SUCH_THING
        )
    granted = {one.metadata.name: one.spec.epoch for one in instances}
    word = Clear(
        epochs=epochs_up_to_now(granted, ((failed.slot, failed.epoch) for failed in known.status.failures)),
        host=host,
        number=1 + _last(round_.world, known, instances),
        by=by,
        reason=reason[:_MOST_CHARS],
    )
    # Only of what was looked at: a failure that comes meanwhile is not forgotten unseen.
    meta = {
        "annotations": {CLEAR_ANNOTATION: json.dumps(vars(word))},
        "resourceVersion": known.metadata.resource_version,
    }
    await session.api.patch(HA_SERVICES, known.metadata.name, {"metadata": meta}, known.metadata.namespace or "")
    return known, word


def _last(world: World, service: HAService, instances: Iterable[HAInstance]) -> int:
    """The number of the last clear, wherever it is remembered."""
    before, last = clear_of(service), service.status.last_clear
    orders = [one.spec.instances for one in world.assignments.values()]
    numbers = [ordered[one.uid].cleared for one in instances for ordered in orders if one.uid in ordered]
    return max([*numbers, last.number if last else 0, before.number if isinstance(before, Clear) else 0])
