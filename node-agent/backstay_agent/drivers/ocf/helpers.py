"""Pacemaker's small programs, as agents call them, answered on this host: what an agent notes of itself, it finds again.

An agent with roles is answered from what its like on other hosts have noted as well, as far as this host has been told of it (`Shared`).

`install` puts this very file where agents look first; there it is a program that needs nothing but the standard library. What would
need a view of the whole cluster is refused with a sentence rather than guessed.
"""

from __future__ import annotations

import fcntl
import getopt
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path("/run/backstay/ocf/bin")
UNTIL_BOOT: Final = Path("/run/backstay/ocf/attributes")
FOR_EVER: Final = Path("/var/lib/backstay/ocf-attributes")
ATTRIBUTES: Final = ("attrd_updater", "crm_attribute", "crm_master")
REFUSED: Final = (
    "cibadmin",
    "crm_failcount",
    "crm_resource",
    "crm_simulate",
    "crm_standby",
    "stonith_admin",
)
WRONG, UNANSWERED, UNKNOWN = 64, 69, 105  # as Pacemaker exits
MOST, LONGEST = 64, 512
"""Attributes of one resource with roles, and characters of a value: others are told them all (`bounds.MOST_ATTRIBUTES`)."""
GREATEST: Final = 10**15 - 1
"""Number of a value. What is refused (`models.roles`) is refused with all that this host reports, and others say which number is next."""
_MON: Final = """<pacemaker-result api-version="2.0" request="crm_mon">
<nodes>
{nodes}
</nodes>
{resources}
<status code="0" message="OK"/>
</pacemaker-result>"""
_NODE: Final = '<node name="{host}" id="{id}" online="{online}" standby="false" unclean="false" type="member"/>'
_COPY: Final = (
    '<resource id="{id}" resource_agent="ocf:{agent}" role="{role}" active="true" orphaned="false" blocked="false"'
    ' managed="true" failed="false" nodes_running_on="1"><node name="{host}"/></resource>'
)
"""Attributes in Pacemaker's order: `pgsql` looks for what is between `id` and `role`."""
_INFINITE: Final = {"INFINITY": 1_000_000, "+INFINITY": 1_000_000, "-INFINITY": -1_000_000}
_NODE_OPTIONS: Final = ("nlpqiV", ["name", "list", "partition", "quorum", "cluster-id", "verbose"])
_BAN_OPTIONS: Final = ("Br:N:Q", ["ban", "resource=", "node=", "quiet"])
_OPTIONS: Final = (
    "n:v:U:B:l:N:t:s:S:r:d:i:QGqDpVYR",
    [
        *("name=", "update=", "update-both=", "attr-value=", "lifetime=", "node=", "type=", "set-name=", "resource="),
        *("delay=", "default=", "delete", "delete-attr", "delete-attribute", "query", "get-value", "quiet", "private"),
        *("verbose", "refresh", "promotion"),
    ],
)


def install(folder: Path = FOLDER) -> None:
    """Make the programs. Raises OSError."""
    program, text = folder / "answer", f"#!{sys.executable} -IS\n{Path(__file__).read_text()}"
    if program.exists() and program.read_text() == text:
        return
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    fresh = folder / f".answer-{os.getpid()}"
    fresh.write_text(text)
    fresh.chmod(0o755)
    for name in ("crm_mon", "crm_node", *ATTRIBUTES, *REFUSED):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(program.name)
    fresh.rename(program)


def promotion_score(resource: str, *, places: tuple[Path, Path] = (UNTIL_BOOT, FOR_EVER)) -> int | str:
    """What its agent here has noted by `crm_master`, of what is called so; or why it is not to be promoted, as Pacemaker reads it."""
    shared = Shared(resource, places) if _IS_SHARED.fullmatch(resource) else None
    noted = shared.known().get(_key("Reboot", os.uname().nodename, f"master-{resource}")) if shared else None
    file = next((one for place in places if (one := place / f"master-{resource}").exists()), None)
    if (noted[1] is None) if noted else (file is None):
        return "has set no promotion score (crm_master) here"
    said = (noted[1] if noted else file.read_text() if file else "").strip()
    score = int(said) if re.fullmatch("[+-]?[0-9]{1,9}", said) else _INFINITE.get(said)
    if score is None:
        return f"has set a promotion score (crm_master) that is no number: {said[:40]}"
    return score if score >= 0 else f"has set its promotion score (crm_master) to {said}: below zero it is not promoted"


