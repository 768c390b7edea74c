"""A whole machine with Debian's own kernel, emulated by QEMU: for what the hosts' kernel, which is this machine's, may not have.

VLANs, bonds, device-mapper, NFS, control groups with controllers. It boots, runs one program, and is switched off; whatever it wrote is
thrown away. It has no network but what the program makes inside it. KVM is not used: it is not everywhere, nor always where it is said to be.

    python -m backstay_dev.lab.kernel_machine 'python3 -m pytest --noconftest tests/e2e/on_hosts/kernel_mounts.py'
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backstay_dev.lab.kernel_disks import Disks, ensure_code, ensure_disks
from backstay_dev.lab.shell import EXIT_CANNOT, PATIENCE, LabError, Progress, require, silent

QEMU: Final = "qemu-system-x86_64"
_MEMORY_MIB: Final = 768
_KERNEL_LINE: Final = "console=ttyS0 root=/dev/nvme0n1 rw quiet systemd.show_status=0 panic=-1"
_BLOCK: Final = 512
_LAST_WORDS: Final = 3000


@dataclass(frozen=True)
class Told:
    """What the program has said."""

    exit_code: int | None
    """None: it has come to no end within its time, or the machine has died."""
    output: str
    console: str
    """The kernel's and systemd's last words."""

    @property
    def words(self) -> str:
        how = "came to no end" if self.exit_code is None else f"ended with {self.exit_code}"
        return (
            f"The program {how}.\n{self.output[-_LAST_WORDS:]}\nThe machine's console:\n{self.console[-_LAST_WORDS:]}"
        )


def run(program: str, *, timeout_s: float = 120.0, progress: Progress = silent) -> Told:
    """Boot, run this shell script in `/code` as root, switch off.

    `timeout_s` is for a quiet machine (`PATIENCE`), with the boot, which takes about ten; after that the machine is killed.
    """
    require(QEMU)
    disks, code = ensure_disks(progress), ensure_code()
    with tempfile.TemporaryDirectory(prefix="backstay-kernel-") as folder:
        place = Path(folder)
        data = program.encode() + b"\n"
        (place / "program").write_bytes(data.ljust(-(-len(data) // _BLOCK) * _BLOCK, b"\0"))
        _run(_command(place, disks, code), timeout_s * PATIENCE)
        code_said = _read(place / "exit").strip()
        return Told(
            int(code_said) if code_said.isdecimal() else None, _read(place / "output"), _read(place / "console")
        )


def _command(place: Path, disks: Disks, code: Path) -> list[str]:
    drives = [disks.root, code, place / "program"]
    return [
        *(QEMU, "-accel", "tcg,thread=multi", "-cpu", "qemu64", "-smp", "2", "-m", str(_MEMORY_MIB)),
        *("-nodefaults", "-nic", "none", "-display", "none", "-no-reboot"),
        *("-kernel", str(disks.kernel), "-append", _KERNEL_LINE, "-device", "nvme,id=disks,serial=disks"),
        *(word for number, drive in enumerate(drives, start=1) for word in _drive(number, drive)),
        *(word for name in ("console", "output", "exit") for word in ("-serial", f"file:{place / name}")),
    ]


def _drive(number: int, path: Path) -> list[str]:
    """What is written to it is kept in an unnamed file as long as the machine lives."""
    back = f"if=none,id=d{number},file={path},format=raw,snapshot=on"
    return ["-drive", back, "-device", f"nvme-ns,drive=d{number},bus=disks,nsid={number}"]


def _run(command: list[str], limit_s: float) -> None:
    """`timeout` sees to its end where we are no more to do so."""
    bounded = ["timeout", "--kill-after=1", str(limit_s), *command]
    process = subprocess.Popen(
        bounded,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, said = process.communicate(timeout=limit_s + 10)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)
    if process.returncode not in (0, 124, 137):
        raise LabError(f"{QEMU} failed ({process.returncode}): {said.strip()[-600:]}")


def _read(file: Path) -> str:
    return file.read_text(errors="replace") if file.exists() else ""


def main() -> int:
    """Says what the program said, and exits as it did."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("program", help="a shell script")
    words.add_argument("--timeout", type=float, default=120.0, metavar="S", help="on a quiet machine (default: 120)")
    asked = words.parse_args()
    try:
        told = run(asked.program, timeout_s=asked.timeout, progress=lambda line: print(line, file=sys.stderr))
    except LabError as error:
        print(error, file=sys.stderr)
        return EXIT_CANNOT
    print(told.output if told.exit_code is not None else told.words)
    return EXIT_CANNOT if told.exit_code is None else told.exit_code


if __name__ == "__main__":
    sys.exit(main())
