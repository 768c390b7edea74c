"""What an agent says of itself: its parameters, its operations with their times. Pure.

It is a stranger's XML: bounded, without entities of its own, and nothing that it refers to is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from backstay_api.objects.durations import seconds

MOST_BYTES: Final = 1 << 20
DEFAULT_S: Final = 20.0
"""Where neither the manifest nor the agent says how long an operation may take."""
MONITOR_PERIOD_S: Final = 10.0
SHORTEST_PERIOD_S: Final = 1.0
_MOST_ITEMS: Final = 1000
_UNIT_S: Final = {
    "ms": 0.001,
    "msec": 0.001,
    "": 1.0,
    "s": 1.0,
    "sec": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "hr": 3600.0,
}
_TIME: Final = re.compile(r"\s*(\d{1,9})\s*([a-z]*)\s*", re.ASCII)
_BOOLEAN: Final = frozenset(["1", "0", "true", "false", "yes", "no", "on", "off", "ja", "nein"])
_NAME: Final = re.compile(r"[A-Za-z0-9_]+")
# What Debian's agents all take and none of them lists.
_ALWAYS: Final = frozenset(("trace_ra", "trace_file"))


@dataclass(frozen=True)
class Parameter:
    """One parameter, as the agent has it."""

    name: str
    required: bool = False
    unique: bool = False
    """No two resources of this agent may have the same value."""
    reloadable: bool = False
    type: str = "string"
    default: str | None = None
    options: tuple[str, ...] = ()
    """Of a `select`."""


@dataclass(frozen=True)
class Action:
    """One operation, as the agent advertises it."""

    name: str
    timeout_s: float | None = None
    interval_s: float | None = None
    depth: int = 0
    role: str = ""


@dataclass(frozen=True)
class Metadata:
    """All that we use of it."""

    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    actions: tuple[Action, ...] = ()

    def action(self, name: str, depth: int = 0) -> Action | None:
        """The operation, where there are several the one for no role in particular."""
        found = [one for one in self.actions if one.name == name and one.depth == depth]
        return min(found, key=lambda one: one.role not in ("", "Started", "Slave", "Unpromoted"), default=None)

    def limit_s(self, operation: str, said: str | None = None, *, depth: int = 0) -> float:
        """How long it may take: the manifest wins; then what the agent advertises, at this depth or at its first."""
        action = self.action(operation, depth) or self.action(operation)
        return seconds(said) if said is not None else (action and action.timeout_s) or DEFAULT_S

    def period_s(self, depth: int = 0) -> float:
        """How often its monitor is to be asked."""
        action = self.action("monitor", depth)
        return max((action and action.interval_s) or MONITOR_PERIOD_S, SHORTEST_PERIOD_S)

    def values(self, given: Mapping[str, str]) -> tuple[str, ...]:
        """What the agent goes by: what is given, and its own defaults."""
        return tuple({**{name: one.default or "" for name, one in self.parameters.items()}, **given}.values())

    @property
    def reloadable(self) -> frozenset[str]:
        """Parameters that its `reload-agent` takes while it runs, as Pacemaker reads it (OCF 1.1); but for what makes it another thing."""
        if self.action("reload-agent") is None:
            return frozenset()
        return frozenset(name for name, one in self.parameters.items() if one.reloadable and not one.unique)

    @property
    def depths(self) -> tuple[int, ...]:
        """At which its monitor can be asked; all can at 0."""
        return tuple(sorted({0, *(one.depth for one in self.actions if one.name == "monitor")}))


@dataclass(frozen=True)
class Unreadable:
    """Metadata that cannot be used."""

    why: str


class _Refused(Exception):
    """Stops the parser."""


class _Reader:
    """Collects what matters while the parser goes through."""

    def __init__(self) -> None:
        self.root = ""
        self.parameters: dict[str, Parameter] = {}
        self.actions: list[Action] = []
        self._open: dict[str, str] | None = None
        self._content: Mapping[str, str] = {}
        self._options: list[str] = []

    def start(self, tag: str, given: dict[str, str]) -> None:
        self.root = self.root or tag
        if len(self.parameters) + len(self.actions) + len(self._options) > _MOST_ITEMS:
            raise _Refused(f"it has more than {_MOST_ITEMS} entries")
        match tag:
            case "parameter":
                self._open, self._content, self._options = given, {}, []
            case "content":
                self._content = given
            case "option" if "value" in given:
                self._options.append(given["value"])
            case "action":
                self.actions.append(_action(given))

    def end(self, tag: str) -> None:
        if tag == "parameter" and self._open is not None:
            name = self._open.get("name", "")
            if not _NAME.fullmatch(name):
                raise _Refused(f"{name[:40]!r} cannot be the name of a parameter")
            self.parameters[name] = _parameter(self._open, self._content, self._options)
            self._open = None

    def entity(self, *_: object) -> None:
        raise _Refused("it declares entities")


def read(xml: bytes) -> Metadata | Unreadable:
    """What `meta-data` has printed."""
    if len(xml) > MOST_BYTES:
        return Unreadable(f"it is longer than {MOST_BYTES >> 20} MiB")
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.EntityDeclHandler = reader.entity
    try:
        parser.Parse(xml.lstrip(), True)
    except (expat.ExpatError, _Refused, ValueError, LookupError) as error:
        return Unreadable(str(error))
    if reader.root != "resource-agent":
        return Unreadable(f"its root is {reader.root[:40]!r}, not 'resource-agent'")
    return Metadata(reader.parameters, tuple(reader.actions))


def faults(given: Mapping[str, str], metadata: Metadata) -> Iterator[str]:
    """What is wrong with parameters in a manifest, in sentences."""
    for name, value in given.items():
        known = metadata.parameters.get(name)
        if known is None and name not in _ALWAYS:
            yield f"it has no parameter {name}; it has {', '.join(sorted(metadata.parameters)) or 'none'}"
        elif known is not None and (wanted := _misfit(known, value)):
            yield f"parameter {name} is {value[:40]!r}, and must be {wanted}"
    for known in metadata.parameters.values():
        if known.required and not known.default and known.name not in given:
            yield f"parameter {known.name} is required"


def same_unique(one: Mapping[str, str], other: Mapping[str, str], metadata: Metadata) -> str:
    """The first parameter that two resources of this agent have alike and may not; empty if there is none."""
    unique = (known.name for known in metadata.parameters.values() if known.unique)
    return next((name for name in unique if name in one and one.get(name) == other.get(name)), "")


def changed(before: Mapping[str, str], wanted: Mapping[str, str]) -> frozenset[str]:
    """Parameters that have another value, or none any more."""
    return frozenset(name for name in {**before, **wanted} if before.get(name) != wanted.get(name))


def _misfit(known: Parameter, value: str) -> str:
    """What it must be and is not. A type that the agent's own default breaks (Debian has some) says nothing."""
    wanted = _wanted(known, value)
    return wanted if wanted and not (known.default and _wanted(known, known.default)) else ""


