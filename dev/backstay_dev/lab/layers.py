"""Debian packages for some labs only: a layer over the hosts' image, by apt itself, made once and cached like the image.

What packages leave behind is what is wanted of them (units that are enabled, clusters that are made), so they are installed as an
administrator would, only that nothing is started: there is no machine yet.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from backstay_dev.lab.assets import cache_dir, digest, locked
from backstay_dev.lab.image import SUITE, ensure_image
from backstay_dev.lab.shell import Progress, call, silent

# Everything mounted goes with the shell's own mount namespace. Exit code 101 of policy-rc.d: start nothing.
_INSTALL: Final = """
root=$1; shift
mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/dev/shm"
printf '#!/bin/sh\\nexit 101\\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
chroot "$root" apt-get -q update
chroot "$root" apt-get -q install -y --no-install-recommends "$@"
rm "$root/usr/sbin/policy-rc.d"
"""
_WASTE: Final = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man")


def ensure_layer(packages: Sequence[str], progress: Progress = silent, suite: str = SUITE) -> Path:
    """Find or make the layer with these packages (some seconds); it belongs over this image and no other."""
    image = ensure_image(progress, suite)
    target = cache_dir() / f"layer-{digest('1', image.name, _INSTALL, *packages)}"
    if target.exists():
        return target
    with locked("layer") as cache:
        if not target.exists():
            scratch = Path(tempfile.mkdtemp(dir=cache, prefix=".layer-"))
            try:
                progress(f"installing {', '.join(packages)} over the hosts' image, once")
                _make(scratch, image, packages)
                (scratch / "upper").rename(target)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return target


def _make(scratch: Path, image: Path, packages: Sequence[str]) -> None:
    root = scratch / "root"
    for name in ("upper", "work", "root"):
        (scratch / name).mkdir(mode=0o755)
    layers = f"lowerdir={image},upperdir={scratch / 'upper'},workdir={scratch / 'work'}"
    call("mount", "-t", "overlay", "overlay", "-o", layers, root)
    try:
        (root / "etc/resolv.conf").touch()
        environment = (
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "LC_ALL=C.UTF-8",
            f"PATH={os.environ['PATH']}:/usr/sbin:/sbin",
        )
        call("unshare", "--mount", *environment, "sh", "-ec", _INSTALL, "sh", root, *packages, timeout_s=600)
        for waste in _WASTE:
            shutil.rmtree(root / waste, ignore_errors=True)
    finally:
        call("umount", root)
