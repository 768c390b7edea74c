"""The files of a host, read so that nothing found there can do harm: no link leads astray, no FIFO is waited for, no dead server is asked."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backstay_api.objects.survey import Clue, PathFacts

MOST_TEXT_BYTES: Final = 256 * 1024
"""Of a file that is read as text: what is larger is no configuration."""
MOST_LINE_CHARS: Final = 4096
MOST_LINKS: Final = 40
"""As many as the kernel follows."""
MOST_PATH_CHARS: Final = 4096
_NO_TEXT_IN: Final = 4096
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_TYPES: Final = (
    (stat.S_ISREG, "File"),
    (stat.S_ISDIR, "Directory"),
    (stat.S_ISSOCK, "Socket"),
    (stat.S_ISFIFO, "Fifo"),
)


@dataclass(frozen=True)
class Place:
    """The host's files. `root` is another directory in tests alone."""

    root: Path = Path("/")
    avoid: tuple[str, ...] = ()
    """Mount points of filesystems that a network or another program answers for: never entered, since they may never answer."""

    def at(self, path: str) -> str:
        """Where this process finds it."""
        return os.path.join(self.root, path.lstrip("/"))

    def is_avoided(self, path: str) -> bool:
        """Whether it lies on such a filesystem."""
        return any(path == point or path.startswith(f"{point}/") for point in self.avoid)

    def resolve(self, path: str) -> str | None:
        """Its canonical form, links followed; None where there is nothing, or only links that lead in a circle."""
        todo, done = [part for part in reversed(path.split("/")) if part not in ("", ".")], ""
        links = 0
        while todo:
            part = todo.pop()
            if part == "..":
                done = done.rpartition("/")[0]
                continue
            one = f"{done}/{part}"
            if self.is_avoided(one):
                return "/".join([one, *reversed(todo)])
            target = self._link(one)
            if target is None:
                return None
            if target:
                links += 1
                if links > MOST_LINKS or len(target) > MOST_PATH_CHARS:
                    return None
                todo += [each for each in reversed(target.split("/")) if each not in ("", ".")]
                done = "" if target.startswith("/") else done
            else:
                done = one
        return done or "/"

    def _link(self, path: str) -> str | None:
        """Where a link leads; empty if it is none, None if there is nothing."""
        try:
            if stat.S_ISLNK(os.lstat(self.at(path)).st_mode):
                return os.readlink(self.at(path))
        except (OSError, ValueError):
            return None
        return ""

    def found(self, path: str, clue: Clue) -> PathFacts | None:
        """What is known of a path by looking at it; None where there is nothing. A path on an avoided filesystem is believed to be there."""
        canonical = self.resolve(path)
        if canonical is None or not _is_clean(canonical) or not _is_clean(path):
            return None
        written = () if os.path.normpath(path) == canonical else (path,)
        facts = PathFacts(canonical, clues=(clue,), written=written)
        return facts if self.is_avoided(canonical) else self._examined(facts)

    def _examined(self, facts: PathFacts) -> PathFacts | None:
        try:
            seen = os.lstat(self.at(facts.path))
        except OSError:
            return None
        kind = next((name for test, name in _TYPES if test(seen.st_mode)), "Device")
        known = {
            **vars(facts),
            "type": kind,
            "mode": stat.S_IMODE(seen.st_mode),
            "uid": seen.st_uid,
            "gid": seen.st_gid,
        }
        return PathFacts(**known)

    def read(self, path: str, most: int = MOST_TEXT_BYTES) -> bytes | None:
        """A regular file's first bytes, `path` being canonical; None where that cannot be read. Never waits, never follows a link."""
        if self.is_avoided(path):
            return None
        try:
            fd = self._open(self.at(path))
        except (OSError, ValueError):
            return None
        try:
            return _read(fd, most) if stat.S_ISREG(os.fstat(fd).st_mode) else None
        except OSError:
            return None
        finally:
            os.close(fd)

    def _open(self, path: str) -> int:
        try:
            return os.open(path, _FLAGS | os.O_NOATIME)
        except PermissionError:
            return os.open(path, _FLAGS)

    def lines(self, path: str) -> Iterator[str]:
        """Of a text file, each cut at 4096 characters; none of one that is binary, or larger than a configuration is."""
        data = self.read(path, MOST_TEXT_BYTES + 1)
        if data is None or len(data) > MOST_TEXT_BYTES or b"\0" in data[:_NO_TEXT_IN]:
            return
        for line in data.decode(errors="replace").split("\n"):
            yield line[:MOST_LINE_CHARS]

    def names(self, directory: str, most: int) -> list[str]:
        """What is in a directory, sorted, at most so many of it; nothing where it cannot be read."""
        if self.is_avoided(directory):
            return []
        try:
            with os.scandir(self.at(directory)) as entries:
                some = [entry.name for entry, _ in zip(entries, range(most), strict=False)]
        except OSError:
            return []
        return sorted(name for name in some if _is_clean(name))


def _read(fd: int, most: int) -> bytes:
    """/proc gives its files in pieces, and none has a size."""
    pieces, left = [], most
    while left > 0 and (piece := os.read(fd, left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _is_clean(path: str) -> bool:
    """Whether its name is text for people: others (a line feed, a byte that is no UTF-8) are made to confuse, and are left out."""
    return (
        path.isprintable() and len(path) <= MOST_PATH_CHARS and not any(0xD800 <= ord(each) < 0xE000 for each in path)
    )
