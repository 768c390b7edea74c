"""Lists a folder with all that is in it, so that nothing found there can do harm: no FIFO is waited for, no link followed, no other file
system entered, and what grows past its limits, or changes while it is read, is told and never compared in part.

Reads the file system: to be asked through `file_system_looks.look`. What has not changed since the last look is not read again.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Final

from backstay_api.objects.plain import Tree
from backstay_api.objects.prerequisites import foreign, is_one_of

from .regular_files import Opened, Unfit, for_reading, group, told, user_of

READING_S: Final = 3.0
LOOKING_S: Final = 7.0
"""Whoever takes longer is taken for a file system that hangs (`file_system_looks.py`): then all would be read again."""
"""Of one look: what is not read within it is read by the next."""
MOST_REMEMBERED: Final = 50_000
"""Files, of all trees together."""
SETTLED_NS: Final = 2_000_000_000
"""What was changed so shortly before it was read may be changed again within one tick of its clock, and look the same."""
_MOST_NAMES: Final = 100_000
"""In one look, those that are left out included."""
_CHUNK: Final = 1 << 20
_LETTERS: Final = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "device",
    stat.S_IFCHR: "device",
}
_Read = tuple[tuple[int, ...], str]
"""State of an inode, and the digest of what was read there."""

_known: Final[dict[Tree, dict[str, _Read]]] = {}
_remembering: Final = Lock()


class _Changed(Exception):
    """It was there a moment ago, or was another. The text is its path."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a tree. None of it is told to anybody but by its digest, or where two hosts differ in it."""

    path: str
    """From the top; `.` is the top itself."""
    type: str
    mode: str
    owner: str
    group: str
    content: str
    """Digest of a file's content, or where a link leads, or which device it is. As all else here never empty."""

    @property
    def line(self) -> bytes:
        """All of it, as no other entry has it."""
        fields = (self.path, self.type, self.mode, self.owner, self.group, self.content)
        return b"\0".join(os.fsencode(field) for field in fields)


def listed(spec: Tree) -> list[Entry]:
    """Each folder before what is in it, by name. Raises Unfit."""
    for _ in range(2):
        scan = _Scan(spec, _known.get(spec, {}))
        try:
            entries = list(scan.entries())
        except _Changed as error:
            changed = error
        else:
            _remember(spec, scan.read)
            return entries
    raise Unfit(f"{spec.path}: {changed} changes while it is read: exclude it, or look when it rests")


def _remember(spec: Tree, read: dict[str, _Read]) -> None:
    with _remembering:  # several look at once
        _known.pop(spec, None)
        while _known and sum(map(len, _known.values())) + len(read) > MOST_REMEMBERED:
            del _known[next(iter(_known))]
        _known[spec] = read


