"""A small text kept in two files that have their room reserved, and are written in place by turns.

So a write needs no free space, and what was there before stays until the new text is whole: first the older file is marked as
being written, then comes the text, and at last its header. A reader who finds the mark takes the other file. A header whose
check sum does not match, or a file that is missing, was no write of ours: then nothing is believed.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

HEADER_BYTES: Final = 192
LEAST_BYTES: Final = 128 * 1024
"""Reserved in each file at least: what a handful of services needs, several times over."""
GROWTH: Final = 4
"""How many times the present text is reserved when there is room."""
_MAGIC: Final = b"backstay-slot-1 "
_BEING_WRITTEN: Final = b"backstay-being-written\n"


class NotWhole(Exception):
    """What is there was truncated, altered or partly removed. The text is a sentence for people."""


class Files(Protocol):
    """What is done with the two files."""

    def read(self, path: Path) -> bytes | None:
        """All of it; None if it is not there. Raises OSError."""

    def size(self, path: Path) -> int:
        """0 if it is not there."""

    def reserve(self, path: Path, size: int) -> None:
        """Make it, if it is not there, and give it that much room. Raises OSError, and then its content is as before."""

    def write(self, path: Path, at: int, data: bytes) -> None:
        """Write in place. Raises OSError."""


class RealFiles:
    """`Files` on a file system, readable for root only."""

    def read(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def size(self, path: Path) -> int:
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return 0

    def reserve(self, path: Path, size: int) -> None:
        path.parent.mkdir(
            mode=0o700, parents=True, exist_ok=True
        )  # someone may have removed it, with all that was in it
        file = _open(path)
        try:
            os.posix_fallocate(file, 0, size)
        finally:
            os.close(file)

    def write(self, path: Path, at: int, data: bytes) -> None:
        file = _open(path)
        try:
            while data:
                written = os.pwrite(file, data, at)
                data, at = data[written:], at + written
        finally:
            os.close(file)


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


@dataclass(frozen=True)
class _Half:
    """One file as it was found."""

    path: Path
    is_there: bool = True
    is_bad: bool = False
    number: int = -1
    """Of the write; 0: by an agent that knew one file only; -1: nothing to be read."""
    text: bytes = b""
    after: str = ""
    """Check sum of the text before this one."""


class TwoFiles:
    """One text in two files. Not for several writers at once."""

    def __init__(self, path: Path, files: Files | None = None) -> None:
        self._files = files or RealFiles()
        self.paths = (path, path.with_name(f"{path.name}.b"))

    def read(self) -> str | None:
        """The newest whole text; None if there never was one. Raises NotWhole, UnicodeDecodeError or OSError."""
        halves = self._look()
        newest = _newest(halves)
        if any(half.is_bad for half in halves):
            raise NotWhole("its check sum does not match: it was truncated or altered")
        if newest.number > 0 and not all(half.is_there for half in halves):
            raise NotWhole("half of it is missing")
        return newest.text.decode() if newest.number >= 0 else None

    def write(self, text: str, *, from_reserve: bool = False) -> None:
        """Replace the text as a whole. `from_reserve`: also with the room that is kept for what must be recorded.

        Raises OSError, and then the old text is still there.
        """
        data = text.encode()
        halves = self._look()
        newest = _newest(halves)
        target = next(half for half in halves if half is not newest)
        if target.number == 0:  # superseded, and it may not grow as what it is
            self._files.write(target.path, 0, _BEING_WRITTEN)
        self._make_room(halves, newest, target, len(data), from_reserve)
        self._files.write(target.path, 0, _BEING_WRITTEN)
        self._files.write(target.path, HEADER_BYTES, data)
        number = max(half.number for half in halves) + 1
        self._files.write(target.path, 0, _header(data, max(number, 1), _sum(newest.text)))
        if newest.is_bad:
            self._files.write(newest.path, 0, _BEING_WRITTEN)

    def _make_room(self, halves: list[_Half], newest: _Half, target: _Half, length: int, from_reserve: bool) -> None:
        trouble: OSError | None = None
        for half in halves:
            if half is newest and half.number == 0:
                continue  # it would not be what it is
            try:
                self._reserve(half, length)
            except OSError as error:
                trouble = error
        if trouble and not (from_reserve and length <= self._files.size(target.path) - HEADER_BYTES):
            raise trouble

    def _reserve(self, half: _Half, length: int) -> None:
        """Room for twice the text, so that the half of it is left for what must be recorded; more, if some must be got."""
        if not half.is_there or self._files.size(half.path) < HEADER_BYTES + max(LEAST_BYTES, 2 * length):
            self._files.reserve(half.path, HEADER_BYTES + max(LEAST_BYTES, GROWTH * length))
        if not half.is_there:
            self._files.write(half.path, 0, _BEING_WRITTEN)

    def _look(self) -> list[_Half]:
        return [self._read(path) for path in self.paths]

    def _read(self, path: Path) -> _Half:
        raw = self._files.read(path)
        if raw is None or not raw.strip(b"\0"):
            return _Half(path, is_there=False)  # also what was only reserved, or emptied
        if raw.startswith(_BEING_WRITTEN):
            return _Half(path)
        if not raw.startswith(_MAGIC):
            # Of an agent that knew one file only; the other file is nobody else's.
            return _Half(path, number=0, text=raw) if path == self.paths[0] else _Half(path, is_bad=True)
        return _parsed(path, raw)


def _parsed(path: Path, raw: bytes) -> _Half:
    words = raw[:HEADER_BYTES].split(b"\n")[0].split(b" ")
    try:
        number, length, check_sum, after = int(words[1]), int(words[2]), words[3].decode(), words[4].decode()
    except (IndexError, ValueError):
        return _Half(path, is_bad=True)
    text = raw[HEADER_BYTES : HEADER_BYTES + length]
    if _sum(f"{number} {after} ".encode() + text) != check_sum:
        return _Half(path, is_bad=True)
    return _Half(path, number=number, text=text, after=after)


def _newest(halves: list[_Half]) -> _Half:
    first, second = halves
    if first.number == 0 and second.number > 0:
        # Written by an agent that knew one file only: before ours if ours says so, else after it.
        return second if second.after == _sum(first.text) else first
    return max(halves, key=lambda half: (half.number, half.is_bad))


def _header(text: bytes, number: int, after: str) -> bytes:
    check_sum = _sum(f"{number} {after} ".encode() + text)
    return b"%s%d %d %s %s\n" % (_MAGIC, number, len(text), check_sum.encode(), after.encode())


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