def answer(
    argv: Sequence[str], environ: Mapping[str, str], *, places: tuple[Path, Path] = (UNTIL_BOOT, FOR_EVER)
) -> tuple[int, str]:
    """The exit code, and what is printed."""
    tool, host = argv[0].rpartition("/")[2], os.uname().nodename
    shared = _shared(environ, places)
    if tool == "crm_resource" and shared and _is_ban(argv[1:], shared.resource, host):
        shared.note(_key("Reboot", host, f"master-{shared.resource}"), "-INFINITY")
        return 0, ""
    if tool == "crm_mon" and any("xml" in word or re.fullmatch("-1?X", word) for word in argv[1:]):
        agent = ":".join(environ.get(f"OCF_RESOURCE_{name}", "") for name in ("PROVIDER", "TYPE"))
        return 0, _mon(shared, host, agent)
    if tool in (*REFUSED, "crm_mon"):
        return UNANSWERED, f"{tool}: Backstay has no answer to this"
    try:
        given = getopt.gnu_getopt(list(argv[1:]), *(_NODE_OPTIONS if tool == "crm_node" else _OPTIONS))[0]
    except getopt.GetoptError as error:
        return WRONG, f"{tool}: {error}"
    if tool == "crm_node":
        return _node({option.lstrip("-")[:1] for option, _ in given}, host, shared)
    return _attribute(tool, dict(given), environ, host, places)


def _is_ban(words: Sequence[str], resource: str, host: str) -> bool:
    """Whether an agent asks that its own copy here be kept away, as `pgsql` does whose data is newer: nobody promotes it then."""
    try:
        given = dict(getopt.gnu_getopt(list(words), *_BAN_OPTIONS)[0])
    except getopt.GetoptError:
        return False
    said = partial(_given, given)
    is_ours = said("-r", "--resource") in (None, resource) and said("-N", "--node") in (None, host)
    return said("-B", "--ban") is not None and is_ours


def _node(asked: set[str], host: str, shared: Shared | None) -> tuple[int, str]:
    if asked & {"q", "i", "c"}:
        return 0, "1"
    hosts = _hosts(shared, host)
    if "p" in asked:
        return 0, " ".join(hosts)
    return 0, "\n".join(f"{id} {one} member" for id, one in enumerate(hosts, 1)) if "l" in asked else host


def _hosts(shared: Shared | None, host: str) -> list[str]:
    """With a copy that is up, and this one."""
    return sorted({host, *(shared.told.get("copies", ()) if shared else ())})


def _mon(shared: Shared | None, host: str, agent: str) -> str:
    """Which copy is promoted, and who is there, is all that agents look for in it; what has no roles is told that nothing is promoted."""
    there = _hosts(shared, host)
    away = sorted({key.split(" ")[1] for key in (shared.known() if shared else ())} - {"", *there})
    nodes = [
        _NODE.format(host=one, id=id, online=str(one in there).lower()) for id, one in enumerate([*there, *away], 1)
    ]
    promoted = shared.told.get("promoted", "") if shared else ""
    copies = sorted({*shared.told.get("copies", ()), *filter(None, [promoted])}) if shared else ()
    said = [
        _COPY.format(id=shared.resource, agent=agent, host=one, role="Promoted" if one == promoted else "Unpromoted")
        for one in copies
        if shared
    ]
    resources = "\n".join(["<resources>", *said, "</resources>"]) if said else "<resources/>"
    return _MON.format(nodes="\n".join(nodes), resources=resources)


