"""A Debian package from a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backstay_dev.lab.shell import LabError, call, require

from .trees import even_out, write
from .versions import Release


@dataclass(frozen=True)
class Description:
    """What a package says of itself, and its scripts by name."""

    name: str
    summary: str
    depends: tuple[str, ...]
    scripts: Mapping[str, str] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    """The same as `depends`, in RPM's words; none: there is no RPM of it."""
    rpm_scripts: Mapping[str, str] = field(default_factory=dict)


def deb(root: Path, description: Description, release: Release, out: Path) -> Path:
    """Make `<name>_<version>_all.deb` in `out`. What is under `root` is altered: it gets the control files, and one look."""
    require("dpkg-deb")
    write(root / "DEBIAN" / "control", _control(root, description, release))
    for name, text in description.scripts.items():
        write(root / "DEBIAN" / name, text, is_program=True)
    even_out(root, release)
    target = out / f"{description.name}_{release.for_packages}_all.deb"
    environment = ("env", f"SOURCE_DATE_EPOCH={release.epoch_s}", f"PATH={os.environ['PATH']}:/usr/bin:/bin")
    call(*environment, "dpkg-deb", "--root-owner-group", "-Zxz", "--build", root, target, timeout_s=300)
    if not target.exists():
        raise LabError(f"dpkg-deb made no {target}")
    return target


def _control(root: Path, description: Description, release: Release) -> str:
    kib = sum(path.lstat().st_size for path in root.rglob("*") if not path.is_dir()) // 1024
    return f"""\
Package: {description.name}
Version: {release.for_packages}
Architecture: all
Section: admin
Priority: optional
Maintainer: Backstay <backstay@backstay.dev>
Installed-Size: {kib}
Depends: {", ".join(description.depends)}
Description: {description.summary}
"""
