"""Where an agent keeps what it must remember, as a small port: `run/…` dies with the boot, `state/…` outlives it.

A write replaces a file as a whole or not at all. Only `state/…` is forced to the platter, and in a thread: a disk that hangs
must not hold up the heartbeat. `run/…` is a tmpfs, where writing takes microseconds.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
from pathlib import Path
from typing import Final, Protocol

MOST_BYTES: Final = 16 * 1024 * 1024
"""More than any agent of ours writes: such a file is not ours."""


class DiskTrouble(Exception):
    """It was not written, or cannot be read. The text is a sentence for people."""


class Disk(Protocol):
    """Small text files by name: `run/journal`, `state/inventory`."""

    async def read(self, name: str) -> str | None:
        """The content, or None if there is no such file. Raises DiskTrouble."""

    async def write(self, name: str, text: str) -> None:
        """Replace the content atomically. Raises DiskTrouble, and then the old content is still there."""

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
            if path.stat().st_size > MOST_BYTES:
                raise DiskTrouble(f"{path} is larger than anything this agent writes")
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise DiskTrouble(f"{path} cannot be read: {error}") from error

    async def write(self, name: str, text: str) -> None:
        durable = name.startswith("state/")
        try:
            if durable:
                await asyncio.to_thread(self._replace_durably, self._path(name), text, next(self._orders))
            else:
                _replace(self._path(name), text, durable=False)
        except OSError as error:
            raise DiskTrouble(f"{self._path(name)} cannot be written: {error.strerror or error}") from error

    def _replace_durably(self, path: Path, text: str, order: int) -> None:
        """A write whose caller was cancelled goes on in its thread: it must neither mix with a later one nor undo it."""
        with self._one_thread:
            if order > self._newest.get(path, 0):
                _replace(path, text, durable=True)
                self._newest[path] = order

    async def remove(self, name: str) -> None:
        try:
            self._path(name).unlink(missing_ok=True)
        except OSError as error:
            raise DiskTrouble(f"{self._path(name)} cannot be removed: {error.strerror or error}") from error

    async def list(self, folder: str) -> list[str]:
        return sorted(path.name for path in self._folders[folder].iterdir() if path.is_file())

    def _path(self, name: str) -> Path:
        folder, _, rest = name.partition("/")
        return self._folders[folder] / rest


def _replace(path: Path, text: str, *, durable: bool) -> None:
    new = path.with_name(path.name + ".new")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # someone may have removed it, with all that was in it
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    file = os.open(new, flags, 0o600)
    try:
        with os.fdopen(file, "wb", closefd=False) as stream:
            stream.write(text.encode())
        if durable:
            os.fsync(file)
    finally:
        os.close(file)
    new.replace(path)
    if durable:
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
        """Why nothing can be written, e.g. `No space left on device`."""
        self.write_takes_s = 0.0
        self.written: list[str] = []
        """Names, in the order of the writes."""

    async def read(self, name: str) -> str | None:
        await asyncio.sleep(0)
        return self.files.get(name)

    async def write(self, name: str, text: str) -> None:
        # An agent may be killed here: then nothing is written.
        await asyncio.sleep(self.write_takes_s)
        if self.full:
            raise DiskTrouble(f"{name} cannot be written: {self.full}")
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
