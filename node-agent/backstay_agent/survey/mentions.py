"""Source 12: paths, and hosts with a port, that configuration names, each with file and line. Parsed, never interpreted; no value is kept."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from backstay_api.objects.survey import Clue, EndpointFacts, PathFacts, Skipped, Survey

from .contained import found
from .place import Place

MOST_FILES: Final = 500
MOST_OF_A_FOLDER: Final = 64
MOST_PATHS: Final = 1000
MOST_BESIDE: Final = 1000
MOST_ENDPOINTS: Final = 64
DEPTH: Final = 3
_PATH: Final = re.compile(r"(?<![\w/:.$})-])/[\w.@%+,~*/-]*[\w*]")
_NO_PATHS: Final = re.compile(
    r"/(proc|sys|dev(?!/disk/|/mapper/)|usr/s?bin|s?bin|usr/lib(?:32|64|x32)?|lib(?:32|64|x32)?|tmp|run/user|usr/share/(?:doc|man|zoneinfo))(/|$)|/etc/?$|/(?:usr|var|srv|opt|home|run)/?$"
)
_RELATIVE: Final = re.compile(r"(?<![\w/.:-])[A-Za-z][\w.-]*(?:/[\w.*-]+)*(?![\w/-])")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*|^\s*;.*")
_WORD: Final = re.compile(r"\s*([A-Za-z][A-Za-z_.-]{0,39})(?=[\s=:])")
"""A directive at the start of a line. No digits: a password has some."""
# Only behind `://`, or as an address of numbers: `name:1234` alone may as well be a user and a password.
_ENDPOINT: Final = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://|(?<![\w.:@/]))(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):(\d{1,5})(?![\w@])"
)
_NUMERIC: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:]+\]")
_FOR_OTHERS: Final = re.compile(
    r"/etc/(?:init\.d|logrotate\.d|ufw|apport|bash_completion\.d|cron\.[a-z]+|rc.\.d|alternatives)/"
)
"""What the packages of a daemon leave for other programs: the daemon does not read it."""
_FOR_ALL: Final = re.compile(
    r"/etc/(?:default|pam\.d|apparmor\.d|sudoers\.d|sysctl\.d|modules-load\.d|systemd|ssl|security|sysconfig|pki|credstore)/"
)
"""Folders in which many programs have a file each."""
_SECRET: Final = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_SECRET_NAMES: Final = re.compile(
    r"\.key$|/\.pgpass$|\.keytab$|/\.my\.cnf$|/htpasswd|\.htpasswd$|/shadow|passwd\.db$|/id_[a-z0-9]+$"
)


def mentions(place: Place, base: Survey) -> Survey:
    """All that is named by the unit's files, by its configuration, and by what is named there."""
    search = _Search(place, base)
    search.run()
    skipped = (
        (Skipped("mentions", f"only the first {MOST_FILES} files and {MOST_PATHS} paths"),) if search.is_cut else ()
    )
    return replace(
        found(base),
        paths=tuple(search.paths.values()),
        endpoints=tuple(search.endpoints)[:MOST_ENDPOINTS],
        skipped=skipped,
    )


