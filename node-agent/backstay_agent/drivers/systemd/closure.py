"""Everything that a unit stands for: itself, what triggers it, its parts, and what only it pulls in. Pure.

A unit's name is a handle. Behind it may be sockets and timers that start it, parts that systemd stops with it (`PartOf=`), and
units that run because it wants them and nobody else does, or because it has ended (`OnFailure=`, `OnSuccess=`). All of that starts,
stops and waits for our word together, or the host says that it is not ready. What others want as well (the database that every
host has) is the host's and stays so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from backstay_agent.drivers.tools.units import belongs_to_host, refusal

Known = Mapping[str, Mapping[str, Any]]
"""What is known of units: their properties, by name."""

PULLS: Final = ("Requires", "Requisite", "BindsTo", "Wants", "Upholds")
PARTS: Final = ("Triggers", "TriggeredBy", "ConsistsOf", "PropagatesStopTo")
PULLED_BY: Final = ("WantedBy", "RequiredBy", "RequisiteOf", "BoundBy", "UpheldBy")
HANDLERS: Final = ("OnFailure", "OnSuccess")
HANDLER_OF: Final = ("OnFailureOf", "OnSuccessOf")
GATED: Final = (".service", ".socket", ".target", ".timer", ".path")
MOST: Final = 64
"""A unit that stands for more than this is a state of the host, not a service."""


def neighbours(unit: str, known: Known) -> set[str]:
    """What must be known to say what the unit stands for, as far as can be told from what is known."""
    found, todo = {unit}, [unit]
    # Who names what many use (rpcbind) means its socket as well, which would otherwise go on calling it on every host.
    own = {name for name in _names(known.get(unit, {}), ("Triggers", "TriggeredBy")) if refusal(name) is None}
    while todo:
        properties = known.get(todo.pop(), {})
        for name in _makes_start(properties) - found:
            if name in own or _may_be_a_part(name):
                found.add(name)
                todo.append(name)
    return found


def closure(unit: str, known: Known) -> tuple[str, ...]:
    """The unit, and then, in order of name, everything else that starts and stops with it."""
    ours = {name for name in neighbours(unit, known) if name == unit or _is_there(known.get(name, {}))}
    while True:
        reached = _reached(unit, known, ours)
        kept = {name for name in reached if name == unit or _is_a_part(name, unit, known, reached)}
        if kept == ours:
            return (unit, *sorted(kept - {unit}))
        ours = kept


def pulled_in_by(unit: str, known: Known) -> tuple[str, ...]:
    """What a unit without work of its own makes run: what it pulls in and its parts, whoever else wants them."""
    names = _names(known.get(unit, {}), (*PULLS, "ConsistsOf", "PropagatesStopTo"))
    return tuple(
        sorted(
            n for n in names if n != unit and _may_be_a_part(n) and n.endswith(GATED) and _is_there(known.get(n, {}))
        )
    )


def outside_wishes(unit: str, known: Known, ours: Iterable[str]) -> set[str]:
    """Who else makes the unit start: its `WantedBy` and the like, without what is ours."""
    return _wishes(unit, known) - set(ours)


def _reached(unit: str, known: Known, within: set[str]) -> set[str]:
    found, todo = {unit}, [unit]
    while todo:
        for name in (_makes_start(known.get(todo.pop(), {})) & within) - found:
            found.add(name)
            todo.append(name)
    return found


def _is_a_part(name: str, unit: str, known: Known, ours: set[str]) -> bool:
    """A unit and what triggers it are one: whoever else pulls in one of them, or could wake it, has a claim to all."""
    one = _with_triggers(name, known)
    if unit in one:
        return True
    properties = [known.get(member, {}) for member in one]
    if any(_names(each, ("PartOf", "StopPropagatedFrom")) & ours - one for each in properties):
        return name.endswith(GATED)
    wishes = {wish for member in one for wish in _wishes(member, known) | _handled(member, known)} - one
    return bool(wishes) and wishes <= ours and not _is_anybodys(name, known[name])


def _wishes(name: str, known: Known) -> set[str]:
    """Who pulls it in. systemd tells both ends only while both units are in its memory, so both are asked."""
    return _names(known.get(name, {}), PULLED_BY) | {one for one in known if name in _names(known[one], PULLS)}


def _makes_start(properties: Mapping[str, Any]) -> set[str]:
    # An older systemd does not tell whose handler a unit is else: perhaps everybody's.
    handlers = HANDLERS if "OnFailureOf" in properties else ()
    return _names(properties, (*PULLS, *PARTS, *handlers))


def _handled(name: str, known: Known) -> set[str]:
    """Whose end makes systemd start it."""
    return _names(known.get(name, {}), HANDLER_OF) | {one for one in known if name in _names(known[one], HANDLERS)}


def _with_triggers(name: str, known: Known) -> set[str]:
    woken = {name, *_names(known.get(name, {}), ("Triggers",))}
    triggers = {one for one, properties in known.items() if _names(properties, ("Triggers",)) & woken}
    return woken | triggers | {trigger for each in woken for trigger in _names(known.get(each, {}), ("TriggeredBy",))}


def _is_anybodys(name: str, properties: Mapping[str, Any]) -> bool:
    """Started by whoever asks for it on D-Bus; or a mount that somebody made by hand."""
    return properties.get("Type") == "dbus" or (name.endswith(".mount") and not properties.get("FragmentPath"))


def _may_be_a_part(name: str) -> bool:
    return name.endswith((*GATED, ".mount")) and not belongs_to_host(name)


def _is_there(properties: Mapping[str, Any]) -> bool:
    return properties.get("LoadState") == "loaded"


def _names(properties: Mapping[str, Any], of: Iterable[str]) -> set[str]:
    return {str(name) for kind in of for name in properties.get(kind, [])}
