"""Names of systemd units, and the two files that keep a unit from starting without us.

The drop-in lies on disk and outlives a boot: it makes the unit's start depend on a gate, and forbids systemd to restart
the unit by itself. The gate lies in `/run`, so after a boot it is shut; it stands open only between our start and our
stop. Both together turn "this unit must not start by itself" from a wish into a fact.
"""

from __future__ import annotations

import os
import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Final

from backstay_api.objects.unit_settings import cannot_wait

# Sorted after what `systemctl edit` writes (override.conf), which may set Restart= or reset the conditions.
DROP_IN: Final = "zz-backstay.conf"
_MARK: Final = "# Written by the Backstay agent"
_PART_OF: Final = "# A part of"
MARK_VARIABLE: Final = "BACKSTAY_UNIT"
"""In the environment of everything that a unit of ours starts."""

_NAME = re.compile(r"[A-Za-z0-9:_.\\@-]+\.(service|socket|target|timer|path|mount|automount|slice)")
# What a host needs to live, to be reached and to run the agent: whoever could stop it could stop the host.
_FORBIDDEN: Final = (
    "backstay-*", "systemd-*", "dbus*", "ssh.*", "sshd.*", "ssh@*", "sshd@*", "user@*", "user-runtime-dir@*", "getty*",
    "*getty@*", "init.scope", "NetworkManager*", "networking.service", "watchdog.service",
    "basic.target", "ctrl-alt-del.target", "default.target", "emergency.*", "exit.target", "final.target",
    "graphical.target", "halt.target", "hibernate.target", "hybrid-sleep.target", "initrd*", "kexec.target",
    "local-fs*.target", "multi-user.target", "network*.target", "poweroff.target", "reboot.target", "rescue.*",
    "runlevel?.target", "shutdown.target", "sigpwr.target", "sleep.target", "soft-reboot.target", "sockets.target",
    "suspend*.target", "swap.target", "sysinit.target", "time-set.target", "timers.target", "umount.target",
    "-.mount", "-.slice", "machine.slice", "system.slice", "user.slice", "user-*.slice",
    "boot*.mount", "dev.mount", "dev-*.mount", "efi.mount", "etc.mount", "etc-*.mount", "proc.mount", "proc-*.mount", "root.mount",
    "run.mount", "run-*.mount", "sys.mount", "sys-*.mount", "tmp.mount", "usr.mount", "usr-*.mount", "var.mount", "var-cache.mount",
    "var-lib.mount", "var-lib-backstay*.mount", "var-log*.mount", "var-tmp.mount",
)  # fmt: skip
# Packages of their own, or instances that people make, whatever they are called.
_ALLOWED: Final = ("systemd-journal-gatewayd.*", "systemd-journal-remote.*", "systemd-nspawn@*", "systemd-vmspawn@*")
# Nobody's in particular: many pull them in, and on a given host perhaps only one does. Named by hand they are fine.
_SHARED: Final = (
    "bluetooth.target", "blockdev@*", "cloud-*", "cryptsetup*", "factory-reset.target", "first-boot-complete.target",
    "getty*.target", "integritysetup*", "machines.target", "modprobe@*", "nss-*.target", "paths.target", "printer.target",
    "remote-*.target", "rpc-statd*", "rpcbind.*", "slices.target", "smartcard.target", "sound.target", "storage-target-mode.target",
    "time-sync.target", "usb-gadget.target", "veritysetup*",
)  # fmt: skip


