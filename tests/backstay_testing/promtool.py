"""Prometheus' own judge of rules, taken out of Debian's package, which as installed would start a server."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from backstay_dev.lab.assets import cache_dir, locked
from backstay_dev.lab.shell import call


def promtool() -> Path:
    """The program; fetched once (20 MB), and kept in the cache."""
    target = cache_dir() / "promtool-debian-12" / "usr/bin/promtool"
    if target.exists():
        return target
    with locked("promtool") as cache, tempfile.TemporaryDirectory(dir=cache) as work:
        if not target.exists():
            call(
                "sh",
                "-c",
                f"cd {work} && apt-get -q download prometheus && dpkg-deb -x prometheus_*.deb out",
                timeout_s=300,
            )
            os.rename(Path(work) / "out", cache / "promtool-debian-12")
    return target
