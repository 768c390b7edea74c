"""Source 24, the part that needs no watch: how much data there is and how much of it is young, by a bounded walk."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from backstay_api.objects.survey import Clue, PathFacts, Survey, TreeFacts

from .contained import found
from .place import Place

MOST_ENTRIES: Final = 100_000
"""Of one directory tree."""
MOST_TREES: Final = 16
_HOUR_S: Final = 3600
_ROOTS: Final = (
    ("/var/lib", 3),
    ("/srv", 2),
    ("/opt", 2),
    ("/home", 2),
    ("/var/www", 3),
    ("/data", 2),
    ("/mnt", 2),
    ("/media", 2),
    ("/export", 2),
)
"""Where data lies, and how many names deep an application has its own directory there."""
_NO_DATA: Final = (
    "/etc/",
    "/usr/",
    "/run/",
    "/tmp/",
    "/var/log/",
    "/var/cache/",
    "/var/tmp/",
    "/proc/",
    "/dev/",
    "/sys/",
    "/boot/",
)

Now = Callable[[], float]


def sizes(place: Place, now_s: Now, base: Survey) -> Survey:
    """Of each directory that data lies in. What is written below none that is named gets the application's own."""
    named = [one.path for one in base.paths if one.type == "Directory" and is_data(one.path)]
    trees = list(dict.fromkeys([*named, *_homes(base, named)]))[:MOST_TREES]
    seen = [
        place.found(path, Clue("Written", "files below it are open for writing")) for path in trees if path not in named
    ]
    kept = {one.path: one for one in seen if one and one.type == "Directory"}
    sized = [PathFacts(path, tree=tree(place, path, now_s())) for path in (*named, *kept) if not place.is_avoided(path)]
    return replace(found(base), paths=(*kept.values(), *sized))


def is_data(path: str) -> bool:
    """Whether what lies there may be data: not a system's own directory, nor the first name below one."""
    return not f"{path}/".startswith(_NO_DATA) and any(path.startswith(f"{root}/") for root, _ in _ROOTS)


def _homes(base: Survey, named: list[str]) -> Iterable[str]:
    for one in base.paths:
        is_written = any(clue.how == "Written" for clue in one.clues) and one.type == "File"
        if is_written and is_data(one.path) and not any(one.path.startswith(f"{each}/") for each in named):
            depth = next(deep for root, deep in _ROOTS if one.path.startswith(f"{root}/"))
            yield "/".join(one.path.split("/")[: depth + 1])


def tree(place: Place, path: str, now_s: float) -> TreeFacts:
    """One walk, no link followed, no other filesystem entered."""
    try:
        device = os.lstat(place.at(path)).st_dev
    except OSError:
        return TreeFacts(0, 0, 0, 0, is_cut=True)
    files = size = hour = day = entries = 0
    todo, cut = [place.at(path)], False
    while todo and not cut:
        try:
            with os.scandir(todo.pop()) as listed:
                for entry in listed:
                    entries += 1
                    if entries > MOST_ENTRIES:
                        cut = True
                        break
                    seen = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(seen.st_mode) and seen.st_dev == device:
                        todo.append(entry.path)
                    elif stat.S_ISREG(seen.st_mode):
                        age_s = now_s - seen.st_mtime
                        files, size = files + 1, size + seen.st_size
                        hour += seen.st_size if age_s < _HOUR_S else 0
                        day += seen.st_size if age_s < 24 * _HOUR_S else 0
        except OSError:
            cut = True
    return TreeFacts(files, size, hour, day, cut)
