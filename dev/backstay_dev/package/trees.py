"""Folders that become packages: our code with the version of the build in it, and what every file in them looks like."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from backstay_dev.lab.shell import REPOSITORY

from .versions import Release

# What needs more than the standard library; an agent has none of it.
_FOR_PEOPLE: Final = ("crds/backstay_api/generate", "crds/backstay_api/memory", "crds/backstay_api/objects/models")
AGENT: Final = ("crds/backstay_api", "node-agent/backstay_agent")
"""Without what needs more than the standard library."""
CLI: Final = ("crds/backstay_api", "operator/backstay_operator", "cli/backstay_cli")
"""The planner is in it: `backstay explain` decides as the operator does."""
_TOOLS: Final = (*_FOR_PEOPLE[:2], "cli/backstay_cli/playground.py")


def copy_agent(target: Path, release: Release) -> None:
    """The agent and what it imports of the contract."""
    for package in AGENT:
        _copy(package, target, leave_out=(*_FOR_PEOPLE, "crds/backstay_api/objects/object_kinds.py"))
    _stamp(target, release)


def copy_cli(target: Path, release: Release) -> None:
    """The CLI and what it imports of the contract and of the planner."""
    for package in CLI:
        _copy(package, target, leave_out=_TOOLS[:2])
    _stamp(target, release)


def _copy(package: str, target: Path, leave_out: Iterable[str]) -> None:
    out = {str(REPOSITORY / path) for path in leave_out}

    def ignored(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if name == "__pycache__" or f"{folder}/{name}" in out]

    shutil.copytree(REPOSITORY / package, target / Path(package).name, ignore=ignored)


def _stamp(target: Path, release: Release) -> None:
    file = target / "backstay_api" / "__init__.py"
    stamped, often = re.subn(
        r'^VERSION = ".*"$', f'VERSION = "{release.version}"', file.read_text(), flags=re.MULTILINE
    )
    assert often == 1, "the version stands in one place"
    file.write_text(stamped)


def write(file: Path, text: str, *, is_program: bool = False) -> None:
    """A file of a package, with the folders above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755 if is_program else 0o644)


def even_out(root: Path, release: Release) -> None:
    """One time for everything, and one of two modes: whoever builds has an umask and a clock of his own."""
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (release.epoch_s, release.epoch_s), follow_symlinks=False)
