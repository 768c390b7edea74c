"""`backstay plan -f FILE…`: what would start, stop, move or restart, and why, if manifests were applied or hosts lost. Writes nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pydantic import ValidationError

from backstay_api.objects.kinds import CONFIG_MAPS
from backstay_api.objects.models import HAInstance, HAService, Host
from backstay_api.objects.names import key_of, slot_of
from backstay_api.objects.object_kinds import HA_INSTANCES, HA_SERVICES, HOSTS, faults
from backstay_operator.planner import whatif
from backstay_operator.planner.judge.placement import Verdict
from backstay_operator.planner.judge.restless import MOST_STARTS
from backstay_operator.planner.know.contents import ConfigMapSeen, seen_in
from backstay_operator.planner.know.world import World
from backstay_operator.planner.losses import each_host, losses
from backstay_operator.planner.offline import apply, as_if_running, fill
from backstay_operator.planner.offline import drain as drain_host
from backstay_operator.planner.whatif import Change, Supposed
from backstay_operator.planner.words import listed

from .session import FAILED, NO_SUCH_THING, WELL, Session, Stop
from .tables import table
from .view import EVERYTHING, VIEW, look, read_contents

CHANGES = 2
_KINDS: Mapping[str, type[Host | HAService | HAInstance]] = {
    HOSTS.kind: Host,
    HA_SERVICES.kind: HAService,
    HA_INSTANCES.kind: HAInstance,
}
_READ = {*_KINDS, CONFIG_MAPS.kind}
_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class _Content:
    """A ConfigMap."""

    namespace: str
    """Empty: where the command looks."""
    name: str
    seen: ConfigMapSeen


_Manifest = Host | HAService | HAInstance | _Content


@dataclass(frozen=True)
class _Asked:
    """What is supposed."""

    manifests: list[_Manifest]
    lost: list[str]
    drained: list[str]
    full: list[str]

    @property
    def hosts(self) -> list[str]:
        return [*self.lost, *self.drained, *self.full]


@dataclass(frozen=True)
class _Found:
    """What would come of it."""

    supposed: Supposed
    alone: list[tuple[str, str, str]]
    """Instances that would lose what could take over: key, the host whose loss they would survive no more, and why."""


async def plan(
    session: Session,
    filename: Annotated[
        list[str] | None,
        typer.Option(
            "--filename",
            "-f",
            help="File with HAServices, their ConfigMaps and Hosts to apply; `-` reads standard input.",
        ),
    ] = None,
    offline: Annotated[
        str,
        typer.Option(
            help="Folder with Hosts, HAServices, HAInstances and ConfigMaps in YAML or JSON; no API server is asked."
        ),
    ] = "",
    lose: Annotated[str, typer.Option(help="Hosts that are lost, and proven to be: n1,n2.")] = "",
    drain: Annotated[str, typer.Option(help="Hosts that are drained: n1,n2.")] = "",
    host_full: Annotated[str, typer.Option(help="Hosts on which nothing more fits: n1,n2.")] = "",
    live: Annotated[
        bool, typer.Option("--live", help="Begin with the cluster as it is: so it is without --offline.")
    ] = False,
) -> int:
    """Say what would start, stop, move and restart, and why, and write nothing. Exit code 0: no change; 2: some; 1: an error."""
    if live and offline:
        raise Stop("--live begins with the cluster, --offline with a folder: give one of them", 2)
    manifests = [one for file in filename or () for one in _read(file)]
    asked = _Asked(manifests, _names(lose), _names(drain), _names(host_full))
    world = _stored(offline) if offline else await _live(session)
    world.wall = session.tools.wall()
    for name in asked.hosts:
        if name not in world.hosts:
            raise Stop(f"there is no host {name}", FAILED if offline else NO_SUCH_THING)
    found = await _outcome(session, world, asked, offline)
    session.show(_told(found), lambda: _print(session, found))
    _warn(session, found.supposed)
    return CHANGES if found.supposed.changes else WELL


async def _outcome(session: Session, world: World, asked: _Asked, offline: str) -> _Found:
    """What would come of it in this world, which is changed."""
    before, alone = whatif.holders(world), set(_alone(world, asked))
    for one in asked.manifests:
        await _suppose(session, world, one, offline)
    for name in asked.drained:
        drain_host(world, name)
    for name in asked.full:
        fill(world, name)
    supposed = whatif.outcome(world, before, asked.lost)
    known = alone | {key for key, _ in _unplaced(supposed)}
    return _Found(supposed, [(key, *said) for key, said in _alone(world, asked).items() if key not in known])


def _alone(world: World, asked: _Asked) -> dict[str, tuple[str, str]]:
    """By key of what would run nowhere if one more host were lost: that host, and why."""
    each = [domain for domain in each_host(world) if domain.name not in asked.lost]
    return {key: (loss.domain.name, why) for loss in losses(world, each).each for key, why in loss.left}


async def _suppose(session: Session, world: World, one: _Manifest, offline: str) -> None:
    if isinstance(one, _Content):
        world.contents[key_of(one.namespace or _home(session, offline), one.name)] = one.seen
        return
    wanted = _at_home(session, one, offline)
    if isinstance(wanted, HAService) and not offline:
        await read_contents(session.api, world, wanted)
    apply(world, wanted)


def _warn(session: Session, found: Supposed) -> None:
    if found.restless:
        session.err.print(
            f"This never comes to rest by itself: {listed(found.restless)} would be stopped and started on and on, for what one of them does"
            f" makes another leave. What has been started anew {MOST_STARTS} times within an hour is left where it is then, against rules and"
            " preferences. Look at their rules about each other, and at placement.failback.",
            markup=False,
        )


def _names(text: str) -> list[str]:
    return [name for name in (part.strip() for part in text.split(",")) if name]


# --- what is read ----------------------------------------------------------------------------------------------------


async def _live(session: Session) -> World:
    await session.need(EVERYTHING, VIEW)
    return (await look(session)).world


def _stored(folder: str) -> World:
    if not Path(folder).is_dir():
        raise Stop(f"{folder} is no folder", FAILED)
    files = sorted(path for path in Path(folder).rglob("*") if path.suffix in _SUFFIXES and path.is_file())
    found = [one for path in files for one in _read(str(path))]
    world = as_if_running(
        [one for one in found if isinstance(one, Host)],
        [one for one in found if isinstance(one, HAService)],
        [one for one in found if isinstance(one, HAInstance)],
    )
    maps = [one for one in found if isinstance(one, _Content)]
    world.contents.update({key_of(one.namespace or "default", one.name): one.seen for one in maps})
    return world


def _read(file: str) -> list[_Manifest]:
    """Every Host, HAService, HAInstance and ConfigMap in it, those of a List too; any other kind is passed over."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
        documents = list(yaml.safe_load_all(text))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Stop(f"{file} cannot be read: {error}", FAILED) from error
    return [_object(file, raw) for document in documents for raw in _items(document) if raw.get("kind") in _READ]


