"""`backstay accept SERVICE`: a person says that what differs between two hosts is all right; and takes that back with `--undo`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from backstay_api.client.errors import Conflict
from backstay_api.objects.models import HAService
from backstay_api.objects.models.resources import Resource
from backstay_api.objects.object_kinds import HA_SERVICES
from backstay_api.objects.rbac import ACCEPT_VERB
from backstay_operator.planner.do.decisions import Slot
from backstay_operator.planner.judge.prerequisites import acceptable, judged, prerequisites_of
from backstay_operator.planner.know.accepted_drift import (
    ACCEPT_ANNOTATION,
    MOST_TEXT,
    MOST_WORDS,
    TOO_LONG,
    AcceptedDrift,
    lines_of,
    readable,
    unreadable_words,
    words_of,
)
from backstay_operator.planner.know.world import World

from .names import Service, hosts
from .rights import Right, rights_to
from .session import NO_SUCH_THING, WELL, Session, Stop
from .view import EVERYTHING, VIEW, decided, place_of, service_named, slots_of

ROLE = "The role backstay:drift-accepters (the chart's value driftAccepters)"


async def accept(
    session: Session,
    service: Service,
    resource: Annotated[str, typer.Option(help="What differs, by its name in the manifest.", metavar="NAME")],
    host: Annotated[str, typer.Option(help="The host that has it otherwise.", autocompletion=hosts, metavar="HOST")],
    reason: Annotated[str, typer.Option(help="Why that is all right, for the record.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take back what was accepted of this resource there.")] = False,
) -> int:
    """Accept that a host has something otherwise than where the service runs: it may take over, until either copy is another."""
    namespace, name = place_of(session, service)
    await session.need(rights_to("get patch", HA_SERVICES, namespace, name), f"The role edit in namespace {namespace}")
    if undo:
        return await _take_back(session, await service_named(session, service), resource, host)
    await session.need([Right(ACCEPT_VERB, HA_SERVICES.group, HA_SERVICES.plural, namespace, name)], ROLE)
    await session.need(EVERYTHING, VIEW)
    known, round_, decision = await decided(session, service)
    if host not in round_.world.hosts:
        there = ", ".join(sorted(round_.world.hosts)) or "none"
        raise Stop(f"there is no host {host}; there are: {there}", NO_SUCH_THING)
    by = await session.tools.who_am_i(session.api)
    found = list(_words(round_.world, slots_of(decision), resource, host, by, session.tools.wall(), reason))
    if not found:
        raise Stop(f"nothing to accept: {_why_nothing(round_.world, known, slots_of(decision), resource, host)}")
    await _write(session, known, [*_others(known, resource, host, found), *(one.line for one in found)])
    for one in found:
        session.say(
            f"Accepted by {by}: {resource} on {host} may be as it is, beside that on {one.than}, until either is another."
        )
    session.show({"service": known.key, "accepted": [asdict(one) for one in found]}, lambda: None)
    return WELL


def _words(
    world: World, slots: Sequence[Slot], name: str, host: str, by: str, at: str, reason: str
) -> Iterator[AcceptedDrift]:
    """One for each instance, since each is compared by itself."""
    for slot in slots:
        resource = _named(slot, name)
        if slot.instance is not None and resource is not None:
            for here, there in acceptable(world, slot.in_force, slot.instance, resource, host):
                yield AcceptedDrift(
                    by=by,
                    at=at,
                    instance=slot.name,
                    resource=name,
                    host=here.host,
                    fingerprint=here.fingerprint,
                    than=there.host,
                    reference=there.fingerprint,
                    reason=readable(reason),
                )


def _named(slot: Slot, name: str) -> Resource | None:
    return next((one for one in prerequisites_of(slot.in_force) if one.name == name), None)


def _why_nothing(world: World, service: HAService, slots: Sequence[Slot], name: str, host: str) -> str:
    """Of the first instance that says anything."""
    known = [slot for slot in slots if slot.instance is not None and _named(slot, name) is not None]
    if not known:
        names = ", ".join(one.name for one in prerequisites_of(service)) or "nothing"
        raise Stop(
            f"{service.key} has nothing by the name {name} that hosts are compared by; it has: {names}", NO_SUCH_THING
        )
    return next(filter(None, (_why_not(world, slot, name, host) for slot in known)), f"{name} on {host} is alike")


def _why_not(world: World, slot: Slot, name: str, host: str) -> str:
    instance = slot.instance
    assert instance is not None, "only of what is there"
    if host == instance.holder:
        return f"{slot.name} runs on {host}, and the others are held against that: name a host that has it otherwise"
    found = next((one for one in judged(world, slot.in_force, instance, host) if one.resource == name), None)
    if found is None:
        return ""
    if found.accepted is not None:
        return f"{name} on {host} is {found.accepted.told}"
    if found.verdict == "Missing":
        return f"{name} is missing on {host}, or not as the manifest says: {found.why}. What is not there cannot stand in for it"
    return f"nobody knows yet how {host} has {name}: {found.why}"


def _others(service: HAService, resource: str, host: str, found: Sequence[AcceptedDrift]) -> list[str]:
    """What stands there and stays: all but what was said before of the same. Stop where there is no room."""
    _is_read(service)
    anew = {(one.instance, resource, host) for one in found}
    gone = {one.line for one in words_of(service) if (one.instance, one.resource, one.host) in anew}
    kept = [line for line in lines_of(service) if line not in gone]
    if len(kept) + len(found) > MOST_WORDS:
        raise Stop(f"{service.key} has {_how_many(service, kept)}")
    if len("\n".join([*kept, *(one.line for one in found)])) > MOST_TEXT:
        raise Stop(
            f"{service.key} has {len(kept)} accepted differences, and with this one its lines would be longer than the"
            f" {MOST_TEXT} characters that are read; take some back (--undo)"
        )
    return kept


def _how_many(service: HAService, kept: Sequence[str]) -> str:
    unread = len(lines_of(service)[:MOST_WORDS]) - len(words_of(service))
    if unread:
        away = "remove them with `kubectl annotate` or `kubectl edit`"
        return f"{len(kept)} lines, of which {unread} cannot be read: {away}; {MOST_WORDS} count"
    return f"{len(kept)} accepted differences, and {MOST_WORDS} count; take some back (--undo)"


def _is_read(service: HAService) -> None:
    if TOO_LONG in unreadable_words(service):
        raise Stop(TOO_LONG)


async def _take_back(session: Session, service: HAService, resource: str, host: str) -> int:
    _is_read(service)
    gone = [one for one in words_of(service) if (one.resource, one.host) == (resource, host)]
    if not gone:
        raise Stop(f"nothing to take back: nobody has accepted {resource} of {service.key} on {host}")
    await _write(session, service, [line for line in lines_of(service) if line not in {one.line for one in gone}])
    session.say(f"Taken back: {resource} on {host} has to be as where {service.key} runs.")
    session.show({"service": service.key, "takenBack": [asdict(one) for one in gone]}, lambda: None)
    return WELL


async def _write(session: Session, service: HAService, lines: Sequence[str]) -> None:
    """Only in place of what was looked at: somebody else's word that comes meanwhile is not lost."""
    meta = {
        "annotations": {ACCEPT_ANNOTATION: "\n".join(lines) or None},
        "resourceVersion": service.metadata.resource_version,
    }
    try:
        await session.api.patch(
            HA_SERVICES, service.metadata.name, {"metadata": meta}, service.metadata.namespace or ""
        )
    except Conflict:
        raise Stop(
            f"{service.key} has changed meanwhile, and nothing was written: look again, and say it again"
        ) from None
