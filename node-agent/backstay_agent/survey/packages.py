"""Sources 10 and 11: which packages own what was found, in which version, and what is not as they shipped it."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from backstay_api.objects.survey import Clue, PackageFacts, PathFacts, Skipped, Survey

from .contained import found
from .place import Place

MOST_LISTS: Final = 20_000
MOST_CONFFILES: Final = 512
_MOST_BYTES: Final = 64 * 1024 * 1024
_MERGED: Final = ("/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/")
"""Folders that are links into /usr today, while dpkg's lists may still name them."""
_DPKG: Final = "/var/lib/dpkg"
_RPM: Final = "/usr/bin/rpm"
_RPM_S: Final = 5.0


@dataclass(frozen=True)
class DpkgPackage:
    """Of dpkg's status."""

    name: str
    version: str = ""
    is_essential: bool = False
    conffiles: Mapping[str, str] = field(default_factory=dict)
    """Path → MD5 as shipped."""


def packages(place: Place, base: Survey) -> Survey:
    """The owners of all paths found so far."""
    if place.resolve(f"{_DPKG}/status"):
        return _dpkg(place, base)
    return (
        _rpm(place, base)
        if place.resolve(_RPM)
        else replace(found(base), skipped=(Skipped("packages", "neither dpkg nor rpm is here"),))
    )


def conffiles(place: Place, base: Survey) -> Survey:
    """Configuration of the packages that own the unit and its programs: what a daemon reads without being told, and does not keep open."""
    if not place.resolve(f"{_DPKG}/status"):
        return found(base)
    main = {base.main.fragment, *(program.executable for program in base.programs), *base.main.executes}
    owners = _owners(place, {path for one in main if one for path in _spellings(one)})
    status = dict(_status(place, set(owners.values())))
    seen = [
        place.found(path, Clue("Place", f"conffile of {name}"))
        for name in dict.fromkeys(owners.values())
        for path in list(status.get(name, DpkgPackage(name)).conffiles)[:MOST_CONFFILES]
    ]
    return replace(found(base), paths=tuple(one for one in seen if one))


# --- dpkg ----------------------------------------------------------------------------------------------------------------


def _dpkg(place: Place, base: Survey) -> Survey:
    wanted = {
        spelled: one.path for one in base.paths for path in (one.path, *one.written) for spelled in _spellings(path)
    }
    owners = {wanted[path]: name for path, name in _owners(place, set(wanted)).items()}
    status = dict(_status(place, set(owners.values())))
    facts = [PackageFacts(one.name, one.version, one.is_essential) for one in status.values()]
    paths = [_owned(place, one, status.get(owners[one.path])) for one in base.paths if one.path in owners]
    return replace(found(base), packages=tuple(facts), paths=tuple(paths))


def _owned(place: Place, path: PathFacts, package: DpkgPackage | None) -> PathFacts:
    facts = PathFacts(path.path, package=package.name if package else "?")
    shipped = (
        next((package.conffiles[one] for one in (path.path, *path.written) if one in package.conffiles), "")
        if package
        else ""
    )
    if not shipped:
        return facts
    data = place.read(path.path, 16 * 1024 * 1024)
    changed = data is not None and hashlib.md5(data, usedforsecurity=False).hexdigest() != shipped
    return replace(facts, is_conffile=True, is_changed=changed)


def _spellings(path: str) -> Iterator[str]:
    yield path
    for folder in _MERGED:
        if path.startswith(f"/usr{folder}"):
            yield path.removeprefix("/usr")
        elif path.startswith(folder):
            yield f"/usr{path}"


def _owners(place: Place, wanted: set[str]) -> dict[str, str]:
    """One pass over the lists of all packages: `dpkg -S` would make one for each path."""
    owners: dict[str, str] = {}
    lists = (name for name in place.names(f"{_DPKG}/info", 8 * MOST_LISTS) if name.endswith(".list"))
    for name in lists:
        data = place.read(f"{_DPKG}/info/{name}", _MOST_BYTES)
        if data:
            package = name.removesuffix(".list").partition(":")[0]
            held = wanted.intersection(data.decode(errors="replace").split("\n"))
            # A directory belongs to many packages, and a file to one.
            owners.update({path: package for path in held if not os.path.isdir(place.at(path))})
    return owners


def _status(place: Place, names: set[str]) -> Iterator[tuple[str, DpkgPackage]]:
    text = (place.read(f"{_DPKG}/status", _MOST_BYTES) or b"").decode(errors="replace")
    for stanza in text.split("\n\n"):
        name = stanza.partition("\n")[0].removeprefix("Package: ")
        if name in names and "\nStatus: install ok installed" in stanza:
            yield name, _package(name, stanza)


def _package(name: str, stanza: str) -> DpkgPackage:
    fields = dict(re.findall(r"^([A-Z][A-Za-z-]*): *(.*(?:\n .*)*)", stanza, re.MULTILINE))
    lines = (line.split() for line in fields.get("Conffiles", "").splitlines())
    basic = fields.get("Essential") == "yes" or fields.get("Priority") in ("required", "important")
    shipped = {words[0]: words[1] for words in lines if len(words) >= 2 and "obsolete" not in words}
    return DpkgPackage(name, fields.get("Version", ""), basic, shipped)


# --- rpm -----------------------------------------------------------------------------------------------------------------


def _rpm(place: Place, base: Survey) -> Survey:
    """Two calls of rpm for all: its database has three formats."""
    paths = [one.path for one in base.paths if one.type == "File"][:400]
    form = "%{NAME}\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n"
    lines = _rpm_says(["-qf", "--qf", form, *paths])
    owners = {path: line.split("\t") for path, line in zip(paths, lines, strict=False) if "\t" in line}
    if len(lines) != len(paths):
        return replace(found(base), skipped=(Skipped("packages", "rpm has not answered for each file"),))
    facts = dict.fromkeys(PackageFacts(name, version, manager="rpm") for name, version in owners.values())
    return replace(
        found(base),
        packages=tuple(facts),
        paths=tuple(PathFacts(path, package=words[0]) for path, words in owners.items()),
    )


def _rpm_says(words: Iterable[str]) -> list[str]:
    environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [_RPM, *words],
        capture_output=True,
        text=True,
        timeout=_RPM_S,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout.splitlines()
