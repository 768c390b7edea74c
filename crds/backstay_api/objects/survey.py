"""What a survey of one unit says of it: the document that `backstay-agent survey` writes and `backstay discover` reads.

Plain dataclasses, standard library only: both ends read the same text. A survey holds what is in use and where that is written, never what
is written there: paths, names and numbers, and no value of any setting, variable or argument. Each source fills a survey of its own with
what it knows, and they are joined (`merged`).
"""

from __future__ import annotations

import json
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final, Literal, TypeVar, get_args, get_origin, get_type_hints

FORMAT: Final = 1
"""Of the document. A reader refuses what is newer than itself."""
MOST_BYTES: Final = 1024 * 1024
"""Of a document. What is longer is no survey."""

How = Literal[
    "Unit", "Argument", "Mapped", "Executed", "Read", "Written", "Mentioned", "Environment", "Credential", "Place"
]
"""How a path came to be found. Place: by where it lies alone."""
Role = Literal["Asked", "Starts", "Requires", "Wants", "Follows", "Peer"]
"""What a unit is to the one that was asked for. Starts: a socket, timer or path that starts it; Follows: a timer of the same user."""


class UnreadableSurvey(Exception):
    """The text is no survey that this release understands; the message says why."""


@dataclass(frozen=True)
class Clue:
    """What on the host shows that a path is used."""

    how: How
    where: str
    """A file and line, a unit's property, or a program: where somebody can look it up."""
    word: str = ""
    """The directive or option it stands behind, never its value."""


@dataclass(frozen=True)
class CertificateFacts:
    """Of the first certificate in a file."""

    expires: str
    """Day, as 2027-02-14."""
    names: tuple[str, ...] = ()
    key: str = ""
    """File with its key, if one of those found is that."""
    is_self_signed: bool = False


@dataclass(frozen=True)
class TreeFacts:
    """How large a directory is and how much of it changes."""

    files: int
    bytes: int
    young_hour: int
    """Bytes of files changed within the last hour."""
    young_day: int
    """Bytes of files changed within the last 24 hours."""
    is_cut: bool = False
    """There is more than was looked at: all numbers are the least it can be."""


@dataclass(frozen=True)
class PathFacts:
    """One path that is used, in its canonical form."""

    path: str
    type: Literal["", "File", "Directory", "Socket", "Device", "Fifo", "Missing"] = ""
    mode: int = 0
    uid: int = -1
    gid: int = -1
    written: tuple[str, ...] = ()
    """The path as it was written, where links lead here."""
    clues: tuple[Clue, ...] = ()
    package: str = ""
    """Whose file it is."""
    is_conffile: bool = False
    is_changed: bool = False
    """Not as its package shipped it."""
    is_secret: bool = False
    """Holds a private key, or nobody but its owner may read it: nothing in it was followed."""
    mount_point: str = ""
    certificate: CertificateFacts | None = None
    tree: TreeFacts | None = None


@dataclass(frozen=True)
class UnitFacts:
    """A unit as systemd has it loaded."""

    name: str
    role: Role = "Asked"
    load_state: str = ""
    active_state: str = ""
    type: str = ""
    fragment: str = ""
    drop_ins: tuple[str, ...] = ()
    user: str = ""
    group: str = ""
    executes: tuple[str, ...] = ()
    ignores_failure: bool = False
    """ExecStart has a `-`: a failed start counts as a success."""
    can_reload: bool = False
    start_limit_s: float = 0
    """0: none."""
    stop_limit_s: float = 0
    users: tuple[str, ...] = ()
    """Other enabled units that need it."""
    parts: tuple[str, ...] = ()
    """Units that are part of it (`PartOf=`)."""
    volatile: tuple[str, ...] = ()
    """Directories that hold nothing that must last: runtime, cache."""
    logs: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    """StateDirectory."""
    unencrypted: tuple[str, ...] = ()
    """Names of its credentials."""
    sealed: tuple[str, ...] = ()
    """Names of credentials that are encrypted for this host."""
    variables: tuple[str, ...] = ()
    """Names of variables of its environment."""
    link: str = ""
    """Why it is here, where that is a socket or an address: `/run/redis/redis.sock`."""


