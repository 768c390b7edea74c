"""All sources, one a row, in the order in which they are asked: a later one sees what earlier ones have found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from backstay_api.objects.survey import Survey

from . import certificates, host, mentions, mounts, packages, processes, sizes, sockets, units
from .contained import found
from .place import Place
from .systemd import Systemd, SystemdRefuses


@dataclass(frozen=True)
class SurveySource:
    """One row."""

    name: str
    reads: str
    """What it looks at, for people."""
    limit_s: float
    look: Callable[[Place, Survey], Survey]


def _processes(place: Place, base: Survey) -> Survey:
    try:
        pids = Systemd().processes(base.unit)
    except SystemdRefuses:
        return found(base)  # it has no control group: it does not run, or is no service
    return processes.processes(place, pids, base)


SOURCES: Final[tuple[SurveySource, ...]] = (
    SurveySource(
        "units around it",
        "systemd's units that it requires, wants or is started by",
        5,
        lambda place, base: units.around(Systemd(), place, base),
    ),
    SurveySource("processes", "/proc/PID: exe, status, cmdline, environ (names only)", 5, _processes),
    SurveySource("mounts", "/proc/PID/mountinfo, /sys/dev/block, /dev/disk/by-id", 3, mounts.mounts),
    SurveySource("mapped code", "/proc/PID/maps", 3, processes.code),
    SurveySource("open files", "/proc/PID/fd, fdinfo", 3, processes.open_files),
    SurveySource("sockets", "/proc/PID/net, the kernel's sock_diag, /proc/*/fd", 4, sockets.sockets),
    SurveySource("peers", "systemd's units at the other ends", 4, lambda place, base: units.peers(Systemd(), base)),
    SurveySource("environment", "EnvironmentFile= (names only)", 2, host.environment),
    SurveySource("credentials", "LoadCredential=, /etc/credstore", 2, host.credentials),
    SurveySource("accounts", "/etc/passwd, /etc/group, then the name service", 2, host.accounts),
    SurveySource(
        "timers",
        "systemd's timers, and who their work runs as",
        5,
        lambda place, base: units.timers(Systemd(), place, base),
    ),
    SurveySource("conffiles", "dpkg's status and lists", 4, packages.conffiles),
    SurveySource("mentions", "text files among all that is found", 4, mentions.mentions),
    SurveySource("packages", "dpkg's status and lists, or rpm", 10, packages.packages),
    SurveySource("settings", "/etc/sysctl.d, /etc/modules-load.d, /proc/sys, /proc/modules", 2, host.settings),
    SurveySource("certificates", "PEM and DER files among all that is found", 4, certificates.certificates),
    SurveySource(
        "sizes", "directories with data: a bounded walk", 4, lambda place, base: sizes.sizes(place, _now_s, base)
    ),
)


def _now_s() -> float:
    """Files have times of the wall clock."""
    return datetime.now(UTC).timestamp()
