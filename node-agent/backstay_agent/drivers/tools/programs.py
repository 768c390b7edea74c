"""Whether a program could be run on this host. Reads the file system: to be asked through `looks.look`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from backstay_agent.drivers.tools.moving import may_come

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MOST_LINE_BYTES: Final = 256  # as much of a script's first line as the kernel reads


def not_runnable(program: str) -> str | None:
    """Why it could not be run, in a sentence; None if it could."""
    if not os.path.isfile(program):
        return None if not os.path.exists(program) and may_come(program) else f"{program} is not installed"
    if not os.access(program, os.X_OK):
        return f"{program} is not executable"
    return _without_interpreter(program, _first_line(program))


def _first_line(program: str) -> bytes:
    try:
        with Path(program).open("rb") as file:
            return file.read(_MOST_LINE_BYTES).partition(b"\n")[0]
    except OSError:
        return b""  # may be run and not read


def _without_interpreter(program: str, line: bytes) -> str | None:
    words = line[2:].decode(errors="replace").split() if line.startswith(b"#!") else []
    if not words:
        return None
    if not os.path.isfile(words[0]) or not os.access(words[0], os.X_OK):
        return f"{program} needs {words[0]}, which is not installed"
    if os.path.basename(words[0]) != "env":
        return None
    asked = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), None)
    if asked is not None and shutil.which(asked, path=PATH) is None:
        return f"{program} needs {asked}, which is not installed"
    return None
