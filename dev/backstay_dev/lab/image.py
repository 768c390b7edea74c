"""The root file system that every host of a lab starts from: a small Debian with systemd, made once for each suite that is asked for.

Units that a machine without hardware has no use for are masked, which brings the boot to a fraction of a second.
"""

import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from backstay_dev.lab.assets import cache_dir, digest, locked
from backstay_dev.lab.shell import LabError, Progress, call, require, silent

SUITE: Final = "bookworm"
"""Debian 12: what a lab is of where nothing else is said."""
NEXT_SUITE: Final = "trixie"
"""Debian 13, on which the packages are tried as well."""
PACKAGES: Final = (
    *("systemd", "systemd-sysv", "dbus", "iproute2", "python3"),
    *("busybox", "iputils-arping", "iputils-ping", "procps", "nftables"),
)
# Of the agent's dependencies only the one that is not in the standard library; Debian 12 has no package of it.
PYTHON_PACKAGES: Final = ("sdbus==0.14.3",)
SITE: Final = "usr/lib/python3/dist-packages"
_MASKED: Final = (
    *("systemd-networkd.service", "systemd-networkd.socket", "systemd-network-generator.service"),
    *("systemd-resolved.service", "systemd-logind.service", "systemd-timesyncd.service"),
    *("systemd-udevd.service", "systemd-udev-trigger.service"),
    *("systemd-udevd-control.socket", "systemd-udevd-kernel.socket"),
    *("console-getty.service", "getty.target", "getty-static.service", "systemd-user-sessions.service"),
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer"),
    *("e2scrub_all.timer", "e2scrub_reap.service", "systemd-tmpfiles-clean.timer"),
    *("systemd-update-utmp.service", "systemd-update-utmp-runlevel.service"),
    *("systemd-random-seed.service", "systemd-boot-random-seed.service", "systemd-sysusers.service"),
    *("systemd-firstboot.service", "systemd-machine-id-commit.service", "ldconfig.service"),
    *("systemd-hwdb-update.service", "systemd-journal-catalog-update.service", "systemd-update-done.service"),
    *("systemd-binfmt.service", "systemd-sysctl.service", "systemd-modules-load.service", "procps.service"),
    *("sys-fs-fuse-connections.mount", "sys-kernel-config.mount", "sys-kernel-debug.mount"),
    *("sys-kernel-tracing.mount", "dev-hugepages.mount", "dev-mqueue.mount"),
    *("proc-sys-fs-binfmt_misc.automount", "systemd-ask-password-wall.path", "systemd-ask-password-console.path"),
    *("systemd-pstore.service", "systemd-remount-fs.service", "systemd-pcrphase.service"),
    *("systemd-pcrphase-sysinit.service", "systemd-journal-flush.service", "nftables.service"),
    *("cryptsetup.target", "remote-fs.target", "remote-cryptsetup.target"),
)
_FILES: Final = {
    # Journals of a lab that is thrown away need no disk; sleep would be an old session walking (PROTOCOL 7).
    "etc/systemd/journald.conf.d/lab.conf": "[Journal]\nStorage=volatile\nRuntimeMaxUse=32M\nRateLimitBurst=0\n",
    "etc/systemd/sleep.conf.d/lab.conf": "[Sleep]\nAllowSuspend=no\nAllowHibernation=no\n",
}


def ensure_image(progress: Progress = silent, suite: str = SUITE) -> Path:
    """Find or make the image (a minute or so); hosts lay an overlay over it and never write to it."""
    target = cache_dir() / f"image-{_key(suite)}"
    if target.exists():
        return target
    require("debootstrap")
    with locked("image") as cache:
        if not target.exists():
            scratch = Path(tempfile.mkdtemp(dir=cache, prefix=".image-"))
            try:
                _make(scratch / "root", suite, progress)
                (scratch / "root").rename(target)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return target


def _key(suite: str) -> str:
    recipe = (suite, *PACKAGES, *PYTHON_PACKAGES, *_MASKED, *(f"{path} {text}" for path, text in _FILES.items()))
    return digest("3", platform.machine(), *recipe)


def _make(root: Path, suite: str, progress: Progress) -> None:
    begun_s = time.monotonic()
    progress(f"making the hosts' image ({suite}) with debootstrap, once; about a minute")
    root.mkdir()
    root.chmod(0o755)
    call("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", suite, root, timeout_s=1200)
    progress(f"the image's Debian is there after {time.monotonic() - begun_s:.0f} s")
    _add_python_packages(root)
    for unit in _MASKED:
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
    default = root / "etc/systemd/system/default.target"
    default.unlink(missing_ok=True)
    default.symlink_to("/lib/systemd/system/multi-user.target")
    for path, text in _FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    for waste in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man"):
        shutil.rmtree(root / waste, ignore_errors=True)
    (root / "etc/machine-id").write_text("")
    (root / "opt/backstay").mkdir(parents=True)


def _add_python_packages(root: Path) -> None:
    """For the image's Python, whichever runs this program."""
    version = call("chroot", root, "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
    call(
        *(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", root / SITE),
        *("--only-binary=:all:", "--python-version", version, "--implementation", "cp", "--abi", "abi3"),
        *("--platform", f"manylinux_2_28_{platform.machine()}", *PYTHON_PACKAGES),
        timeout_s=300,
    )
    call("chroot", root, "python3", "-m", "compileall", "-q", f"/{SITE}/sdbus")
    if "ok" not in call("chroot", root, "python3", "-c", "import sdbus; print('ok')"):
        raise LabError(
            "the image's Python cannot import sdbus: this is a fault of the recipe in backstay_dev.lab.image."
        )
