"""Everything of a release into one folder."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from . import agent, cli
from .bill import bill
from .chart import chart
from .debian import Description, deb
from .rpm import PROGRAM, rpm
from .versions import Release
from .wheels import Wheel

PACKAGES: Final[dict[str, tuple[Description, Callable[[Path, Release], list[Wheel]]]]] = {
    "backstay-agent": (agent.DESCRIPTION, agent.fill),
    "backstay-cli": (cli.DESCRIPTION, cli.fill),
}


def build(release: Release, out: Path) -> list[Path]:
    """Empty `out` and fill it; what is in it now. Raises LabError with what is missing."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    made, carried = [chart(release, out)], {}
    for name in PACKAGES:
        files, carried[name] = package(name, release, out)
        made += files
    materials = out / f"backstay-{release.version}.cdx.json"
    materials.write_text(bill(release, carried))
    made.append(materials)
    sums = out / "SHA256SUMS"
    sums.write_text("".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(made)))
    return [*made, sums]


def package(name: str, release: Release, out: Path) -> tuple[list[Path], list[Wheel]]:
    """The Debian package, and the RPM where there is one and this machine has `rpmbuild`; and what of others is in them."""
    description, fill = PACKAGES[name]
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / name
        root.mkdir()
        carried = fill(root, release)
        made = [rpm(root, description, release, out)] if description.requires and shutil.which(PROGRAM) else []
        return [deb(root, description, release, out), *made], carried