def _wanted(known: Parameter, value: str) -> str:
    match known.type:
        case "integer" if not re.fullmatch(r"[+-]?[0-9]+", value):
            return "a whole number"
        case "boolean" if value.lower() not in _BOOLEAN:
            return "true or false"
        case "select" if known.options and value not in known.options:
            return f"one of {', '.join(known.options)}"
    return ""


def _parameter(given: Mapping[str, str], content: Mapping[str, str], options: list[str]) -> Parameter:
    return Parameter(
        given["name"],
        required=given.get("required") == "1",
        unique=given.get("unique") == "1" or bool(given.get("unique-group")),
        reloadable=given.get("reloadable") == "1",
        type=content.get("type", "string"),
        default=content.get("default"),
        options=tuple(options),
    )


def _action(given: Mapping[str, str]) -> Action:
    depth = given.get("depth", "0")
    return Action(
        given.get("name", ""),
        _seconds(given.get("timeout", "")),
        _seconds(given.get("interval", "")),
        int(depth) if depth.isascii() and depth.isdigit() and len(depth) < 4 else 0,
        given.get("role", ""),
    )


def _seconds(text: str) -> float | None:
    """A time as agents write it; none, or nothing that is one, is nothing said."""
    found = _TIME.fullmatch(text.lower())
    unit_s = _UNIT_S.get(found[2]) if found else None
    return int(found[1]) * unit_s if found and unit_s else None