def _attribute(
    tool: str, given: Mapping[str, str], environ: Mapping[str, str], host: str, places: tuple[Path, Path]
) -> tuple[int, str]:
    said = partial(_given, given)
    # By the latter agents do what the former did, where Pacemaker is new enough: a -p of attrd_updater means something else.
    is_score = tool == "crm_master" or (tool == "crm_attribute" and said("-p", "--promotion") is not None)
    resource = said("-r", "--resource") or environ.get("OCF_RESOURCE_INSTANCE", "")
    name = f"master-{resource}" if is_score else said("-n", "--name") or ""
    if not re.fullmatch(r"[A-Za-z0-9_:#@+-][A-Za-z0-9_.:#@+-]{0,199}", name):
        return WRONG, f"{tool}: {name!r} is not the name of an attribute"
    lasts = said("-l", "--lifetime") or ("forever" if tool == "crm_attribute" and not is_score else "reboot")
    if (shared := _shared(environ, places)) is not None and (key := _key_of(said, name, lasts, host)):
        return _of_shared(tool, shared, key, said)
    file = places[lasts == "forever"] / name if _is_here(said, host) else None
    if (value := said("-v", "-U", "-B", "--update", "--update-both", "--attr-value")) is not None:
        return _write(file, value) if file else (UNANSWERED, f"{tool}: Backstay keeps attributes of this host only")
    if said("-D", "--delete", "--delete-attr", "--delete-attribute") is not None:
        return _delete(file)
    if (found := _found(tool, said, file)) is None:
        return UNKNOWN, f"{tool}: there is no attribute {name}"
    is_quiet = said("-q", "-Q", "--quiet") is not None
    return 0, _shown(tool, found, is_quiet=is_quiet, name=name, host=host, lasts=lasts)


def _key_of(said: Callable[..., str | None], name: str, lasts: str, host: str) -> str:
    """Where an agent with roles keeps it; empty: nowhere."""
    type_ = said("-t", "--type") or ""
    if type_ == "crm_config":
        return _key("Cluster", "", name)
    node = said("-N", "--node") or host
    if type_ not in ("", "status", "nodes", "reboot", "forever") or not _IS_SHARED.fullmatch(node):
        return ""
    return _key("Forever" if type_ == "nodes" or lasts == "forever" else "Reboot", node, name)


def _of_shared(tool: str, shared: Shared, key: str, said: Callable[..., str | None]) -> tuple[int, str]:
    scope, host, name = key.split(" ")
    if (value := said("-v", "-U", "-B", "--update", "--update-both", "--attr-value")) is not None:
        why = shared.note(key, value)
        return (UNANSWERED, f"{tool}: {why}") if why else (0, "")
    if said("-D", "--delete", "--delete-attr", "--delete-attribute") is not None:
        shared.note(key, None)
        return 0, ""
    known = shared.known().get(key)
    if known is None or known[1] is None:
        if (default := said("-d", "--default")) is None or tool == "attrd_updater":
            return UNKNOWN, f"{tool}: there is no attribute {name}"
        known = [0, default]
    is_quiet, lasts = said("-q", "-Q", "--quiet") is not None, "reboot" if scope == "Reboot" else "forever"
    return 0, _shown(tool, known[1], is_quiet=is_quiet, name=name, host=host, lasts=lasts)


def _is_here(said: Callable[..., str | None], host: str) -> bool:
    """Whether it is an attribute of this host, which alone is kept. What nobody can have written is not there."""
    is_ours = (said("-t", "--type") or "status") in ("status", "nodes", "reboot", "forever")
    return is_ours and said("-N", "--node") in (None, "", host)


def _found(tool: str, said: Callable[..., str | None], file: Path | None) -> str | None:
    if file is not None and file.exists():
        return file.read_text()
    return said("-d", "--default") if tool != "attrd_updater" else None


def _shown(tool: str, value: str, *, is_quiet: bool, name: str, host: str, lasts: str) -> str:
    """An attribute as this tool prints it."""
    if tool == "attrd_updater":
        return f'name="{name}" host="{host}" value="{value}"'
    return value if is_quiet else f"scope={'nodes' if lasts == 'forever' else 'status'}  name={name} value={value}"


def _given(given: Mapping[str, str], *options: str) -> str | None:
    return next((given[option] for option in options if option in given), None)


def _delete(file: Path | None) -> tuple[int, str]:
    if file is not None:
        file.unlink(missing_ok=True)
    return 0, ""