class _Search:
    def __init__(self, place: Place, base: Survey) -> None:
        self._place = place
        self.paths: dict[tuple[str, str], PathFacts] = {}
        self.endpoints: dict[EndpointFacts, None] = {}
        self.is_cut = False
        self._read: set[str] = set()
        # The unit's own text names its programs, whose loaded values are known better.
        units = {one.fragment for one in base.units} | {path for one in base.units for path in one.drop_ins}
        known = [one for one in base.paths if one.type in ("File", "Directory") and one.path not in units]
        self._seeds = list(
            dict.fromkeys(path for one in known if _is_configuration(one) for path in (one.path, *_folder_of(one)))
        )

    def run(self) -> None:
        here = self._seeds
        for _ in range(DEPTH):
            before = set(self.paths)
            for path in here:
                self._look(path)
            here = [facts.path for key, facts in self.paths.items() if key not in before and _is_configuration(facts)]

    def _look(self, path: str) -> None:
        if len(self._read) >= MOST_FILES or len(self.paths) >= MOST_PATHS:
            self.is_cut = True
        elif path not in self._read:
            self._read.add(path)
            if names := self._place.names(path, MOST_OF_A_FOLDER):
                self._folder(path, names)
            else:
                self._file(path)

    def _folder(self, path: str, names: list[str]) -> None:
        self.is_cut |= len(names) >= MOST_OF_A_FOLDER
        if path.startswith("/etc/"):
            for name in names:
                self._add(f"{path}/{name}", Clue("Place", f"lies in {path}"))

    def _file(self, path: str) -> None:
        if facts := secret(self._place, path):
            self.paths[path, ""] = facts
            return
        folder = path.rpartition("/")[0]
        beside = set(self._place.names(folder, MOST_BESIDE)) if folder.startswith("/etc/") else set()
        for number, line in enumerate(self._place.lines(path), 1):
            text = _COMMENT.sub("", line)
            word = match[1] if (match := _WORD.match(text)) else ""
            for named in (*_paths_in(text), *(f"{folder}/{one}" for one in _beside(text, beside))):
                self._named(named, Clue("Mentioned", f"{path}:{number}", word))
            for address, port in _endpoints_in(text):
                self.endpoints[EndpointFacts(address, port, f"{path}:{number}", word)] = None

    def _named(self, named: str, clue: Clue) -> None:
        if "*" not in named:
            self._add(named, clue)
            return
        folder, _, pattern = named.rpartition("/")
        canonical = self._place.resolve(folder) if "*" not in folder else None
        for name in self._place.names(canonical, 4096) if canonical else ():
            if fnmatch.fnmatchcase(name, pattern) and not name.startswith("."):
                self._add(f"{folder}/{name}", clue)

    def _add(self, path: str, clue: Clue) -> None:
        facts = self._place.found(path, clue)
        if facts is None or _NO_PATHS.match(facts.path):
            return
        if len(self.paths) < MOST_PATHS:
            self.paths.setdefault((facts.path, clue.where), facts)
        else:
            self.is_cut = True


def _is_configuration(facts: PathFacts) -> bool:
    """What is worth reading: below /etc, or said by a unit or an argument to be read."""
    if _FOR_OTHERS.match(facts.path):
        return False
    if facts.path.startswith("/etc/"):
        return facts.path.count("/") > 2 or facts.type != "Directory"
    named = any(clue.how in ("Environment", "Argument") for clue in facts.clues)
    return named and facts.type == "File" and not _NO_PATHS.match(facts.path)


def _folder_of(facts: PathFacts) -> tuple[str, ...]:
    """The folder of a file of configuration, where that is a program's own: what lies beside it may be read too."""
    folder = facts.path.rpartition("/")[0]
    is_own = facts.type == "File" and folder.startswith("/etc/") and not _FOR_ALL.match(facts.path)
    return (folder,) if is_own else ()


def secret(place: Place, path: str) -> PathFacts | None:
    """The path, if it is a secret by its name or its text: nothing in it is followed. Else nothing."""
    data = place.read(path, 4096)
    if data is None or not (_SECRET_NAMES.search(path) or _SECRET.search(data)):
        return None
    return PathFacts(path, is_secret=True)


def _paths_in(text: str) -> Iterator[str]:
    for match in _PATH.finditer(text):
        if not _NO_PATHS.match(match[0]):
            yield match[0]


def _beside(text: str, names: set[str]) -> Iterator[str]:
    """Paths that begin with a name in the file's own folder: `include_dir = 'conf.d'`. Not the directive itself."""
    for word in _RELATIVE.findall(text[match.end() :] if (match := _WORD.match(text)) else text):
        if word.split("/")[0] in names:
            yield word


def _endpoints_in(text: str) -> Iterator[tuple[str, int]]:
    for word in re.split(r"[\s,;\"'=]+", text):
        # `scheme://user:password@host:port` holds a secret in front of the @.
        if "@" in word or (match := _ENDPOINT.search(word)) is None:
            continue
        address, port = match[1], int(match[2])
        if ("://" in match[0] or _NUMERIC.fullmatch(address)) and 0 < port < 65536 and not _is_here(address):
            yield address.strip("[]"), port


def _is_here(address: str) -> bool:
    return address in ("localhost", "[::]", "[::1]", "0.0.0.0", "_", "*") or address.startswith("127.")


def only_names(lines: Iterable[str]) -> tuple[str, ...]:
    """Of an environment file, the names of its variables."""
    names = (
        line.removeprefix("export ").partition("=")[0].strip()
        for line in lines
        if "=" in line and not line.lstrip().startswith(("#", ";"))
    )
    return tuple(dict.fromkeys(name for name in names if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", name)))