class _Scan:
    """One walk through a tree."""

    def __init__(self, spec: Tree, known: dict[str, _Read]) -> None:
        self.read: dict[str, _Read] = {}
        self._spec, self._known = spec, known
        self._top, self._device = "", 0
        self._files = self._bytes = self._names = 0
        # There is no event loop in the process that looks, and what is limited here is real work.
        self._until_s = time.perf_counter() + READING_S
        self._last_s = self._until_s - READING_S + LOOKING_S
        self._user_of, self._group = lru_cache(user_of), lru_cache(group)

    def entries(self) -> Iterator[Entry]:
        """Raises Unfit, _Changed."""
        try:
            with _folder(self._spec.path) as fd:
                self._top = os.readlink(f"/proc/self/fd/{fd}")
                if why := foreign(self._top):
                    raise Unfit(why if self._top == self._spec.path else f"leads to {self._top}, which {why}")
                top = os.fstat(fd)
                self._device = top.st_dev
                if self._spec.include is None:
                    yield self._entry(".", top, str(top.st_rdev))
                yield from self._inside(fd, ())
        except Unfit as error:
            raise Unfit(f"{self._spec.path} {error}") from error
        except OSError as error:
            raise Unfit(f"{self._spec.path} {told(error)}") from error

    def _inside(self, fd: int, above: tuple[str, ...]) -> Iterator[Entry]:
        if len(above) > self._spec.max_depth:
            raise Unfit(f"holds folders in folders deeper than {self._spec.max_depth} (maxDepth), as {'/'.join(above)}")
        for name in self._named(fd):
            if time.perf_counter() > self._last_s:
                raise Unfit(
                    f"cannot be walked through within {LOOKING_S:g} s: exclude what need not be alike, with fewer patterns"
                )
            steps = (*above, name)
            if any(is_one_of(steps, glob) for glob in self._spec.exclude or ()):
                continue
            path = "/".join(steps)
            if why := foreign(f"{self._top}/{path}"):
                raise Unfit(f"holds {path}, which {why}: exclude it")
            with _still_there(path):
                one = os.stat(name, dir_fd=fd, follow_symlinks=False)
            is_folder = stat.S_ISDIR(one.st_mode)
            if self._spec.include is None or (
                not is_folder and any(is_one_of(steps, glob) for glob in self._spec.include)
            ):
                yield self._entry(path, one, self._content(fd, name, path, one))
            if is_folder:
                yield from self._below(fd, name, steps, one)

    def _below(self, fd: int, name: str, steps: tuple[str, ...], one: os.stat_result) -> Iterator[Entry]:
        if one.st_dev != self._device:
            raise Unfit(f"holds another file system at {'/'.join(steps)}: exclude it, or name it by itself")
        with _still_there("/".join(steps)):
            inside = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        try:
            yield from self._inside(inside, steps)
        finally:
            os.close(inside)

    def _named(self, fd: int) -> list[str]:
        names = list[str]()
        with os.scandir(fd) as found:
            for one in found:
                names.append(one.name)
                self._names += 1
                if self._names > _MOST_NAMES:
                    raise Unfit(f"holds more than {_MOST_NAMES} names, those that are excluded included")
        return sorted(names, key=os.fsencode)

    def _entry(self, path: str, one: os.stat_result, content: str) -> Entry:
        self._files += 1
        if self._files > self._spec.max_files:
            raise Unfit(
                f"holds more than {self._spec.max_files} files, folders and links (maxFiles): exclude what need not be alike"
            )
        kind = _LETTERS.get(stat.S_IFMT(one.st_mode), "something")
        return Entry(
            path, kind, f"{stat.S_IMODE(one.st_mode):04o}", self._user_of(one.st_uid), self._group(one.st_gid), content
        )

    def _content(self, fd: int, name: str, path: str, one: os.stat_result) -> str:
        if stat.S_ISLNK(one.st_mode):
            with _still_there(path):
                return os.readlink(name, dir_fd=fd)
        if stat.S_ISREG(one.st_mode):
            return self._digest(fd, name, path, one)
        return str(one.st_rdev)

    def _digest(self, fd: int, name: str, path: str, one: os.stat_result) -> str:
        self._count(one.st_size)
        state = Opened(fd, one).state
        known = self._known.get(path)
        if known is None or known[0] != state:
            if time.perf_counter() > self._until_s:
                _remember(self._spec, {**self._known, **self.read})
                raise Unfit(f"is being read, and it takes several looks: {len(self.read)} files so far")
            known = state, self._read(fd, name, path, state)
        if time.time_ns() - max(one.st_mtime_ns, one.st_ctime_ns) > SETTLED_NS:
            self.read[path] = known
        return known[1]

    def _count(self, size: int) -> None:
        self._bytes += size
        if self._bytes > self._spec.max_bytes:
            raise Unfit(
                f"holds more than {self._spec.max_bytes} bytes (maxBytes): exclude what need not be alike, or keep it alike yourself"
            )

    def _read(self, fd: int, name: str, path: str, state: tuple[int, ...]) -> str:
        with _still_there(path):
            at = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        try:
            if Opened(at, os.fstat(at)).state != state:
                raise _Changed(path)
            with for_reading(at) as file:
                digest = _digest(file, self._last_s)
            if Opened(at, os.fstat(at)).state != state:
                raise _Changed(path)
            return digest
        finally:
            os.close(at)


def _digest(file: Opened, last_s: float) -> str:
    """What grows while it is read is not read to its end. Raises Unfit."""
    digest, left = hashlib.blake2b(digest_size=32), file.stat.st_size + 1
    while left > 0 and (chunk := os.read(file.fd, min(left, _CHUNK))):
        digest.update(chunk)
        left -= len(chunk)
        if time.perf_counter() > last_s:
            raise Unfit(
                f"holds a file of {file.stat.st_size} bytes that cannot be read within {LOOKING_S:g} s: exclude it"
            )
    return digest.hexdigest()


@contextmanager
def _folder(path: str) -> Iterator[int]:
    name = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(name).st_mode):
            raise Unfit("is no folder")
        fd = os.open(f"/proc/self/fd/{name}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(name)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _still_there(path: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _Changed(path) from error
