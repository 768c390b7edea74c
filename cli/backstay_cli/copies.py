"""`backstay copies SERVICE`: of each host and each thing that the service needs, whether it is there as where the service runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from backstay_operator.planner.do.decisions import Slot
from backstay_operator.planner.judge.prerequisites import judged, prerequisites_of
from backstay_operator.planner.know.accepted_drift import unreadable_words
from backstay_operator.planner.know.world import World

from .names import Service
from .session import NOT_WELL, WELL, Session
from .tables import table
from .view import EVERYTHING, VIEW, decided, slots_of


@dataclass(frozen=True)
class Copy:
    """What one host has of one resource."""

    host: str
    resource: str
    verdict: str
    """Alike, Accepted (not alike, and somebody has said that it may be so), Older, Different, Missing, or Unknown: the host has not said."""
    blocks: bool
    """For that the host is not chosen."""
    why: str


async def copies(session: Session, service: Service) -> int:
    """Say of each host whether it has what a service needs, as where the service runs: alike, accepted, older, different, missing, unknown."""
    await session.need(EVERYTHING, VIEW)
    known, round_, decision = await decided(session, service)
    found = [one for slot in slots_of(decision, "") for one in _copies(round_.world, slot)]
    unreadable = list(unreadable_words(known))
    data = {"service": known.key, "copies": [vars(one) for one in found], "unreadable": unreadable}
    session.show(data, lambda: _print(session, known.key, found, unreadable))
    return WELL if all(one.verdict in ("Alike", "Accepted") for one in found) else NOT_WELL


def _copies(world: World, slot: Slot) -> Iterator[Copy]:
    """Of the host that runs it first, then of those that are asked to be ready, in the order of the manifest."""
    instance, service = slot.instance, slot.in_force
    if instance is None:
        return
    for host in dict.fromkeys(filter(None, (instance.holder, *slot.asked))):
        lacks = {one.resource: one for one in judged(world, service, instance, host)}
        for resource in prerequisites_of(service):
            one, runs = lacks.get(resource.name), "the service runs here" if host == instance.holder else ""
            if one is None:
                yield Copy(host, resource.name, "Alike", False, runs)
            else:
                why = f"{one.why}; {one.accepted.told}" if one.accepted else one.why
                yield Copy(host, resource.name, one.verdict, one.blocks and not runs, why)


def _print(session: Session, service: str, found: list[Copy], unreadable: list[str]) -> None:
    for sentence in unreadable:
        session.say(sentence)
    if not found:
        session.say(f"{service}: nothing that it needs is looked at, or no host has been asked yet")
        return
    rows = [(one.host, one.resource, one.verdict, "yes" if one.blocks else "no", one.why) for one in found]
    table(session.out, ("HOST", "RESOURCE", "COPY", "BLOCKS", "WHY"), rows)