@dataclass(frozen=True)
class ProgramFacts:
    """Processes of the unit that run one program."""

    executable: str
    pids: tuple[int, ...] = ()
    uid: int = -1
    gid: int = -1
    groups: tuple[int, ...] = ()
    is_replaced: bool = False
    """It was deleted or replaced since it started: an older version runs than is installed."""


@dataclass(frozen=True)
class SocketFacts:
    """A socket that the unit listens at, or connections of one kind."""

    protocol: Literal["tcp", "udp", "unix"]
    role: Literal["Listens", "Clients", "Connects"]
    local: str = ""
    port: int = 0
    remote: str = ""
    """Of connections that the unit has opened."""
    count: int = 1
    unit: str = ""
    """Of a peer on this host: its unit."""
    is_own: bool = False
    """Of an address of clients: no link of this host has it as its first address, so that it may be one to move."""


@dataclass(frozen=True)
class EndpointFacts:
    """A host and port that a configuration names. Nobody has tried it."""

    address: str
    port: int
    where: str
    word: str = ""


@dataclass(frozen=True)
class MountFacts:
    """A filesystem that something found lies on."""

    point: str
    type: str
    source: str
    root: str = "/"
    stack: tuple[str, ...] = ()
    """What the device is made of, down to the disk."""
    is_network: bool = False
    is_shared: bool = False
    """Another host could reach it: a network filesystem, or a disk behind multipath, iSCSI or Fibre Channel."""
    by_id: str = ""


@dataclass(frozen=True)
class PackageFacts:
    """An installed package that owns something found."""

    name: str
    version: str
    is_essential: bool = False
    """On every host of this distribution."""
    manager: Literal["dpkg", "rpm"] = "dpkg"


@dataclass(frozen=True)
class AccountFacts:
    """A user that processes run as, or a group."""

    type: Literal["User", "Group"]
    name: str
    number: int
    gid: int = -1
    home: str = ""
    is_local: bool = True
    """In /etc/passwd or /etc/group; else only a directory service knows it."""


@dataclass(frozen=True)
class SettingFacts:
    """Something of the kernel or the host that a found file sets, or a recipe asks for."""

    type: Literal["Sysctl", "Module"]
    name: str
    value: str = ""
    where: str = ""


@dataclass(frozen=True)
class Skipped:
    """What was not looked at, and why. Always told to whoever reads the draft."""

    source: str
    why: str


@dataclass(frozen=True)
class Survey:
    """One look for what a unit needs, on one host. Empty fields: nothing found, or not looked for (see `skipped`)."""

    format: int = FORMAT
    host: str = ""
    unit: str = ""
    asked: str = ""
    """The name that was asked for, where that is an alias."""
    agent: str = ""
    policy: str = ""
    """What the host's admin allows services to bring, in a sentence."""
    duration_s: float = 0
    units: tuple[UnitFacts, ...] = ()
    programs: tuple[ProgramFacts, ...] = ()
    paths: tuple[PathFacts, ...] = ()
    sockets: tuple[SocketFacts, ...] = ()
    endpoints: tuple[EndpointFacts, ...] = ()
    mounts: tuple[MountFacts, ...] = ()
    packages: tuple[PackageFacts, ...] = ()
    accounts: tuple[AccountFacts, ...] = ()
    settings: tuple[SettingFacts, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    @property
    def main(self) -> UnitFacts:
        """The unit that was asked for."""
        return next((one for one in self.units if one.role == "Asked"), UnitFacts(self.unit))

    def path(self, path: str) -> PathFacts | None:
        """What is known of a path."""
        return next((one for one in self.paths if one.path == path), None)


# --- joining -----------------------------------------------------------------------------------------------------------

_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "units": ("name",),
    "programs": ("executable", "uid"),
    "mounts": ("point",),
    "packages": ("name",),
    "accounts": ("type", "name"),
    "settings": ("type", "name"),
}


def merged(one: Survey, other: Survey) -> Survey:
    """Both as one. Of what both know, the first keeps its place; paths join their clues, and the other's facts where the first has none."""
    joined = {
        each.name: _joined(each.name, getattr(one, each.name), getattr(other, each.name)) for each in fields(Survey)
    }
    return replace(one, **joined)


