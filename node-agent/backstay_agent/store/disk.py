"""Where an agent keeps what it must remember, as a small port: `run/…` dies with the boot, `state/…` outlives it.

A write replaces a text as a whole or not at all. Only `state/…` is forced to the platter, and in a thread: a disk that hangs
must not hold up the heartbeat. `run/…` is a tmpfs, where writing takes microseconds, and where room is kept in reserve: that
something has ended can be recorded though everything is full.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import threading
from pathlib import Path
from typing import Final, Protocol

from backstay_agent.threads import in_thread

from .two_files import NotWhole, TwoFiles

MOST_BYTES: Final = 16 * 1024 * 1024
"""More than any agent of ours writes: such a file is not ours."""


class DiskTrouble(Exception):
    """It was not written, or cannot be read. The text is a sentence for people."""


class Disk(Protocol):
    """Small text files by name: `run/journal`, `state/inventory`."""

    async def read(self, name: str) -> str | None:
        """The content, or None if there is no such file. Raises DiskTrouble."""

    async def write(self, name: str, text: str, *, from_reserve: bool = False) -> None:
        """Replace the content atomically. Raises DiskTrouble, and then the old content is still there.

        `from_reserve`: it records that something has ended, and may use the room that is kept for that.
        """

    async def remove(self, name: str) -> None:
        """Remove it, if it is there. Raises DiskTrouble."""

    async def list(self, folder: str) -> list[str]:
        """Names in `run` or `state`, sorted."""


class RealDisk:
    """`run/…` and `state/…` in two directories that only root may enter."""

    def __init__(self, *, run_dir: Path, state_dir: Path) -> None:
        self._folders = {"run": run_dir, "state": state_dir}
        for folder in self._folders.values():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._orders = itertools.count(1)
        self._newest: dict[Path, int] = {}
        self._one_thread = threading.Lock()

    async def read(self, name: str) -> str | None:
        path = self._path(name)
        try:
            if _is_durable(name):
                return _read(path)
            return self._two_files(path).read()
        except (OSError, UnicodeDecodeError, NotWhole) as error:
            raise DiskTrouble(f"{path} cannot be read: {error}") from error

    async def write(self, name: str, text: str, *, from_reserve: bool = False) -> None:
        path = self._path(name)
        try:
            if _is_durable(name):
                await in_thread(self._replace_durably, path, text, next(self._orders))
            else:
                self._two_files(path).write(text, from_reserve=from_reserve)
        except OSError as error:
            raise DiskTrouble(_not_written(path, error)) from error

    def _two_files(self, path: Path) -> TwoFiles:
        two_files = TwoFiles(path)
        if any(one.exists() and one.stat().st_size > MOST_BYTES for one in two_files.paths):
            raise OSError(errno.EFBIG, "it is larger than anything this agent writes")
        return two_files

    def _replace_durably(self, path: Path, text: str, order: int) -> None:
        """A write whose caller was cancelled goes on in its thread: it must neither mix with a later one nor undo it."""
        with self._one_thread:
            if order > self._newest.get(path, 0):
                replace_file(path, text)
                self._newest[path] = order

    async def remove(self, name: str) -> None:
        try:
            for path in TwoFiles(self._path(name)).paths:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise DiskTrouble(f"{self._path(name)} cannot be removed: {error.strerror or error}") from error

    async def list(self, folder: str) -> list[str]:
        files = [path for path in self._folders[folder].iterdir() if path.is_file()]
        seconds = {TwoFiles(path).paths[1] for path in files}
        return sorted(path.name for path in files if path not in seconds)

    def _path(self, name: str) -> Path:
        folder, _, rest = name.partition("/")
        return self._folders[folder] / rest


def _is_durable(name: str) -> bool:
    return name.startswith("state/")


def _read(path: Path) -> str | None:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise OSError(errno.EFBIG, "it is larger than anything this agent writes")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _not_written(path: Path, error: OSError) -> str:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    advice = f": make room in {path.parent}" if full else ""
    return f"{path} cannot be written: {error.strerror or error}{advice}"


def replace_file(path: Path, text: str) -> None:
    """As a whole or not at all, and on the platter when this returns."""
    new = path.with_name(path.name + ".new")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # someone may have removed it, with all that was in it
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    file = os.open(new, flags, 0o600)
    try:
        with os.fdopen(file, "wb", closefd=False) as stream:
            stream.write(text.encode())
        os.fsync(file)
    finally:
        os.close(file)
    new.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


class MemoryDisk:
    """A disk in memory, as a fake: it outlives the agents that are killed on it, and can be full, emptied or tampered with."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.full: str = ""
        """Why nothing new can be written, e.g. `No space left on device`. What is kept in reserve is there all the same."""
        self.broken: str = ""
        """Why nothing at all can be written, e.g. `Read-only file system`."""
        self.write_takes_s = 0.0
        self.written: list[str] = []
        """Names, in the order of the writes."""

    async def read(self, name: str) -> str | None:
        await asyncio.sleep(0)
        return self.files.get(name)

    async def write(self, name: str, text: str, *, from_reserve: bool = False) -> None:
        # An agent may be killed here: then nothing is written.
        await asyncio.sleep(self.write_takes_s)
        if why := self.broken or (self.full if not (from_reserve and name in self.files) else ""):
            raise DiskTrouble(f"{name} cannot be written: {why}")
        self.files[name] = text
        self.written.append(name)

    async def remove(self, name: str) -> None:
        await asyncio.sleep(0)
        self.files.pop(name, None)

    async def list(self, folder: str) -> list[str]:
        await asyncio.sleep(0)
        prefix = f"{folder}/"
        return sorted(name.removeprefix(prefix) for name in self.files if name.startswith(prefix))

    def lose_run(self) -> None:
        """Someone empties /run, or the machine boots."""
        self.files = {name: text for name, text in self.files.items() if not name.startswith("run/")}
