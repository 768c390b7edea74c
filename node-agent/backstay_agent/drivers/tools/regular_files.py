"""Reads a file of the host for a service so that nothing found there can do harm: no FIFO is waited for, no device is touched, no link
leads to what is the host's own, and what is too large is told, not read.

Reads the file system: to be asked through `file_system_looks.look`.
"""

from __future__ import annotations

import errno
import grp
import hashlib
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from backstay_api.objects.prerequisites import foreign

MOST_BYTES: Final = 16 * 1024 * 1024
_TYPES: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}
_SAYS: Final = {
    errno.ENOENT: "does not exist",
    errno.ENOTDIR: "does not exist: something above it is no folder",
    errno.ELOOP: "is a symbolic link that leads in a circle",
}


class Unfit(Exception):
    """There is no such file, or it is not one to be read. The text is a sentence for people, with the path."""


@dataclass(frozen=True)
class Opened:
    """A regular file."""

    fd: int
    stat: os.stat_result

    @property
    def state(self) -> tuple[int, ...]:
        """What is another as soon as somebody has written to it, or changed its rights."""
        one = self.stat
        return one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns

    def read(self) -> bytes:
        """All of it. Raises Unfit."""
        chunks, left = [], MOST_BYTES + 1
        while left > 0 and (chunk := os.read(self.fd, min(left, 1 << 20))):
            chunks.append(chunk)
            left -= len(chunk)
        if left <= 0:
            raise Unfit(
                f"is larger than {MOST_BYTES >> 20} MiB, and so it is not compared: leave it out, or keep it alike yourself"
            )
        return b"".join(chunks)


@contextmanager
def opened(path: str) -> Iterator[Opened]:
    """The regular file to which a path leads. Raises Unfit."""
    try:
        with _opened(path) as file:
            yield file
    except Unfit as error:
        raise Unfit(f"{path} {error}") from error
    except OSError as error:
        raise Unfit(f"{path} {told(error)}") from error


def told(error: OSError) -> str:
    """As what follows the path."""
    return _SAYS.get(error.errno or 0) or f"cannot be read: {error.strerror}"


@contextmanager
def _opened(path: str) -> Iterator[Opened]:
    # Opened as a mere name first: that neither waits for a FIFO's other end nor touches a device.
    name = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        real, kind = os.readlink(f"/proc/self/fd/{name}"), stat.S_IFMT(os.fstat(name).st_mode)
        if why := foreign(real):
            raise Unfit(why if real == path else f"leads to {real}, which {why}")
        if kind != stat.S_IFREG:
            raise Unfit(f"is {_TYPES.get(kind, 'something else')}, and no file")
        with for_reading(name) as file:
            yield file
    finally:
        os.close(name)


@contextmanager
def for_reading(name: int) -> Iterator[Opened]:
    """The regular file that was opened as a mere name."""
    fd = os.open(f"/proc/self/fd/{name}", os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        yield Opened(fd, os.fstat(fd))
    finally:
        os.close(fd)


def fingerprint(data: bytes, salt: str) -> str:
    """The content in 16 bytes, as slow to guess as a password's hash: whoever may read a status must not find a short secret by it."""
    return hashlib.scrypt(hashlib.sha512(data).digest(), salt=salt.encode(), n=2**13, r=8, p=1, dklen=16).hex()


def user_of(uid: int) -> str:
    """The account's name, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