def _joined(name: str, one: Any, other: Any) -> Any:
    if name == "paths":
        return _paths([*one, *other])
    if isinstance(one, tuple):
        keys = _KEYS.get(name)
        found = {tuple(getattr(each, key) for key in keys) if keys else each: each for each in (*other, *one)}
        order = dict.fromkeys(tuple(getattr(each, key) for key in keys) if keys else each for each in (*one, *other))
        return tuple(found[key] for key in order)
    return one if one not in ("", 0) else other


def _paths(found: Iterable[PathFacts]) -> tuple[PathFacts, ...]:
    by_path: dict[str, PathFacts] = {}
    for one in found:
        before = by_path.get(one.path)
        by_path[one.path] = _same(before, one) if before else one
    return tuple(by_path.values())


def _same(one: PathFacts, other: PathFacts) -> PathFacts:
    empty = PathFacts(one.path)
    known = {each.name: getattr(one, each.name) for each in fields(PathFacts)}
    for name, value in known.items():
        if isinstance(value, tuple):
            known[name] = tuple(dict.fromkeys((*value, *getattr(other, name))))
        elif value == getattr(empty, name):
            known[name] = getattr(other, name)
    return PathFacts(**known)


# --- text --------------------------------------------------------------------------------------------------------------

T = TypeVar("T")


def survey_text(survey: Survey) -> str:
    """As the text of a document, without what is as always."""
    return json.dumps({"format": survey.format, **_slim(survey)}, indent=1)


def _slim(value: Any) -> Any:
    if is_dataclass(value):
        known = ((each, getattr(value, each.name)) for each in fields(value))
        return {each.name: _slim(held) for each, held in known if held != each.default}
    return [_slim(each) for each in value] if isinstance(value, tuple) else value


def parse_survey(text: str) -> Survey:
    """The survey in a text. Raises UnreadableSurvey."""
    if len(text) > MOST_BYTES:
        raise UnreadableSurvey(f"it is longer than {MOST_BYTES // 1024} KiB")
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableSurvey("it is not JSON: give what `backstay-agent survey UNIT` has written") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("format"), int):
        raise UnreadableSurvey("it is no survey: it has no number `format`")
    if raw["format"] != FORMAT:
        raise UnreadableSurvey(
            f"it has format {raw['format']}, and this release reads {FORMAT}: use the same release on both ends"
        )
    try:
        survey: Survey = _read(Survey, raw, "survey")
    except RecursionError as error:
        raise UnreadableSurvey("it is nested too deep") from error
    if not survey.unit or not survey.units:
        raise UnreadableSurvey("it names no unit")
    return survey


def _read(wanted: Any, raw: Any, where: str) -> Any:
    """`raw`, held against the type. What it has and we do not know is left out: a later agent may know more."""
    if is_dataclass(wanted) and isinstance(wanted, type):
        if not isinstance(raw, dict):
            raise UnreadableSurvey(f"{where} is not an object")
        hints = get_type_hints(wanted)
        given = {
            each.name: _read(hints[each.name], raw[each.name], f"{where}.{each.name}")
            for each in fields(wanted)
            if each.name in raw
        }
        try:
            return wanted(**given)
        except TypeError as error:
            raise UnreadableSurvey(f"{where} lacks a field") from error
    if get_origin(wanted) is tuple:
        if not isinstance(raw, list):
            raise UnreadableSurvey(f"{where} is not a list")
        return tuple(_read(get_args(wanted)[0], each, f"{where}[{at}]") for at, each in enumerate(raw))
    return _read_plain(wanted, raw, where)


def _read_plain(wanted: Any, raw: Any, where: str) -> Any:
    if get_origin(wanted) is types.UnionType:
        return None if raw is None else _read(get_args(wanted)[0], raw, where)
    if get_origin(wanted) is Literal:
        if not isinstance(raw, str) or raw not in get_args(wanted):
            raise UnreadableSurvey(f"{where} is none of {', '.join(get_args(wanted))}")
        return raw
    if wanted is float and type(raw) in (int, float):
        return float(raw)
    if type(raw) is not wanted:
        raise UnreadableSurvey(f"{where} is not a {wanted.__name__}")
    # What goes into comments of a draft must not be able to end one.
    return "".join(each if each.isprintable() else "?" for each in raw) if wanted is str else raw


def empty(unit: str, host: str, agent: str) -> Survey:
    """Nothing is found yet."""
    return Survey(unit=unit, host=host, agent=agent)
