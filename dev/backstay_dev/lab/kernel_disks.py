"""The disks of the kernel machine: a Debian with a kernel of its own, made once; and our code as it stands.

Both are file systems as a whole, without partitions: Debian's kernel has NVMe and ext4 built in, and takes the first as its
root without an initramfs.
"""

import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backstay_dev.lab.assets import cache_dir, digest, locked
from backstay_dev.lab.image import ensure_image
from backstay_dev.lab.layers import ensure_layer
from backstay_dev.lab.shell import REPOSITORY, LabError, Progress, call, require, silent

# tiny-initramfs: the kernel's package wants one that could make an initramfs, and this is the smallest.
PACKAGES: Final = (
    *("linux-image-cloud-amd64", "tiny-initramfs", "udev", "kmod"),
    *("lvm2", "xfsprogs", "nfs-kernel-server", "nfs-common", "psmisc"),
)
CODE: Final = "/code"
"""Where the machine has this repository, and pytest in `/code/site`."""
_ROOTS: Final = ("crds", "operator", "node-agent", "cli", "dev", "tests", "examples")
_PYTEST: Final = ("pytest", "_pytest", "py", "pluggy", "iniconfig", "packaging", "pygments")
_MIB: Final = 1024
# What hosts without a kernel of their own have no use for.
_UNMASKED: Final = (
    *("systemd-udevd.service", "systemd-udev-trigger.service"),
    *("systemd-udevd-control.socket", "systemd-udevd-kernel.socket"),
    *("systemd-sysctl.service", "systemd-modules-load.service", "systemd-remount-fs.service", "remote-fs.target"),
)
# Slow to start where every instruction is emulated; who needs them starts them.
_DISABLED: Final = (
    "nfs-server.service",
    "nfs-client.target",
    "nfs-blkmap.service",
    "rpcbind.service",
    "rpcbind.socket",
)
# Each daemon-reload runs them all.
_NO_GENERATORS: Final = (
    *(
        "systemd-cryptsetup-generator",
        "systemd-debug-generator",
        "systemd-getty-generator",
        "systemd-gpt-auto-generator",
    ),
    *("systemd-hibernate-resume-generator", "systemd-integritysetup-generator", "systemd-rc-local-generator"),
    *("systemd-run-generator", "systemd-system-update-generator", "systemd-veritysetup-generator"),
    *("systemd-bless-boot-generator", "nfs-server-generator", "rpc-pipefs-generator"),
)
_PROGRAM_UNIT: Final = """
[Unit]
After=multi-user.target
[Service]
Type=exec
ExecStart=/usr/local/sbin/lab-program
TimeoutStopSec=1
"""
# Output and exit code go to a serial port each: nothing has to be loaded for those, and what was said before a hang is seen.
_PROGRAM: Final = f"""#!/bin/sh
stty -F /dev/ttyS1 raw -echo
stty -F /dev/ttyS2 raw -echo
tr -d '\\0' </dev/nvme0n3 >/run/lab-program
cd {CODE} && PYTHONPATH={":".join((*_ROOTS[:-1], "tests/e2e/on_hosts", "site"))} PYTHONDONTWRITEBYTECODE=1 NO_COLOR=1 \\
  sh /run/lab-program >/dev/ttyS1 2>&1 </dev/null
echo $? >/dev/ttyS2
sync
systemctl poweroff -ff
"""
_FILES: Final = {
    "etc/fstab": f"/dev/nvme0n2 {CODE} ext4 ro 0 0\n",
    "etc/hostname": "kernel\n",
    "etc/hosts": "127.0.0.1 localhost kernel\n",
    "etc/systemd/system/lab-program.service": _PROGRAM_UNIT,
    "etc/systemd/system/lab-program.target": "[Unit]\nWants=lab-program.service\nRequires=multi-user.target\n",
    "usr/local/sbin/lab-program": _PROGRAM,
}


@dataclass(frozen=True)
class Disks:
    kernel: Path
    root: Path


def runs_here() -> bool:
    """Its packages are those of the machine that it stands on, and the kernel's name is that of one architecture."""
    return platform.machine() == "x86_64"