def _write(file: Path, value: str) -> tuple[int, str]:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_name(f".{os.getpid()}")
    fresh.write_text(value)
    fresh.rename(file)
    return 0, ""


# --- what agents with roles tell each other --------------------------------------------------------------------------

Noted = dict[str, list[Any]]
"""By scope, host and name, with a space between them: a number, and the value; None: it was deleted. The greatest number counts."""
_IS_SHARED: Final = re.compile("[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}")


class Shared:
    """What an agent with roles has noted here, and what this host was told that others have."""

    def __init__(self, resource: str, places: tuple[Path, Path] = (UNTIL_BOOT, FOR_EVER)) -> None:
        assert _IS_SHARED.fullmatch(resource), f"an unchecked name: {resource!r}"
        self.resource = resource
        # No attribute's name begins with a dot.
        self._own, self._kept = (place / ".roles" / f"{resource}.json" for place in places)
        self._told = places[0] / ".roles" / f"{resource}.told"

    @property
    def told(self) -> dict[str, Any]:
        """`promoted`, `copies`, `attributes`; empty: nobody has told us anything."""
        return _read_json(self._told)

    @property
    def own(self) -> Noted:
        """What was noted here, of whomever: what lasts longer than a boot is there after it."""
        return _read_json(self._own if self._own.exists() else self._kept)

    def tell(self, promoted: str, copies: Sequence[str], attributes: Noted) -> None:
        """From elsewhere. Raises OSError."""
        said = {"promoted": promoted, "copies": list(copies), "attributes": attributes}
        if said != self.told:
            _write_json(self._told, said)

    def known(self) -> Noted:
        """The latest of each, whoever has noted it."""
        found: Noted = dict(self.told.get("attributes", {}))
        for key, one in self.own.items():
            if key not in found or _rank(found[key]) < _rank(one):
                found[key] = one
        return found

    def note(self, key: str, value: str | None) -> str:
        """Why it is not noted, in a sentence; empty: it is. What is so already is not noted again."""
        if value is not None and (len(value) > LONGEST or not value.isprintable()):
            return f"Backstay tells other hosts no value of more than {LONGEST} characters, and none that cannot be printed"
        with self._alone():
            before, known = self.own, self.known().get(key)
            if (known[1] if known else None) == value:
                return ""
            after = {**before, key: [min((known[0] if known else 0) + 1, GREATEST), value]}
            if len(after) > MOST:
                after = {one: noted for one, noted in after.items() if noted[1] is not None or one == key}
            if len(after) > MOST:
                return f"Backstay keeps no more than {MOST} attributes of {self.resource} on one host"
            self._keep(before, after)
        return ""

    def _keep(self, before: Noted, after: Noted) -> None:
        lasting, lasted = _lasting(after), _lasting(before)
        if lasting != lasted:
            _write_json(self._kept, lasting)
        _write_json(self._own, after)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._own.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _shared(environ: Mapping[str, str], places: tuple[Path, Path]) -> Shared | None:
    """Of an agent with roles that asks; an admin's shell, and what has none, knows of this host alone."""
    resource = environ.get("OCF_RESOURCE_INSTANCE", "")
    has_roles = "OCF_RESKEY_CRM_meta_promoted_max" in environ and _IS_SHARED.fullmatch(resource)
    return Shared(resource, places) if has_roles else None


def _key(scope: str, host: str, name: str) -> str:
    return f"{scope} {host} {name}"


def _lasting(noted: Noted) -> Noted:
    return {key: one for key, one in noted.items() if not key.startswith("Reboot ")}


def _rank(noted: list[Any]) -> tuple[int, bool, str]:
    return noted[0], noted[1] is not None, noted[1] or ""


def _read_json(file: Path) -> dict[str, Any]:
    """Empty too where it is no JSON: a host lost its power while it was written."""
    try:
        found = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_json(file: Path, said: Mapping[str, Any]) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}-{os.getpid()}")
    with fresh.open("w") as written:
        written.write(json.dumps(said))
        written.flush()
        os.fsync(written.fileno())
    fresh.rename(file)


if __name__ == "__main__":
    code, text = answer(sys.argv, os.environ)
    if text:
        print(text, file=sys.stderr if code else sys.stdout)
    sys.exit(code)
