"""The chart as one file: what `helm package` makes, packed again so that the same commit gives the same bytes."""

from __future__ import annotations

import gzip
import io
import tarfile
import tempfile
from pathlib import Path

from backstay_dev.lab.assets import ensure_assets
from backstay_dev.lab.shell import REPOSITORY, call

from .versions import Release


def chart(release: Release, out: Path) -> Path:
    """Make `backstay-<version>.tgz` in `out`."""
    version = ("--version", release.version, "--app-version", release.version)
    with tempfile.TemporaryDirectory() as scratch:
        call(ensure_assets().helm, "package", REPOSITORY / "charts/backstay", *version, "-d", scratch)
        (made,) = Path(scratch).glob("*.tgz")
        target = out / made.name
        target.write_bytes(_packed_again(made, release.epoch_s))
    return target


def _packed_again(made: Path, epoch_s: int) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(made) as old, tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as new:
        for member in sorted(old.getmembers(), key=lambda one: one.name):
            same = tarfile.TarInfo(member.name)
            same.size, same.mtime, same.mode = member.size, epoch_s, 0o644
            new.addfile(same, old.extractfile(member))
    return gzip.compress(plain.getvalue(), mtime=0)