def ensure_disks(progress: Progress = silent) -> Disks:
    """Find or make kernel and root (less than a minute once the hosts' image is there); nothing is ever written to them."""
    if not runs_here():
        raise LabError("The kernel machine is an x86_64, and stands on such machines only.")
    require("mkfs.ext4")
    image, layer = ensure_image(progress), ensure_layer(PACKAGES, progress)
    recipe = (*_UNMASKED, *_DISABLED, *_NO_GENERATORS, *(f"{path} {text}" for path, text in _FILES.items()))
    target = cache_dir() / f"kernel-{digest('3', image.name, layer.name, str(_MIB), *recipe)}"
    if not target.exists():
        with locked("kernel") as cache:
            if not target.exists():
                progress("making the disk of the kernel machine, once")
                _make_root(cache, image, layer, target)
    return Disks(target / "vmlinuz", target / "root.img")


def ensure_code() -> Path:
    """A disk with what stands in this repository, compiled; those of a few edits ago are forgotten."""
    sources = sorted(path for root in _ROOTS for path in (REPOSITORY / root).rglob("*") if _is_source(path))
    packages = [_package(name) for name in _PYTEST]
    names = [str(path.relative_to(REPOSITORY)).encode() + b"\n" + path.read_bytes() for path in sources]
    target = cache_dir() / "kernel-code" / f"{digest(sys.version, *map(str, packages), *names)}.img"
    if not target.exists():
        with locked("kernel-code") as cache, _scratch(cache) as scratch:
            if not target.exists():
                target.parent.mkdir(exist_ok=True)
                _make_code(scratch, sources, packages)
                _forget_old(target.parent)
                (scratch / "code.img").rename(target)
    os.utime(target)
    return target


def _is_source(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise LabError(f"{name}, a part of pytest, is not installed: run `make install`.")
    origin = Path(found.origin)
    return origin.parent if origin.name == "__init__.py" else origin


@contextmanager
def _scratch(cache: Path) -> Iterator[Path]:
    scratch = Path(tempfile.mkdtemp(dir=cache, prefix=".kernel-"))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _make_root(cache: Path, image: Path, layer: Path, target: Path) -> None:
    with _scratch(cache) as scratch:
        for name in ("upper", "work", "root", "made"):
            (scratch / name).mkdir(mode=0o755)
        lower = f"lowerdir={layer}:{image},upperdir={scratch / 'upper'},workdir={scratch / 'work'}"
        call("mount", "-t", "overlay", "overlay", "-o", lower, scratch / "root")
        try:
            _fit_out(scratch / "root")
            _mkfs(scratch / "root", scratch / "made/root.img", mib=_MIB)
            shutil.copyfile((scratch / "root/vmlinuz").resolve(), scratch / "made/vmlinuz")
        finally:
            call("umount", scratch / "root")
        (scratch / "made").rename(target)


def _fit_out(root: Path) -> None:
    units = root / "etc/systemd/system"
    for unit in _UNMASKED:
        (units / unit).unlink(missing_ok=True)
    for wants in units.glob("*.wants"):
        for unit in _DISABLED:
            (wants / unit).unlink(missing_ok=True)
    generators = root / "etc/systemd/system-generators"
    generators.mkdir()
    for generator in _NO_GENERATORS:
        (generators / generator).symlink_to("/dev/null")
    for path, text in _FILES.items():
        (root / path).write_text(text)
    (root / "usr/local/sbin/lab-program").chmod(0o755)
    (root / CODE.lstrip("/")).mkdir()
    (units / "default.target").unlink()
    (units / "default.target").symlink_to("lab-program.target")


def _make_code(scratch: Path, sources: list[Path], packages: list[Path]) -> None:
    code = scratch / "code"
    for path in sources:
        copy = code / path.relative_to(REPOSITORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    shutil.copy2(REPOSITORY / "pyproject.toml", code)
    (code / "site").mkdir()
    for package in packages:
        if package.is_file():
            shutil.copy2(package, code / "site")
        else:
            shutil.copytree(package, code / "site" / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    # All of 3.11 read the same compiled files; where this Python is another, the machine's own compiles at each import.
    call(sys.executable, "-m", "compileall", "-q", "-j", "2", "-s", code, "-p", CODE, code, timeout_s=120)
    _mkfs(code, scratch / "code.img", mib=128)


def _mkfs(folder: Path, image: Path, *, mib: int) -> None:
    call("mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-d", folder, image, f"{mib}M", timeout_s=120)


def _forget_old(folder: Path, keep: int = 4) -> None:
    by_age = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in by_age[keep:]:
        old.unlink(missing_ok=True)  # a machine that has it open keeps it