@lru_cache(maxsize=4096)  # asked of every unit of the host at each look at one of them
def refusal(unit: str) -> str | None:
    """Why this is no unit that a service may consist of, in a sentence; None if it may."""
    if not _NAME.fullmatch(unit) or len(unit) > 255 - len(".d"):
        return f"{unit[:80]!r} is not the name of a service, socket, target, timer, path or mount unit"
    stem = unit.rpartition(".")[0]
    if not stem or stem.startswith((".", "@")):
        return f"{unit} has no name before its suffix"
    if stem.endswith("@"):
        return f"{unit} is a template: name one of its instances, like {stem}main.{unit.rpartition('.')[2]}"
    if _is_forbidden(unit):
        return f"{unit} belongs to the host itself and is never handed to a service"
    if stem.startswith("-"):
        return f"{unit} begins with a dash, as an option does"
    return cannot_wait(unit) or None


@lru_cache(maxsize=4096)
def belongs_to_host(unit: str) -> bool:
    """Whether this is the host's own, also where only one service pulls it in."""
    return _is_forbidden(unit) or _fits(unit, _SHARED)


def name_of_the_host(names: Iterable[str]) -> str:
    """The first of a unit's names by which it belongs to the host itself; empty if there is none."""
    # Under such a name it is asked for by D-Bus, whoever it belongs to.
    return next((name for name in names if _is_forbidden(name) and not name.startswith("dbus-org.")), "")


def _is_forbidden(unit: str) -> bool:
    return _fits(unit, _FORBIDDEN) and not _fits(unit, _ALLOWED)


def _fits(unit: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(unit, pattern) for pattern in patterns)


def gate_name(unit: str) -> str:
    """File name of the unit's gate. `+` cannot stand in a unit's name, so no two units share a gate."""
    return unit.replace("\\", "+")


def drop_in_text(unit: str, gate: Path, owner: str = "") -> str:
    """Content of the drop-in; `owner` is the unit that this one is a part of, if it is not named itself."""
    lines = [
        f"{_MARK}: this unit is started by Backstay alone, on one host at a time.",
        "# It goes when this host is no candidate any more, and with `backstay host remove`.",
        *([f"{_PART_OF} {owner}"] if owner else []),
        "[Unit]",
        f"ConditionPathExists={gate}",
    ]
    if unit.endswith(".service"):
        # Whatever it starts inherits the mark, into whichever control group it goes.
        lines += ["[Service]", f"Environment={MARK_VARIABLE}=%n"]
        # Of a part systemd itself knows best whether it is to be restarted; the gate holds in any case.
        lines += [] if owner else ["Restart=no", "RestartForceExitStatus="]
    return "\n".join(lines) + "\n"


