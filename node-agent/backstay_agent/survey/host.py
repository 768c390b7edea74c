"""Sources 14 to 17: variables' names, credentials, accounts, and what the found files set of the kernel."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from backstay_api.objects.survey import AccountFacts, Clue, SettingFacts, Survey, UnitFacts

from .contained import found
from .mentions import only_names
from .place import Place

MOST_CREDENTIALS: Final = 64
_CREDSTORES: Final = {
    "unencrypted": ("/etc/credstore", "/run/credstore"),
    "sealed": ("/etc/credstore.encrypted", "/run/credstore.encrypted"),
}
_SYSCTL_D: Final = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d")
_SYSCTL: Final = re.compile(r"\s*-?([a-z0-9_.*/-]+)\s*=")
_MODULES_D: Final = ("/etc/modules-load.d", "/run/modules-load.d")


def environment(place: Place, base: Survey) -> Survey:
    """Names of variables in environment files."""
    files = [one.path for one in base.paths if any(clue.how == "Environment" for clue in one.clues)]
    names = {name for path in files for name in only_names(place.lines(path))}
    unit = replace(base.main, variables=tuple(sorted({*base.main.variables, *names})))
    return replace(found(base), units=(unit,))


def credentials(place: Place, base: Survey) -> Survey:
    """Files of credentials that the unit names without a path: systemd looks for them in its stores."""
    paths = []
    for field, stores in _CREDSTORES.items():
        for name in getattr(base.main, field)[:MOST_CREDENTIALS]:
            for store in stores:
                paths.append(place.found(f"{store}/{os.path.basename(name)}", Clue("Credential", base.main.name, name)))
    return replace(found(base), paths=tuple(one for one in paths if one))


# --- accounts --------------------------------------------------------------------------------------------------------------


def accounts(place: Place, base: Survey) -> Survey:
    """Users that processes run as and own what is written, with all their groups. Only others than root."""
    users, groups = _table(place, "/etc/passwd"), _table(place, "/etc/group")
    uids = dict.fromkeys(program.uid for program in base.programs if program.uid > 0)
    named = [users[base.main.user]] if base.main.user in users else []
    found_ = [*(_user(uid, users) for uid in uids), *(_of_line(line) for line in named if int(line[2]) > 0)]
    gids = dict.fromkeys(gid for program in base.programs for gid in (*program.groups, program.gid) if gid > 0)
    known = [_group(gid, groups) for gid in gids]
    return replace(found(base), accounts=tuple(dict.fromkeys(one for one in (*found_, *known) if one)))


def _table(place: Place, path: str) -> Mapping[str, list[str]]:
    canonical = place.resolve(path)
    lines = (line.split(":") for line in place.lines(canonical)) if canonical else iter(())
    return {words[0]: words for words in lines if len(words) >= 4 and words[2].isdigit()}


def _user(uid: int, users: Mapping[str, list[str]]) -> AccountFacts | None:
    line = next((one for one in users.values() if int(one[2]) == uid), None)
    if line:
        return _of_line(line)
    try:
        entry = pwd.getpwuid(uid)  # a directory service may not answer: this whole process has a deadline
    except (KeyError, OSError):
        return AccountFacts("User", str(uid), uid, is_local=False)
    return AccountFacts("User", entry.pw_name, uid, entry.pw_gid, entry.pw_dir, is_local=False)


def _of_line(line: list[str]) -> AccountFacts:
    return AccountFacts(
        "User", line[0], int(line[2]), int(line[3]) if line[3].isdigit() else -1, line[5] if len(line) > 5 else ""
    )


def _group(gid: int, groups: Mapping[str, list[str]]) -> AccountFacts:
    line = next((one for one in groups.values() if int(one[2]) == gid), None)
    return AccountFacts("Group", line[0] if line else str(gid), gid, is_local=line is not None)


# --- the kernel --------------------------------------------------------------------------------------------------------------


def settings(place: Place, base: Survey) -> Survey:
    """Settings of the kernel in files that an admin has written, and modules that the same files load."""
    return replace(found(base), settings=(*_sysctls(place), *_modules(place, base.main)))


def _sysctls(place: Place) -> Iterator[SettingFacts]:
    files = [f"{folder}/{name}" for folder in _SYSCTL_D for name in place.names(folder, 64) if name.endswith(".conf")]
    for path in [*files, "/etc/sysctl.conf"]:
        canonical = place.resolve(path)
        for number, line in enumerate(place.lines(canonical), 1) if canonical else ():
            if match := _SYSCTL.match(line):
                name = match[1].replace("/", ".")
                yield SettingFacts("Sysctl", name, _present(place, name), f"{path}:{number}")


def _present(place: Place, name: str) -> str:
    """Its value in the kernel, where that is a number: of a string who knows what it says."""
    path = place.resolve(f"/proc/sys/{name.replace('.', '/')}")
    text = (place.read(path, 256) or b"").decode(errors="replace").strip() if path else ""
    return text if re.fullmatch(r"[0-9 \t-]{1,40}", text) else ""


def _modules(place: Place, unit: UnitFacts) -> Iterator[SettingFacts]:
    loaded = {
        line.split(" ")[0]
        for line in (place.read("/proc/modules", 1 << 20) or b"").decode(errors="replace").splitlines()
    }
    for folder in _MODULES_D:
        for name in place.names(folder, 64):
            canonical = place.resolve(f"{folder}/{name}")
            for number, line in enumerate(place.lines(canonical), 1) if canonical else ():
                module = line.strip().replace("-", "_")
                if module in loaded:
                    yield SettingFacts("Module", module, where=f"{folder}/{name}:{number}")
