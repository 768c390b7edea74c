"""`backstay policy test`: what ServiceClasses say of manifests, or a new class of what is there. The hosts' own policies are theirs to tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Final

import typer

from backstay_api.objects.models import HAService
from backstay_api.objects.object_kinds import HA_SERVICES, SERVICE_CLASSES, Unreadable
from backstay_operator.planner.judge import service_classes
from backstay_operator.planner.know.reading import put
from backstay_operator.planner.know.world import World

from .manifests import class_of, documents, service_of
from .rights import rights_to
from .session import FAILED, NOT_NOW, WELL, Session, Stop

_NEEDED: Final = rights_to("list", SERVICE_CLASSES)


@dataclass(frozen=True)
class Said:
    """What is said of one item of a service: its hosts, a resource, a probe."""

    service: str
    item: str
    allowed: bool
    by: str
    why: str


async def test(
    session: Session,
    filename: Annotated[
        str, typer.Option("--filename", "-f", help="File with HAServices. Default: those that are there.")
    ] = "",
    classes: Annotated[
        str, typer.Option(help="File with ServiceClasses that are judged by as well, as if they were applied.")
    ] = "",
) -> int:
    """Say what ServiceClasses allow services to bring, and what not and why; nothing is written. Exit code 4: not all of it is allowed."""
    services = [service_of(session, one) for one in documents(filename, HA_SERVICES)] if filename else []
    if filename and not services:
        raise Stop(f"{filename} holds no {HA_SERVICES.kind}", FAILED)
    there = "" if filename else session.namespace
    await session.need(
        [*_NEEDED, *([] if filename else rights_to("list", HA_SERVICES, there))], "The role backstay:policy-admins"
    )
    world = await _world(session, classes)
    if not filename:
        services = [one for one in (await session.api.list(HA_SERVICES, there)).items if isinstance(one, HAService)]
    said = [one for service in services for one in _of(world, service)]
    session.show([asdict(one) for one in said], lambda: _print(session, said, services, is_short=not filename))
    return WELL if all(one.allowed for one in said) else NOT_NOW


async def _world(session: Session, file: str) -> World:
    world = World()
    for one in (await session.api.list(SERVICE_CLASSES)).items:
        if isinstance(one, Unreadable):
            world.unreadable[one.kind, one.key] = one
        else:
            put(world, one)
    for document in documents(file, SERVICE_CLASSES) if file else ():
        put(world, class_of(document))
    return world


def _of(world: World, service: HAService) -> list[Said]:
    return [
        Said(service.key, one.item.name, not one.why, one.by, one.why)
        for one in service_classes.answers(world, service)
    ]


def _print(session: Session, said: Sequence[Said], services: Sequence[HAService], *, is_short: bool) -> None:
    """Of all that are there what is refused, and a number."""
    for one in said:
        if not is_short or not one.allowed:
            verdict = f"allowed ({one.by})" if one.allowed else f"refused: {one.why}"
            session.say(f"{one.service}: {one.item}: {verdict}")
    if is_short:
        refused = {one.service for one in said if not one.allowed}
        session.say(f"{len(services) - len(refused)} of {len(services)} services may bring all that they bring")
