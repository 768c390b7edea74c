"""Puts a file in its place so that whoever opens it finds the old one or the new one, whole, whatever fails on the way.

Called by the process that looks at file systems (`file_system_looks.look`). No link is followed on the way, and nothing is written to a
folder into which everybody may write.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from backstay_agent.drivers.base import NotInstalled
from backstay_api.objects.editions import Edition
from backstay_api.objects.prerequisites import backstays_own, foreign

from .regular_files import group, user_of

MOST_BYTES: Final = 1024 * 1024
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DEFAULT_MODE: Final = 0o644


def text_of(data: bytes) -> str:
    return data.decode(errors="surrogateescape")


def bytes_of(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def read_there(path: str) -> Edition:
    """What is in place. Raises NotInstalled where there is something that must not be replaced."""
    with _folder(path, may_lack=True) as folder:
        return Edition() if folder is None else _read(path, folder)


def install(path: str, edition: Edition) -> None:
    """Put it in place, and return when that is on the disk. Raises NotInstalled."""
    with _folder(path, may_lack=edition.content is None) as folder:
        if folder is None:
            return
        there = _read(path, folder)
        if edition.content is None:
            with suppress(FileNotFoundError):
                os.unlink(os.path.basename(path), dir_fd=folder)
            os.fsync(folder)
        elif not edition.is_seen_in(there):
            _replace(path, folder, edition, there)


def _read(path: str, folder: int) -> Edition:
    try:
        fd = os.open(os.path.basename(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return Edition()
    except OSError as error:
        raise NotInstalled(
            f"{path} is a link, or no file that could be replaced: name the file itself ({error.strerror})"
        ) from error
    try:
        seen = os.fstat(fd)
        if not stat.S_ISREG(seen.st_mode):
            raise NotInstalled(f"{path} is no regular file, and is not replaced")
        if seen.st_size > MOST_BYTES:
            raise NotInstalled(
                f"{path} is larger than 1 MiB, and is not replaced: it could not be kept for the way back"
            )
        with os.fdopen(fd, "rb", closefd=False) as file:
            data = file.read(MOST_BYTES + 1)
    finally:
        os.close(fd)
    mode = f"{stat.S_IMODE(seen.st_mode):04o}"
    return Edition(text_of(data), user_of(seen.st_uid), group(seen.st_gid), mode)


def _replace(path: str, folder: int, edition: Edition, there: Edition) -> None:
    name = os.path.basename(path)
    new = f".{name[:200]}.backstay-new"
    uid, gid = (
        uid_of(path, edition.owner or there.owner or "root"),
        gid_of(path, edition.group or there.group or "root"),
    )
    # Other content never comes to run as somebody else only because what was there did so.
    mode = int(edition.mode, 8) if edition.mode else int(there.mode, 8) & 0o777 if there.mode else _DEFAULT_MODE
    try:
        with suppress(FileNotFoundError):
            os.unlink(new, dir_fd=folder)  # an agent that was killed has left it
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            with os.fdopen(fd, "wb", closefd=False) as file:
                file.write(bytes_of(edition.content or ""))
            os.fchown(fd, uid, gid)
            os.fchmod(fd, mode)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    except OSError as error:
        with suppress(OSError):
            os.unlink(new, dir_fd=folder)
        raise NotInstalled(f"{path} cannot be written: {error.strerror}; what was there is as it was") from error


@contextmanager
def _folder(path: str, *, may_lack: bool) -> Iterator[int | None]:
    """The folder that it stands in, come to step by step and through no link. None: there is none, and that is all right."""
    if why := foreign(path) or backstays_own(path):
        raise NotInstalled(f"{path} {why}")
    at, walked = os.open("/", _FOLDER), "/"
    try:
        for step in path.split("/")[1:-1]:
            walked = os.path.join(walked, step)
            try:
                below = os.open(step, _FOLDER, dir_fd=at)
            except FileNotFoundError as error:
                if may_lack:
                    yield None
                    return
                raise NotInstalled(f"{path} has nowhere to stand: there is no folder {walked}") from error
            except OSError as error:
                raise NotInstalled(f"{path}: {walked} is a link, or no folder: name the way without links") from error
            os.close(at)
            at = below
        if os.fstat(at).st_mode & stat.S_IWOTH:
            raise NotInstalled(f"{path}: everybody may write into {walked}, so nothing is put there")
        yield at
    finally:
        os.close(at)


def uid_of(path: str, name: str) -> int:
    """Of an account's name or number. Raises NotInstalled."""
    try:
        return int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid
    except KeyError as error:
        raise NotInstalled(f"{path}: there is no account {name} on this host") from error


def gid_of(path: str, name: str) -> int:
    """Of a group's name or number. Raises NotInstalled."""
    try:
        return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise NotInstalled(f"{path}: there is no group {name} on this host") from error
