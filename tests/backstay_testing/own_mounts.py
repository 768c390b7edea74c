"""Mounts that nobody else sees: whose mount namespace begins meanwhile (a lab, a second worker) would keep a copy, and so hold the disk."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from backstay_agent.drivers.tools import file_system_looks

_CLONE_FS: Final = 0x200
_CLONE_NEWNS: Final = 0x20000
_MS_REC_SLAVE: Final = 0x4000 | 0x80000
"""What others unmount goes away here as well, where they share it."""


@contextmanager
def own_mounts() -> Iterator[None]:
    """Put the present thread, with all that it begins, into a mount namespace of its own, and back. Without root nothing happens."""
    if os.geteuid() != 0:
        yield
        return
    libc, folder = ctypes.CDLL(None, use_errno=True), os.getcwd()
    with Path("/proc/thread-self/ns/mnt").open("rb") as before:
        _must(libc.unshare(_CLONE_NEWNS))
        try:
            _must(libc.mount(b"none", b"/", None, _MS_REC_SLAVE, None))
            _look_anew()
            yield
        finally:
            _look_anew()
            # Threads that began meanwhile share our folder and root, and with such nobody may change his namespace.
            _must(libc.unshare(_CLONE_FS))
            _must(libc.setns(before.fileno(), _CLONE_NEWNS))
            os.chdir(folder)


def _look_anew() -> None:
    """The process that looks at file systems sees the mounts of the namespace in which it was begun."""
    looks = file_system_looks._LOOKS
    helper, looks._helper = looks._helper, None
    if helper is not None:
        helper.kill()


def _must(answer: int) -> None:
    if answer != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
