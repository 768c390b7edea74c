"""Questions as text: a state, what is asked about it, and the planner's answer with its reasons, which can be recorded anew.

Above the first question stands what is so; each question begins with `?` and is asked about that, not about what the one before has changed.
What is indented is the answer: what would start, move and stop, what would run nowhere, and what is said of each host.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from backstay_api.objects.models import HAInstance, HAService, Host
from backstay_operator.planner import offline, whatif
from backstay_operator.planner.do.decisions import Slot
from backstay_operator.planner.know.world import World

from .builders import WALL, a_host, a_service, an_instance, unit
from .recorded import HEAD

ASKS: Final = "? "


@dataclass
class State:
    """What is so before anything is asked, by name."""

    hosts: dict[str, Host] = field(default_factory=dict)
    services: dict[str, HAService] = field(default_factory=dict)
    instances: list[HAInstance] = field(default_factory=list)

    def world(self) -> World:
        world = offline.as_if_running(self.hosts.values(), self.services.values(), self.instances)
        world.wall = WALL
        return world


def answered(text: str) -> str:
    """The same text with the answers as they are now."""
    lines: list[str] = []
    state = State()
    for line in (one for one in text.splitlines() if not one.startswith(" ")):
        lines.append(line)
        if line.startswith(HEAD):
            state = State()
        elif line.startswith(ASKS):
            lines += [f"  {one}" for one in _answer(state, line.removeprefix(ASKS))]
        elif line and not line.startswith("#"):
            _be_so(state, line)
    return "\n".join([*lines, ""])


# --- what is so ------------------------------------------------------------------------------------------------------


def _be_so(state: State, line: str) -> None:
    for pattern, is_so in STATES.items():
        if found := re.fullmatch(pattern, line):
            is_so(state, *found.groups())
            return
    raise AssertionError(f"nothing is so as it is written in {line!r}; there are:\n" + "\n".join(STATES))


def _hosts(state: State, names: str, said: str | None) -> None:
    more = yaml.safe_load(said) if said else {}
    state.hosts.update((name, a_host(name, **more)) for name in names.split())


def _service(state: State, name: str, said: str | None) -> None:
    state.services[name] = _manifest(name, said)


def _manifest(name: str, said: str | None) -> HAService:
    spec: dict[str, Any] = yaml.safe_load(said) if said else {}
    resources = spec.pop("resources", None) or [unit(name)]
    meta = spec.pop("labels", None)
    made = a_service(name, *resources, **spec)
    return made.model_copy(update={"metadata": made.metadata.model_copy(update={"labels": meta})}) if meta else made


def _holds(state: State, name: str, hosts: str) -> None:
    """The slots of a service in their order, each on its host; `-`: this one runs nowhere."""
    for slot, host in enumerate(hosts.split()):
        if host != "-":
            state.instances.append(an_instance(state.services[name], epoch=1, host=host, slot=slot))


STATES: Final[Mapping[str, Callable[..., None]]] = {
    r"hosts ((?:n\d+ ?)+?)(?: (\{.+\}))?": _hosts,
    r"service ([a-z]\w*)(?: (\{.+\}))?": _service,
    r"([a-z]\w*) runs on ((?:n\d+ ?|- ?)+)": _holds,
}

# --- what is asked ---------------------------------------------------------------------------------------------------


def _answer(state: State, question: str) -> Iterator[str]:
    world = state.world()
    before = whatif.holders(world)
    lost = _suppose(world, question)
    found = whatif.outcome(world, before, lost)
    yield from (f"{_verb(one)}: {one.why}" for one in found.changes)
    changed = {one.instance for one in found.changes}
    for key, slot in found.slots:
        yield from _about(key, slot, found, is_changed=key in changed)
    if not changed and all(slot.instance and slot.instance.holder for _, slot in found.slots):
        yield "nothing would change"


def _about(key: str, slot: Slot, found: whatif.Supposed, *, is_changed: bool) -> Iterator[str]:
    """Why an instance runs nowhere, or stays; and what is said of the other hosts."""
    holder, why = slot.instance.holder if slot.instance else "", whatif.why_nowhere(slot)
    if not holder:
        yield f"{_name(key)} runs nowhere: {why}"
    elif why and not is_changed:
        yield f"{_name(key)} stays on {holder}: {why}"
    others = [f"{one.host} {one.why}" for about, one in found.verdicts if about == key and one.host != holder]
    if others and (is_changed or not holder) and slot.in_force.spec.state == "Running":
        yield f"of {_name(key)}: {'; '.join(others)}"


def _suppose(world: World, question: str) -> list[str]:
    """Hosts that are lost; whatever else is supposed is so in the world afterwards."""
    if question == "now":
        return []
    found = re.fullmatch(r"(lose|drain|apply|host) ([\w ]+?)(?: (\{.+\}))?", question)
    assert found, f"nothing is asked as it is written in {question!r}"
    what, names, said = found.groups()
    if what == "apply":
        offline.apply(world, _manifest(names, said))
    elif what == "host":
        for name in names.split():
            offline.apply(world, a_host(name, **(yaml.safe_load(said) if said else {})))
    elif what == "drain":
        for host in names.split():
            offline.drain(world, host)
    return names.split() if what == "lose" else []


def _verb(one: whatif.Change) -> str:
    where = f"from {one.from_} to {one.to}" if one.verb == "move" else f"on {one.to or one.from_}"
    return f"{one.verb} {_name(one.instance)} {where}"


def _name(key: str) -> str:
    return key.rpartition("/")[2]
