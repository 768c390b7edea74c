"""Sources 3, 4 and 5: the unit's processes, the code that they have mapped, the files that they have open."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from backstay_api.objects.survey import Clue, How, PathFacts, ProgramFacts, Skipped, Survey

from .contained import found
from .place import Place

MOST_PROCESSES: Final = 512
MOST_PIDS_KEPT: Final = 64
"""Of one program: later sources look at these."""
MOST_FILES: Final = 4096
_MOST_PROC_BYTES: Final = 4 * 1024 * 1024
_NO_FILES: Final = re.compile(
    r"/dev/(?:null|zero|full|u?random|ptmx|tty|console|log|pts/|shm/)|/(?:proc|sys)/|/memfd:|/SYSV|/anon_|[^/]"
)
_GONE: Final = " (deleted)"


@dataclass(frozen=True)
class ServiceProcess:
    """One process, as it was when its start time was the same before and after the look."""

    pid: int
    executable: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    arguments: tuple[str, ...]
    variables: tuple[str, ...]


def processes(place: Place, pids: Iterable[int], base: Survey) -> Survey:
    """The programs that run, and the paths among their arguments."""
    asked = tuple(pids)
    seen = [one for one in (_process(place, pid) for pid in asked[:MOST_PROCESSES]) if one]
    skipped = (
        (Skipped("processes", f"only the first {MOST_PROCESSES} of {len(asked)}"),)
        if len(asked) > MOST_PROCESSES
        else ()
    )
    units = tuple(
        replace(one, variables=tuple(sorted({*one.variables, *(name for each in seen for name in each.variables)})))
        for one in base.units[:1]
    )
    paths = tuple(each for each in (place.found(path, clue) for path, clue in _named(seen)) if each)
    return replace(found(base), units=units, programs=tuple(_programs(seen)), paths=paths, skipped=skipped)


def _programs(seen: list[ServiceProcess]) -> Iterator[ProgramFacts]:
    kinds: dict[tuple[str, int], list[ServiceProcess]] = {}
    for one in seen:
        kinds.setdefault((one.executable, one.uid), []).append(one)
    for (executable, uid), some in kinds.items():
        pids = tuple(one.pid for one in some[:MOST_PIDS_KEPT])
        groups = tuple(sorted({group for one in some for group in one.groups}))
        gone = executable.endswith(_GONE)
        yield ProgramFacts(executable.removesuffix(_GONE), pids, uid, some[0].gid, groups, gone)


def _named(seen: list[ServiceProcess]) -> Iterator[tuple[str, Clue]]:
    for one in seen:
        executable = one.executable.removesuffix(_GONE)
        where = f"process {os.path.basename(executable)}"
        yield executable, Clue("Executed", where)
        for word, path in _paths_among(one.arguments):
            yield path, Clue("Argument", where, word)


def _paths_among(words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """An option's name and a path; nothing else of the arguments is kept, for there may be passwords among them."""
    for before, word in zip(("", *words), words, strict=False):
        name, equals, value = word.rpartition("=")
        if value.startswith("/") and len(value) > 1 and " " not in value:
            option = name if equals else before
            yield option if re.fullmatch(r"-{0,2}[a-z][a-z_.-]{0,39}", option) else "", value


def _process(place: Place, pid: int) -> ServiceProcess | None:
    """None where it has ended, or another one has its number now."""
    before = _started(place, pid)
    try:
        executable = os.readlink(place.at(f"/proc/{pid}/exe"))
    except OSError:
        return None
    status = dict(line.split(":\t", 1) for line in _text(place, f"/proc/{pid}/status").splitlines() if ":\t" in line)
    words = tuple(word for word in _text(place, f"/proc/{pid}/cmdline").split("\0") if word)
    names = {each.partition("=")[0] for each in _text(place, f"/proc/{pid}/environ").split("\0")}
    if before == "" or before != _started(place, pid):
        return None
    uid, gid = (int((status.get(name) or "-1 -1").split()[1]) for name in ("Uid", "Gid"))
    groups = tuple(int(each) for each in status.get("Groups", "").split())
    clean = tuple(sorted(name for name in names if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", name)))
    return ServiceProcess(pid, executable, uid, gid, groups, words[1:], clean)


def _started(place: Place, pid: int) -> str:
    return " ".join(_text(place, f"/proc/{pid}/stat").rpartition(")")[2].split()[19:20])


def _text(place: Place, path: str) -> str:
    return (place.read(path, _MOST_PROC_BYTES) or b"").decode(errors="replace")


# --- code and open files -------------------------------------------------------------------------------------------------


def code(place: Place, base: Survey) -> Survey:
    """Files that are mapped to be executed."""
    return _of_each(place, base, "mapped code", _mapped)


def open_files(place: Place, base: Survey) -> Survey:
    """Files that are open, and whether for writing."""
    return _of_each(place, base, "open files", _open)


def _of_each(place: Place, base: Survey, what: str, look: Callable[[Place, int], Iterator[tuple[str, How]]]) -> Survey:
    seen: dict[tuple[str, How], str] = {}
    for program in base.programs:
        for pid in program.pids:
            for key in look(place, pid):
                if len(seen) < MOST_FILES:
                    seen.setdefault(key, os.path.basename(program.executable))
    skipped = (Skipped(what, f"only the first {MOST_FILES}"),) if len(seen) >= MOST_FILES else ()
    return replace(found(base), paths=tuple(_facts(place, seen)), skipped=skipped)


def _facts(place: Place, seen: dict[tuple[str, How], str]) -> Iterator[PathFacts]:
    for (path, how), program in seen.items():
        if path.endswith(_GONE) or _NO_FILES.match(path):
            continue
        if facts := place.found(path, Clue(how, f"process {program}")):
            yield facts


def _mapped(place: Place, pid: int) -> Iterator[tuple[str, How]]:
    for line in _text(place, f"/proc/{pid}/maps").splitlines():
        fields = line.split(None, 5)
        if len(fields) == 6 and "x" in fields[1]:
            yield fields[5], "Mapped"


def _open(place: Place, pid: int) -> Iterator[tuple[str, How]]:
    for fd in place.names(f"/proc/{pid}/fd", MOST_FILES):
        try:
            path = os.readlink(place.at(f"/proc/{pid}/fd/{fd}"))
        except OSError:
            continue
        flags = re.search(r"^flags:\s*([0-7]+)", _text(place, f"/proc/{pid}/fdinfo/{fd}"), re.MULTILINE)
        writes = flags is not None and int(flags[1], 8) & os.O_ACCMODE != os.O_RDONLY
        yield path, "Written" if writes else "Read"
