"""`backstay diff -f FILE`: what an apply of these manifests would change, restart and move, by the operator's own decision. Writes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from backstay_api.objects.edits import SENTENCES, Edit, Reloadable, edits
from backstay_api.objects.kinds import CONFIG_MAPS
from backstay_api.objects.models import HAService
from backstay_api.objects.object_kinds import HA_SERVICES
from backstay_operator.planner.do.decisions import Slot, decide_in_turn, next_host
from backstay_operator.planner.do.orders import rendered
from backstay_operator.planner.do.rounds import Round
from backstay_operator.planner.judge import contents
from backstay_operator.planner.judge.acceptance import Refused
from backstay_operator.planner.know.contents import MISSING, ConfigMapSeen, source, sources
from backstay_operator.planner.know.world import World

from .manifests import contents_of, documents, service_of
from .session import FAILED, NOT_NOW, WELL, Session, Stop
from .view import EVERYTHING, VIEW, look, read_contents, slots_of


@dataclass(frozen=True)
class Field:
    """One field of the manifest that is another."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Answer:
    """What is said of one service."""

    service: str
    change: str
    """New, Edited or Unchanged."""
    refused: str
    fields: list[Field]
    resources: list[Edit]
    summary: str


async def diff(
    session: Session,
    filename: Annotated[str, typer.Option("--filename", "-f", help="File with manifests; `-` reads standard input.")],
) -> int:
    """Say what an apply would change, restart and move; nothing is written. Exit code 4: one of the services would be refused."""
    found = list(documents(filename, HA_SERVICES, CONFIG_MAPS))
    manifests = [service_of(session, one) for one in found if one["kind"] == HA_SERVICES.kind]
    maps = contents_of(session, [one for one in found if one["kind"] == CONFIG_MAPS.kind])
    if not manifests and not maps:
        raise Stop(f"{filename} holds no HAService", FAILED)
    await session.need(EVERYTHING, VIEW)
    world = (await look(session)).world
    manifests += _others_from(world, maps, {one.key for one in manifests})
    if not manifests:
        raise Stop(f"{filename} holds no HAService, and no ConfigMap that one names", FAILED)
    known = [world.services.get(one.key) for one in manifests]
    edited = [_as_applied(*pair) for pair in zip(known, manifests, strict=True)]
    for service in edited:  # all of them: what one gives up another may be given
        await read_contents(session.api, world, service)
        world.put_service(service)
    before = dict(world.contents)
    world.contents.update(maps)
    answers = [_answer(world, *pair, before) for pair in zip(known, edited, strict=True)]
    told = [{**asdict(one), "resources": [edit._asdict() for edit in one.resources]} for one in answers]
    session.show(told, lambda: _print(session, answers))
    return NOT_NOW if any(one.refused for one in answers) else WELL


def _others_from(world: World, maps: Mapping[str, ConfigMapSeen], named: Set[str]) -> list[HAService]:
    """Services that stand in no manifest here, and have files from one of these ConfigMaps."""
    return [one for key, one in world.services.items() if key not in named and not maps.keys().isdisjoint(sources(one))]


def _content_fields(world: World, edited: HAService, before: Mapping[str, ConfigMapSeen]) -> Iterator[Field]:
    """What ConfigMaps would say otherwise, of what the service has from them."""
    files = [one.file for one in edited.spec.resources if one.file is not None]
    # Of a Secret nothing is known here, and nothing would be shown.
    for file, ref in ((file, file.config_map_key_ref) for file in files if file.config_map_key_ref is not None):
        key = source(edited, file)
        was, now = (seen.get(key, MISSING).data.get(ref.key) for seen in (before, world.contents))
        if was != now:
            yield Field(f"ConfigMap {key} data[{ref.key}]", was, now)


def _answer(world: World, known: HAService | None, edited: HAService, before: Mapping[str, ConfigMapSeen]) -> Answer:
    fields = list(_fields("spec", _plain(known), _plain(edited))) if known else []
    fields += _content_fields(world, edited, before) if known else []
    if known and not fields:
        return Answer(edited.key, "Unchanged", "", [], [], "nothing would change")
    world.put_service(edited)  # who depends on whom is asked of all services
    round_, decision = decide_in_turn(world, edited)
    acceptance, slots = decision.acceptance, slots_of(decision) if decision.is_leaving else decision.slots
    refused = f"{acceptance.reason}: {acceptance.message}" if isinstance(acceptance, Refused) else ""
    held = next((slot for slot in slots if slot.instance and slot.instance.holder), None)
    found = _edits(world, held, known, edited) if known and held and not refused else []
    summary = "; ".join([_summaries(round_, slots), *([] if refused else _left_as_they_are(world, edited))])
    return Answer(edited.key, "Edited" if known else "New", refused, fields, found, summary)


