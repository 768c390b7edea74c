"""Lets a program see editions of files at their places, while everybody else goes on seeing those that are there.

Of each folder that such a file stands in a copy is made, with the edition in it, and laid over that folder for the program alone: folders,
not files, for a bind onto a file that does not exist yet would make an empty one on the host.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from backstay_agent.drivers.base import NotInstalled
from backstay_api.objects.editions import Edition

from .installing import bytes_of, gid_of, uid_of

VIEWS: Final = Path("/run/backstay/views")
MOST_BYTES: Final = 4 * 1024 * 1024
MOST_ENTRIES: Final = 2_000


def folders_of(paths: Mapping[str, object]) -> list[str]:
    """The folders to be copied: none that is in another of them."""
    found: list[str] = []
    for folder in sorted({os.path.dirname(path) for path in paths}):
        if not any(folder.startswith(f"{one}/") for one in found):
            found.append(folder)
    return found


def make_view(view: Path, editions: Mapping[str, Edition]) -> list[tuple[str, str]]:
    """Copies with the editions in them, and over which folders they go. Raises NotInstalled."""
    remove_view(view)
    view.mkdir(mode=0o700, parents=True)
    try:
        laid = [(str(view / str(number)), folder) for number, folder in enumerate(folders_of(editions))]
        room = [MOST_BYTES, MOST_ENTRIES]
        for copy, folder in laid:
            _copy(Path(folder), Path(copy), room, folder)
        for path, edition in editions.items():
            copy, folder = next(one for one in laid if path.startswith(f"{one[1]}/"))
            _write(path, Path(copy) / os.path.relpath(path, folder), edition)
    except OSError as error:
        remove_view(view)
        raise NotInstalled(f"no copy for its check can be made: {error.strerror}") from error
    except NotInstalled:
        remove_view(view)
        raise
    return laid


def remove_view(view: Path) -> None:
    shutil.rmtree(view, ignore_errors=True)


def _copy(source: Path, copy: Path, room: list[int], folder: str) -> None:
    """Links stay links; what is neither file, folder nor link is left out. Sizes are looked at before anything is read."""
    if source.is_symlink() or not source.is_dir():
        raise NotInstalled(f"there is no folder {source}")
    copy.mkdir()
    _same_rights(source.lstat(), copy)
    for entry in sorted(os.scandir(source), key=lambda one: one.name):
        seen, target = entry.stat(follow_symlinks=False), copy / entry.name
        room[0] -= seen.st_size if stat.S_ISREG(seen.st_mode) else 0
        room[1] -= 1
        if min(room) < 0:
            raise NotInstalled(
                f"{folder} holds more than 4 MiB, or 2,000 entries: nothing in it can be checked at its place"
            )
        if stat.S_ISLNK(seen.st_mode):
            target.symlink_to(os.readlink(entry.path))
        elif stat.S_ISDIR(seen.st_mode):
            _copy(Path(entry.path), target, room, folder)
        elif stat.S_ISREG(seen.st_mode):
            shutil.copyfile(entry.path, target, follow_symlinks=False)
            _same_rights(seen, target)


def _write(path: str, target: Path, edition: Edition) -> None:
    if target.is_symlink():
        raise NotInstalled(f"{target.name} is a link: name the file itself")
    if edition.content is None:
        target.unlink(missing_ok=True)
        return
    is_new = not target.exists()
    target.write_bytes(bytes_of(edition.content))
    if is_new:
        target.chmod(0o644)
    if edition.mode:
        target.chmod(int(edition.mode, 8))
    uid = uid_of(path, edition.owner) if edition.owner else -1
    gid = gid_of(path, edition.group) if edition.group else -1
    os.chown(target, uid, gid)


def _same_rights(seen: os.stat_result, target: Path) -> None:
    os.chown(target, seen.st_uid, seen.st_gid)
    target.chmod(stat.S_IMODE(seen.st_mode))