class UnitFiles:
    """Drop-ins and gates on this host's disk. Every name is checked before it becomes part of a path."""

    def __init__(self, etc: Path = Path("/etc/systemd/system"), gates: Path = Path("/run/backstay/gates")) -> None:
        self._etc = etc
        self._gates = gates
        self._parts: dict[str, str] | None = None
        """Whose part is what, as the drop-ins said when they were first asked, and as we have written them since."""
        self._parts_lock = threading.Lock()
        self._writing: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        """By unit: a write whose caller has given up goes on in its thread."""

    def gate(self, unit: str) -> Path:
        """Where the unit's gate stands."""
        return self._gates / gate_name(safe(unit))

    def has_drop_in(self, unit: str) -> bool:
        return (self._etc / f"{safe(unit)}.d" / DROP_IN).exists()

    def is_open(self, unit: str) -> bool:
        return self.gate(unit).exists()

    def open_gate(self, unit: str) -> None:
        """From now on the unit can be started."""
        gate = self.gate(unit)
        gate.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        gate.touch(mode=0o644)

    def shut_gate(self, unit: str) -> None:
        """From now on every start of the unit is skipped."""
        self.gate(unit).unlink(missing_ok=True)

    def write_drop_in(self, unit: str, owner: str = "") -> bool:
        """Make the drop-in what it should be, surviving a power loss; says whether systemd must read it. Raises OSError.

        With an `owner`, one that stands there already with its condition is left alone: it may be named by another service.
        """
        wanted = drop_in_text(unit, self.gate(unit), owner)
        with self._writing[unit], open_folder(self._etc, f"{safe(unit)}.d", create=True) as folder:
            found = read_in(folder, DROP_IN).decode(errors="replace")
            if found == wanted:
                self._note(unit, owner or unit)
                return False
            if owner and _settings(found) == _settings(drop_in_text(unit, self.gate(unit))):
                return False
            write_in(folder, DROP_IN, wanted.encode())
        _sync(self._etc)  # the new folder's own entry
        self._note(unit, owner or unit)
        return _settings(found) != _settings(wanted)

    def owner(self, unit: str) -> str:
        """The unit that this one is a part of, as its drop-in says; the unit itself if it is no part."""
        try:
            with open_folder(self._etc, f"{safe(unit)}.d", create=False) as folder:
                lines = read_in(folder, DROP_IN).decode(errors="replace").splitlines()
        except OSError:
            return unit
        owners = [line.removeprefix(_PART_OF).strip() for line in lines if line.startswith(_PART_OF)]
        return owners[0] if owners and refusal(owners[0]) is None else unit

    def parts(self, unit: str) -> list[str]:
        """The units that have our drop-in as parts of this one, but for what others have written or removed since we looked."""
        with self._parts_lock:
            if self._parts is None:
                owners = {part: self.owner(part) for part in self.with_drop_in()}
                self._parts = {part: owner for part, owner in owners.items() if owner != part}
            return sorted(part for part, owner in self._parts.items() if owner == unit)

    @property
    def are_known(self) -> bool:
        """Whether `parts` answers at once; else it looks at the disk, which may hang."""
        return self._parts is not None

    def _note(self, unit: str, owner: str) -> None:
        with self._parts_lock:
            if self._parts is not None:
                self._parts.pop(unit, None)
                self._parts |= {unit: owner} if owner != unit else {}

    def owners(self) -> list[str]:
        """The units that wait for our word under their own name, each with all its parts."""
        return sorted({self.owner(unit) for unit in self.with_drop_in()})

    def with_drop_in(self) -> list[str]:
        """The units that have our drop-in."""
        names = (file.parent.name.removesuffix(".d") for file in self._etc.glob(f"*.d/{DROP_IN}"))
        return sorted(name for name in names if refusal(name) is None)

    def remove_drop_in(self, unit: str) -> bool:
        """Take our drop-in away, and nothing else; says whether there was one. Raises OSError."""
        name = f"{safe(unit)}.d"
        try:
            with open_folder(self._etc, name, create=False) as folder:
                if not read_in(folder, DROP_IN).startswith(_MARK.encode()):
                    return False
                os.unlink(DROP_IN, dir_fd=folder)
        except FileNotFoundError:
            return False
        self._note(unit, unit)
        with suppress(OSError):  # somebody else's drop-ins stay
            (self._etc / name).rmdir()
        return True


def _settings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def safe(unit: str) -> str:
    """The name itself, as a part of a path."""
    why = refusal(unit)
    assert why is None, f"an unchecked unit name reached the disk: {why}"
    return unit


@contextmanager
def open_folder(parent: Path, name: str, *, create: bool) -> Iterator[int]:
    """A descriptor of the folder; never through a link, which could lead anywhere."""
    if create:
        with suppress(FileExistsError):
            (parent / name).mkdir(mode=0o755)
    folder = os.open(parent / name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        os.close(folder)


def read_in(folder: int, name: str) -> bytes:
    """What such a file says; nothing if there is none. Never through a link."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return b""
    with os.fdopen(file, "rb") as stream:
        return stream.read(65536)


def write_in(folder: int, name: str, content: bytes) -> None:
    """Put it there whole, surviving a power loss."""
    fresh = f".{name}.new"
    with suppress(FileNotFoundError):
        os.unlink(fresh, dir_fd=folder)
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=folder)
    with os.fdopen(file, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fchmod(file, 0o644)  # whatever our umask
        os.fsync(file)
    os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)


def _sync(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