def _items(document: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(document, dict):
        items = document.get("items") if str(document.get("kind", "")).endswith("List") else [document]
        yield from (one for one in items or () if isinstance(one, dict))


def _object(file: str, raw: Mapping[str, Any]) -> _Manifest:
    if raw["kind"] == CONFIG_MAPS.kind:
        meta = raw.get("metadata") or {}
        return _Content(str(meta.get("namespace") or ""), str(meta.get("name") or "?"), seen_in(raw))
    try:
        return _KINDS[raw["kind"]].from_wire(raw)
    except ValidationError as error:
        meta = raw.get("metadata")
        name = meta.get("name", "?") if isinstance(meta, dict) else "?"
        raise Stop(f"{file}: {raw['kind']} {name}: {'; '.join(faults(error))}", FAILED) from error


def _at_home(session: Session, one: Host | HAService | HAInstance, offline: str) -> Host | HAService:
    if isinstance(one, HAInstance):
        raise Stop(
            f"an HAInstance ({one.metadata.name}) is written by the operator alone: -f takes HAServices, ConfigMaps and Hosts",
            FAILED,
        )
    if isinstance(one, Host) or one.metadata.namespace:
        return one
    namespace = _home(session, offline)
    return one.model_copy(update={"metadata": one.metadata.model_copy(update={"namespace": namespace})})


def _home(session: Session, offline: str) -> str:
    return session.options.namespace or ("default" if offline else session.namespace or "default")


# --- what is said ----------------------------------------------------------------------------------------------------


def _told(result: _Found) -> dict[str, object]:
    found = result.supposed
    return {
        "instances": [_instance(key, found) for key, slot in found.slots if slot.instance and slot.instance.holder],
        "actions": [_action(one) for one in found.changes],
        "unplaced": [{"instance": _name(key), "why": why} for key, why in _unplaced(found)],
        "verdicts": [_verdict(key, one, found) for key, one in found.verdicts],
        "staying": [{"instance": _name(key), "host": host, "why": why} for key, host, why in _staying(found)],
        "redundancyLost": [{"instance": _name(key), "lost": host, "why": why} for key, host, why in result.alone],
        **({"restless": [_name(key) for key in found.restless]} if found.restless else {}),
    }


def _instance(key: str, found: Supposed) -> dict[str, object]:
    slot = dict(found.slots)[key]
    assert slot.instance is not None
    return {
        "name": slot.name,
        "service": slot.instance.spec.service.name,
        "slot": slot_of(slot.instance.spec.service.name, slot.name),
        "host": slot.instance.holder,
        "role": "Promoted" if slot.instance.is_promoted else "Started",
        "why": found.whys.get(key) or "it stays where it runs",
        "namespace": key.rpartition("/")[0],
    }


def _action(one: Change) -> dict[str, object]:
    return {"verb": one.verb, "instance": _name(one.instance), "from": one.from_, "to": one.to, "why": one.why}


def _unplaced(found: Supposed) -> Iterator[tuple[str, str]]:
    for key, slot in found.slots:
        is_wanted = slot.in_force.spec.state != "Stopped"
        if is_wanted and not (slot.instance and slot.instance.holder):
            yield key, whatif.why_nowhere(slot)


def _staying(found: Supposed) -> Iterator[tuple[str, str, str]]:
    """What is to leave its host, or to be where it is otherwise, and stays: key, host, and why."""
    for key, slot in found.slots:
        if slot.instance and slot.instance.holder and slot.course.missing:
            yield key, slot.instance.holder, slot.course.missing


def _verdict(key: str, one: Verdict, found: Supposed) -> dict[str, object]:
    slot = dict(found.slots)[key]
    points = next((score.points for score in one.scores if score.judge == "Preference"), 0)
    if slot.instance is not None and slot.instance.holder == one.host:
        return {"instance": _name(key), "host": one.host, "score": points, "rejectedBy": "", "why": "it runs here"}
    rule = one.rejected.rule if one.rejected else ""
    return {"instance": _name(key), "host": one.host, "score": points, "rejectedBy": rule, "why": one.why}


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def _print(session: Session, result: _Found) -> None:
    found = result.supposed
    if not found.changes:
        session.say("Nothing would change.")
    else:
        rows = [(one.verb, one.instance, one.from_ or "-", one.to or "-", one.why) for one in found.changes]
        table(session.out, ("VERB", "INSTANCE", "FROM", "TO", "WHY"), rows)
    more: tuple[tuple[tuple[str, ...], Sequence[tuple[str, ...]]], ...] = (
        (("UNPLACED", "WHY"), list(_unplaced(found))),
        (("STAYS", "HOST", "WHY"), list(_staying(found))),
        (("NO LONGER SURVIVES", "THE LOSS OF", "WHY"), result.alone),
    )
    for titles, lines in more:
        if lines:
            session.out.print()
            table(session.out, titles, lines)