def _left_as_they_are(world: World, edited: HAService) -> Iterator[str]:
    """Files that no host would be brought anew, and why."""
    for resource in edited.spec.resources:
        if why := contents.fault(world, edited, resource):
            yield f"{resource.name} stays as it was: {why}"


def _summaries(round_: Round, slots: Sequence[Slot]) -> str:
    """Where all of it is afterwards, each copy by its name where there are several."""
    said = [_summary(round_, slot, slot.instance.holder if slot.instance else None) for slot in slots]
    named = [f"{slot.name}: {one}" for slot, one in zip(slots, said, strict=True)] if len(slots) > 1 else said
    return "; ".join(named) or "it has no instance: no host is selected by placement.hosts"


def _edits(world: World, slot: Slot, known: HAService, edited: HAService) -> list[Edit]:
    """What the host that holds it makes of the edit: what agents can reload is what it says of them."""
    instance = slot.instance
    assignment = world.assignments.get((instance and instance.holder) or "")
    report = assignment.status.instances.get(instance.uid) if instance and assignment else None
    reloadable = {one.name: one.parameters for one in report.reloadable} if report else {}
    return edits_of_a_copy(known, edited, reloadable)


def edits_of_a_copy(known: HAService, edited: HAService, reloadable: Reloadable) -> list[Edit]:
    """What becomes of each resource, also of those that only the promoted copy has."""
    return list(edits(rendered(_of_copies(known)), rendered(_of_copies(edited)), reloadable))


def _of_copies(service: HAService) -> HAService:
    """With what a copy is told of each resource that is promotable; its promotion restarts when that does."""
    copies = service.spec.replicas or 1
    told = [one.as_copy(copies) if one.is_promotable else one for one in service.spec.resources]
    return service.model_copy(update={"spec": service.spec.model_copy(update={"resources": told})})


def _summary(round_: Round, slot: Slot, holder: str | None) -> str:
    """Where it is afterwards. Which hosts are ready for the edited manifest they have not been asked yet, so of others nothing is said."""
    order, to = slot.course.order, slot.course.to
    if holder and order and order.want == "Down":
        return f"it stops on {holder}: {order.why}" + (f"; it goes to {to}" if to else "")
    if holder:
        return f"it stays on {holder}"
    return slot.course.missing or next_host(round_, slot).why


def _as_applied(known: HAService | None, manifest: HAService) -> HAService:
    """As it would stand after the apply."""
    if known is None:
        meta = manifest.metadata.model_copy(update={"uid": "new", "generation": 1})
        return manifest.model_copy(update={"metadata": meta})
    meta = known.metadata.model_copy(update={"generation": (known.metadata.generation or 0) + 1})
    return known.model_copy(update={"metadata": meta, "spec": manifest.spec})


def _plain(service: HAService) -> dict[str, Any]:
    return service.spec.model_dump(mode="json", by_alias=True, exclude_none=True)


def _fields(path: str, before: Any, after: Any) -> Iterator[Field]:
    """Every place that differs, as deep down as it can be named."""
    one, other = _parts(before), _parts(after)
    if one is None or other is None:
        if before != after:
            yield Field(path, before, after)
        return
    for part in dict.fromkeys([*one, *other]):
        yield from _fields(f"{path}{part}", one.get(part), other.get(part))


def _parts(value: Any) -> dict[str, Any] | None:
    """What it consists of, by how a path goes on; None: it is told as one."""
    if isinstance(value, dict):
        return {f".{key}": one for key, one in value.items()}
    if isinstance(value, list) and value and all(isinstance(one, dict) and "name" in one for one in value):
        return {f"[{one['name']}]": one for one in value}
    return None


def _print(session: Session, answers: list[Answer]) -> None:
    for answer in answers:
        _print_one(session, answer)


def _print_one(session: Session, answer: Answer) -> None:
    session.say(f"{answer.service}: {answer.change.lower()}")
    for one in answer.fields:
        session.say(f"  {one.path}: {_shown(one.before)} -> {_shown(one.after)}")
    if answer.refused:
        session.say(f"  It would be refused, and what runs would go on as it is. {answer.refused}")
        return
    for edit in answer.resources:
        session.say(f"  {edit.resource}: {edit.why}: {SENTENCES[edit.effect]}")
    if answer.change != "Unchanged":
        session.say(f"  {answer.summary[0].upper()}{answer.summary[1:]}")


def _shown(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or "nothing"
    return json.dumps(value)
