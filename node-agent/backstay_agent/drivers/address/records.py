"""Which addresses of this host are ours: by the kernel's own mark, and by notes in `/run` where the kernel keeps none."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from .netlink import OURS, Address, Interface

NOTES: Final = Path("/run/backstay/addresses")
_MARKS_SINCE: Final = (5, 18)
"""Linux with IFA_PROTO."""


class Notes:
    """One small file for each address that we hold or may hold; it names the link."""

    def __init__(self, folder: Path = NOTES, *, kernel: str | None = None) -> None:
        self._folder = folder
        self._kernel_marks = _version(kernel or os.uname().release) >= _MARKS_SINCE

    def is_ours(self, address: Address) -> bool:
        """Where the kernel keeps marks, only they count: a note may have outlived what it tells of."""
        return address.protocol == OURS or (not self._kernel_marks and self.has(address.interface))

    def has(self, want: Interface) -> bool:
        """We have put it on a link, or were about to, and have not withdrawn it."""
        return self._note(want).exists()

    def link_of(self, want: Interface) -> str:
        """Name of the link that we put it on; empty if that is not known."""
        with suppress(OSError, UnicodeDecodeError):
            return self._note(want).read_text()[:15]
        return ""

    def write(self, want: Interface, link: str) -> None:
        """Raises OSError."""
        self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        note = self._note(want)
        note.touch()
        with suppress(OSError):  # a full /run has room for an empty file; the name is only of help
            note.write_text(link)

    def remove(self, want: Interface) -> None:
        self._note(want).unlink(missing_ok=True)

    def _note(self, want: Interface) -> Path:
        return self._folder / str(want.ip).replace(":", "-")


def _version(release: str) -> tuple[int, int]:
    major, _, rest = release.partition(".")
    minor = rest.partition(".")[0].partition("-")[0]
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else (0, 0)
