"""What packages carry of other projects: wheels of exactly the versions and hashes of `constraints.txt`, unpacked."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backstay_dev.lab.assets import cache_dir, digest, locked
from backstay_dev.lab.shell import REPOSITORY, LabError, call

MACHINES: Final = ("x86_64", "aarch64")
"""For which a package carries compiled code, in a folder each."""
_GLIBCS: Final = ("2_17", "2_24", "2_27", "2_28", "2_31", "2_34")


@dataclass(frozen=True)
class Wanted:
    """Projects by name; `machine` and `python` ("3.11") only where their code is compiled."""

    names: tuple[str, ...]
    machine: str = MACHINES[0]
    python: str = "3.11"


@dataclass(frozen=True)
class Wheel:
    path: Path

    @property
    def name(self) -> str:
        return self.path.name.split("-")[0].replace("_", "-").lower()

    @property
    def version(self) -> str:
        return self.path.name.split("-")[1]


def fetch(wanted: Wanted) -> list[Wheel]:
    """Find or load them: pip, through whatever index this machine is set to, and only what the hashes allow."""
    pins = "\n".join(pin(name) for name in wanted.names)
    target = cache_dir() / f"wheels-{digest('2', pins, wanted.machine, wanted.python)}"
    if not target.exists():
        with locked("wheels") as cache, tempfile.TemporaryDirectory(dir=cache, prefix=".wheels-") as scratch:
            if not target.exists():
                _load(wanted, pins, Path(scratch) / "wheels")
                (Path(scratch) / "wheels").rename(target)
    return [Wheel(path) for path in sorted(target.glob("*.whl"))]


def unpack(wheels: Sequence[Wheel], target: Path) -> None:
    """Their code, without what only pip reads."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel.path) as archive:
            names = [name for name in archive.namelist() if ".dist-info/" not in name or "licen" in name.lower()]
            archive.extractall(target, [name for name in names if ".data/" not in name])


def _load(wanted: Wanted, pins: str, target: Path) -> None:
    target.mkdir()
    (target / "pins.txt").write_text(pins)
    platforms = [word for glibc in _GLIBCS for word in ("--platform", f"manylinux_{glibc}_{wanted.machine}")]
    kind = ["--only-binary", ":all:", "--implementation", "cp", "--python-version", wanted.python]
    names = ["--platform", f"manylinux2014_{wanted.machine}", *platforms]
    abis = ["--abi", f"cp{wanted.python.replace('.', '')}", "--abi", "abi3", "--abi", "none"]
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes")
    call(*pip, *kind, *names, *abis, "-r", target / "pins.txt", "-d", target, timeout_s=300)
    if missing := len(wanted.names) - len(list(target.glob("*.whl"))):
        shutil.rmtree(target)
        raise LabError(f"{missing} of {', '.join(wanted.names)} have no wheel for {wanted.machine}")


def pin(name: str) -> str:
    """Its lines of `constraints.txt`, with every hash that is allowed. Raises LabError."""
    found = re.search(rf"^{re.escape(name)}==(?:[^\n]*\\\n)*[^\n]*", (REPOSITORY / "constraints.txt").read_text(), re.M)
    if not found:
        raise LabError(f"{name} is not pinned in constraints.txt")
    return found[0]
