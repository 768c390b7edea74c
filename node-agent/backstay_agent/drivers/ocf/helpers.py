"""Pacemaker's small programs, as agents call them, answered from this host alone: what an agent notes of itself, it finds again.

`install` puts this very file where agents look first; there it is a program that needs nothing but the standard library. What would
need a view of the whole cluster is refused with a sentence rather than guessed.
"""

from __future__ import annotations

import getopt
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

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
# Nothing has a role here, so nothing is promoted anywhere: that is all that agents look for in it.
_ALONE: Final = """<pacemaker-result api-version="2.0" request="crm_mon">
<nodes><node name="{host}" id="1" online="true" standby="false" unclean="false" type="member"/></nodes>
<resources/>
<status code="0" message="OK"/>
</pacemaker-result>"""
_INFINITE: Final = {"INFINITY": 1_000_000, "+INFINITY": 1_000_000, "-INFINITY": -1_000_000}
_NODE_OPTIONS: Final = ("nlpqiV", ["name", "list", "partition", "quorum", "cluster-id", "verbose"])
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
    file = next((one for place in places if (one := place / f"master-{resource}").exists()), None)
    if file is None:
        return "has set no promotion score (crm_master) here"
    said = file.read_text().strip()
    score = int(said) if re.fullmatch("[+-]?[0-9]{1,9}", said) else _INFINITE.get(said)
    if score is None:
        return f"has set a promotion score (crm_master) that is no number: {said[:40]}"
    return score if score >= 0 else f"has set its promotion score (crm_master) to {said}: below zero it is not promoted"


def answer(
    argv: Sequence[str], environ: Mapping[str, str], *, places: tuple[Path, Path] = (UNTIL_BOOT, FOR_EVER)
) -> tuple[int, str]:
    """The exit code, and what is printed."""
    tool, host = argv[0].rpartition("/")[2], os.uname().nodename
    if tool == "crm_mon" and any("xml" in word or re.fullmatch("-1?X", word) for word in argv[1:]):
        return 0, _ALONE.format(host=host)
    if tool in (*REFUSED, "crm_mon"):
        return UNANSWERED, f"{tool}: Backstay has no answer to this"
    try:
        given = getopt.gnu_getopt(list(argv[1:]), *(_NODE_OPTIONS if tool == "crm_node" else _OPTIONS))[0]
    except getopt.GetoptError as error:
        return WRONG, f"{tool}: {error}"
    if tool == "crm_node":
        return _node({option.lstrip("-")[:1] for option, _ in given}, host)
    return _attribute(tool, dict(given), environ, host, places)


def _node(asked: set[str], host: str) -> tuple[int, str]:
    if asked & {"q", "i", "c"}:
        return 0, "1"
    return 0, f"1 {host} member" if "l" in asked and "p" not in asked else host


def _attribute(
    tool: str, given: Mapping[str, str], environ: Mapping[str, str], host: str, places: tuple[Path, Path]
) -> tuple[int, str]:
    said = partial(_given, given)
    # By the latter agents do what the former did, where Pacemaker is new enough: a -p of attrd_updater means something else.
    is_score = tool == "crm_master" or (tool == "crm_attribute" and said("-p", "--promotion") is not None)
    resource = said("-r", "--resource") or environ.get("OCF_RESOURCE_INSTANCE", "")
    name = f"master-{resource}" if is_score else said("-n", "--name") or ""
    if not re.fullmatch(r"[A-Za-z0-9_:#@+-][A-Za-z0-9_.:#@+-]{0,200}", name):
        return WRONG, f"{tool}: {name!r} is not the name of an attribute"
    lasts = said("-l", "--lifetime") or ("forever" if tool == "crm_attribute" and not is_score else "reboot")
    file = places[lasts == "forever"] / name if _is_here(said, host) else None
    if (value := said("-v", "-U", "-B", "--update", "--update-both", "--attr-value")) is not None:
        return _write(file, value) if file else (UNANSWERED, f"{tool}: Backstay keeps attributes of this host only")
    if said("-D", "--delete", "--delete-attr", "--delete-attribute") is not None:
        return _delete(file)
    if (found := _found(tool, said, file)) is None:
        return UNKNOWN, f"{tool}: there is no attribute {name}"
    is_quiet = said("-q", "-Q", "--quiet") is not None
    return 0, _shown(tool, found, is_quiet=is_quiet, name=name, host=host, lasts=lasts)


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


if __name__ == "__main__":
    code, text = answer(sys.argv, os.environ)
    if text:
        print(text, file=sys.stderr if code else sys.stdout)
    sys.exit(code)
