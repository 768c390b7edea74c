"""Looks that hang, for tests: what another process is to call must stand in a module."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_FREEZE: Final = 0xC0045877
_THAW: Final = 0xC0045878


def read_and_note(pipe: Path, notes: Path) -> str:
    """Hangs until somebody writes into the pipe. Notes that it has begun."""
    with notes.open("a") as file:
        file.write(".")
    return pipe.read_text()


def refused() -> None:
    raise PermissionError("no")


@contextmanager
def frozen(folder: Path) -> Iterator[None]:
    """Who writes there meanwhile hangs in the kernel (state D), and nothing ends him."""
    place = os.open(folder, os.O_RDONLY)
    try:
        fcntl.ioctl(place, _FREEZE, 0)
        try:
            yield
        finally:
            fcntl.ioctl(place, _THAW, 0)
    finally:
        os.close(place)
