"""Sources 1 and 2: the unit as systemd has it loaded, and the units around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from backstay_api.objects.survey import Clue, How, PathFacts, Role, Skipped, Survey, UnitFacts

from .contained import found
from .place import Place
from .systemd import Properties, Systemd, SystemdRefuses

MOST_UNITS: Final = 40
MOST_TIMERS: Final = 32
OURS: Final = "zz-backstay"
"""Drop-ins of the agent itself are no need of the service."""
_EXECUTES: Final = ("ExecStartPre", "ExecStart", "ExecReload")
_NOTHING: Final = ("/bin/true", "/usr/bin/true")
_FOREVER_US: Final = 2**64 - 1
_BASIC: Final = (
    "system.slice",
    "-.mount",
    "-.slice",
    "systemd-journald.socket",
    "tmp.mount",
    "dbus.socket",
    "dbus.service",
)
"""What every unit has around it."""


class NotSurveyed(Exception):
    """There is nothing to survey under that name; the message says what to name instead."""


@dataclass(frozen=True)
class Looked:
    """A unit with all that was read of it."""

    facts: UnitFacts
    properties: Properties
    paths: tuple[tuple[str, Clue], ...]


def unit(systemd: Systemd, place: Place, name: str, base: Survey) -> Survey:
    """The unit that was asked for. Raises NotSurveyed."""
    looked = _look(systemd, name, "Asked")
    _refuse(name, looked)
    found_ = Survey(
        unit=looked.facts.name, asked=name if looked.facts.name != name else "", host=base.host, agent=base.agent
    )
    skipped = (
        ()
        if looked.facts.active_state == "active"
        else (Skipped("processes", "the unit is not running: nothing of its processes was seen"),)
    )
    return replace(found_, units=(looked.facts,), paths=_paths(place, looked.paths), skipped=skipped)


def _refuse(name: str, looked: Looked) -> None:
    facts, said = looked.facts, looked.properties
    if facts.load_state == "masked":
        raise NotSurveyed(f"{name} is masked: it never starts, so that nothing can be seen of what it needs")
    if facts.load_state == "not-found":
        raise NotSurveyed(f"there is no unit {name} on this host")
    if facts.load_state != "loaded":
        error = (said.get("LoadError") or ["", ""])[-1]
        raise NotSurveyed(f"systemd cannot load {name}: {facts.load_state}{f', {error}' if error else ''}")
    does_nothing = not facts.executes or all(one in _NOTHING for one in facts.executes)
    if facts.parts and does_nothing:
        raise NotSurveyed(
            f"{name} is an umbrella, which only pulls in others: survey {' or '.join(facts.parts)} instead"
        )


def around(systemd: Systemd, place: Place, base: Survey) -> Survey:
    """The units around it, two steps away at most."""
    start = _look(systemd, base.unit, "Asked")
    seen: dict[str, Looked] = {base.unit: start}
    for name, role in _neighbours(start):
        _follow(systemd, seen, name, role)
    for looked in list(seen.values()):
        if looked.facts.role == "Requires":
            for name, role in _neighbours(looked):
                if role == "Requires":
                    _follow(systemd, seen, name, role)
    others = [one for name, one in seen.items() if name != base.unit]
    paths = [_paths(place, one.paths) for one in others if one.facts.role == "Starts"]
    skipped = (Skipped("units around it", f"only the first {MOST_UNITS}"),) if len(seen) >= MOST_UNITS else ()
    return replace(
        found(base),
        units=(*base.units[:1], *(one.facts for one in others)),
        paths=tuple(one for each in paths for one in each),
        skipped=skipped,
    )


def peers(systemd: Systemd, base: Survey) -> Survey:
    """The units at the other ends of its sockets, with those that need them too."""
    known = {one.name for one in base.units}
    names = dict.fromkeys(one.unit for one in base.sockets if one.unit and one.unit not in known)
    links = {one.unit: one.local or f"{one.remote}:{one.port}" for one in base.sockets if one.unit}
    seen: dict[str, Looked] = {}
    for name in names:
        _follow(systemd, seen, name, "Peer")
    facts = (replace(one.facts, link=links[name]) for name, one in seen.items() if name in links)
    return replace(found(base), units=(*base.units[:1], *facts))


def timers(systemd: Systemd, place: Place, base: Survey) -> Survey:
    """Timers whose work runs as a user of the service: that work is about its data."""
    users = {one.name for one in base.accounts if one.type == "User"} | ({base.main.user} - {"", "root"})
    known = {one.name for one in base.units}
    seen: list[Looked] = []
    for name in [one for one in systemd.timers() if one not in known][:MOST_TIMERS] if users else []:
        timer = _look(systemd, name, "Follows")
        # A masked timer has no work, and an empty name would be this process's own unit.
        work = _look(systemd, str(timer.properties.get("Unit") or name), "Follows")
        if work.facts.user in users and work.facts.name != base.unit:
            # The timer is what starts; the programs are those of its work.
            seen.append(replace(timer, paths=(*timer.paths, *work.paths)))
    paths = tuple(path for one in seen for path in _paths(place, one.paths))
    return replace(found(base), units=(*base.units[:1], *(one.facts for one in seen)), paths=paths)


def _follow(systemd: Systemd, seen: dict[str, Looked], name: str, role: Role) -> None:
    if name in seen or name in _BASIC or name.endswith((".target", ".slice", ".device")) or len(seen) >= MOST_UNITS:
        return
    try:
        looked = _look(systemd, name, role)
    except SystemdRefuses:
        return
    if looked.facts.load_state == "loaded" and not looked.facts.name.startswith("systemd-"):
        seen[name] = looked


def _neighbours(looked: Looked) -> Iterator[tuple[str, Role]]:
    said = looked.properties
    for name in said.get("TriggeredBy", ()):
        yield name, "Starts"
    for field in ("Requires", "Requisite", "BindsTo", "Upholds", "JoinsNamespaceOf"):
        for name in said.get(field, ()):
            yield name, "Requires"
    after = set(said.get("After", ()))
    for name in said.get("Wants", ()):
        if name in after:
            yield name, "Wants"


# --- one unit ----------------------------------------------------------------------------------------------------------


def _look(systemd: Systemd, name: str, role: Role) -> Looked:
    said = systemd.properties(name)
    facts = _facts(said, role)
    return Looked(facts, said, tuple(_named(facts, said)))


def _facts(said: Properties, role: Role) -> UnitFacts:
    state = str(said.get("ActiveState", ""))
    sealed = [one[0] for field in ("LoadCredentialEncrypted", "SetCredentialEncrypted") for one in said.get(field, ())]
    return UnitFacts(
        name=str(said.get("Id", "")),
        role=role,
        load_state=str(said.get("LoadState", "")),
        active_state=state,
        type=str(said.get("Type", "")),
        fragment=str(said.get("FragmentPath", "")),
        drop_ins=tuple(path for path in said.get("DropInPaths", ()) if OURS not in path),
        user=str(said.get("User", "")),
        group=str(said.get("Group", "")),
        executes=tuple(dict.fromkeys(one[0] for field in _EXECUTES[:2] for one in said.get(field, ()))),
        ignores_failure=any(one[2] for one in said.get("ExecStart", ())),
        can_reload=bool(said.get("CanReload")),
        start_limit_s=_seconds(said.get("TimeoutStartUSec")),
        stop_limit_s=_seconds(said.get("TimeoutStopUSec")),
        users=tuple(
            one for field in ("RequiredBy", "WantedBy") for one in said.get(field, ()) if not one.endswith(".target")
        ),
        parts=tuple(said.get("ConsistsOf", ())),
        volatile=(
            *_below("/run", said.get("RuntimeDirectory")),
            *_below("/var/cache", said.get("CacheDirectory")),
            *_pid_file(said),
        ),
        logs=_below("/var/log", said.get("LogsDirectory")),
        state=_below("/var/lib", said.get("StateDirectory")),
        unencrypted=tuple(one[0] for one in said.get("LoadCredential", ())),
        sealed=tuple(sealed),
        variables=tuple(one.partition("=")[0] for one in said.get("Environment", ())),
    )


def _seconds(us: Any) -> float:
    return us / 1e6 if isinstance(us, int) and us != _FOREVER_US else 0


def _below(root: str, names: Any) -> tuple[str, ...]:
    return tuple(f"{root}/{name}" for name in names or ())


def _pid_file(said: Properties) -> tuple[str, ...]:
    return (str(said["PIDFile"]),) if said.get("PIDFile") else ()


def _named(facts: UnitFacts, said: Properties) -> Iterator[tuple[str, Clue]]:
    """Paths that the unit's own settings name."""
    yield from _each("Unit", facts.name, "FragmentPath", [facts.fragment, str(said.get("SourcePath", ""))])
    yield from _each("Unit", facts.name, "DropInPaths", facts.drop_ins)
    yield from _each("Environment", facts.name, "EnvironmentFile", (one[0] for one in said.get("EnvironmentFiles", ())))
    for field in _EXECUTES:
        for path, words, *_ in said.get(field, ()):
            yield from _each("Executed", facts.name, field, [path])
            yield from _each("Argument", facts.name, field, _paths_in(words[1:]))
    for field in ("RequiresMountsFor", "WorkingDirectory", "RootDirectory", "ReadWritePaths", "ReadOnlyPaths"):
        held = said.get(field) or ()
        yield from _each("Unit", facts.name, field, [held] if isinstance(held, str) else held)
    for field in ("BindPaths", "BindReadOnlyPaths"):
        yield from _each("Unit", facts.name, field, (one[0] for one in said.get(field, ())))
    yield from _each("Credential", facts.name, "LoadCredential", (one[1] for one in said.get("LoadCredential", ())))
    yield from _each(
        "Credential", facts.name, "LoadCredentialEncrypted", (one[1] for one in said.get("LoadCredentialEncrypted", ()))
    )
    yield from _each("Unit", facts.name, "StateDirectory", facts.state)


def _each(how: How, unit: str, word: str, paths: Iterable[str]) -> Iterator[tuple[str, Clue]]:
    for path in paths:
        path = path.lstrip("-+!")
        if path.startswith("/") and path not in _NOTHING:
            yield path, Clue(how, unit, word)


def _paths_in(words: Iterable[str]) -> Iterator[str]:
    """Of arguments, those that are a path, or an option with one behind its `=`. Nothing else of an argument is kept."""
    for word in words:
        value = word.rpartition("=")[2]
        if value.startswith("/") and len(value) > 1:
            yield value


def _paths(place: Place, named: Iterable[tuple[str, Clue]]) -> tuple[PathFacts, ...]:
    seen = (place.found(path, clue) for path, clue in named)
    return tuple(one for one in seen if one)
