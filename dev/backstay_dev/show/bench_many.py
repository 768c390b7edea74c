"""Many services on one host, each looked at once a second: how soon one that died is back, what watching costs, how all start at once.

Beside each stands what systemd alone needs for units like them, in the same run.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from backstay_dev.lab.hosts import LabHost
from backstay_dev.lab.lab import Lab
from backstay_dev.lab.product import AGENT_UNIT, Product
from backstay_dev.lab.shell import wait_until

from .bench_cases import cpu_percent, outer_pid, pss_mib

COUNTS: Final = (1, 50, 150, 300)
"""One step is of `AT_ONCE` services: as many as the floor's."""
KILLS: Final = 60
AT_ONCE: Final = 100
FIRST_PORT: Final = 20_000
FLOOR: Final = "floor"
"""Units like ours that nobody but systemd watches; it restarts them by itself."""
_UNIT: Final = "[Service]\nExecStart=/bin/busybox httpd -f -p {port} -h /srv\n{more}"
_RESTARTS: Final = "Restart=always\nRestartSec=0\n[Unit]\nStartLimitIntervalSec=0\n"
_WINDOW_S: Final = 1.0
"""A restart is forgotten after so long: what is measured is none of the pauses that failures in a row earn."""


@dataclass(frozen=True)
class Found:
    """A figure of this lab, with all that was measured."""

    name: str
    unit: str
    values: Sequence[float]
    aim: float | None = None
    breakdown: Mapping[str, float] = field(default_factory=dict)
    """What the last of them consists of."""


@dataclass
class Crowd:
    """One host, and the services on it so far."""

    lab: Lab
    product: Product
    count: int = 0

    @property
    def host(self) -> LabHost:
        return self.lab["n1"]

    def install(self, prefix: str, numbers: Sequence[int], first_port: int, more: str = "") -> list[str]:
        """Units that answer by TCP, each at a port of its own."""
        for number in numbers:
            text = _UNIT.format(port=first_port + number, more=more)
            self.host.write_file(f"/etc/systemd/system/{prefix}-{number}.service", text)
        self.host.run("systemctl", "daemon-reload")
        return [f"{prefix}-{number}.service" for number in numbers]

    def grow(self, to: int) -> list[str]:
        """So many services in all; the host gets the label of the new ones in one moment, when all are there. Their units."""
        numbers, label = range(self.count, to), f"many-{to}"
        units = self.install("many", numbers, FIRST_PORT)
        items = [_service(number, unit, label) for number, unit in zip(numbers, units, strict=True)]
        self.lab.plane.kubectl("apply", "-f", "-", stdin=json.dumps(_list_of(items)), timeout_s=120)
        self.lab.plane.kubectl("label", "host", "n1", f"{label}=yes")
        self._until(lambda status: _running(status) >= to)
        self.count = to
        return units

    def spread_s(self, units: Sequence[str]) -> float:
        """From the first that systemd began to start to the last that was up."""
        words = ("-p", "InactiveExitTimestampMonotonic", "-p", "ActiveEnterTimestampMonotonic")
        lines = self.host.run("systemctl", "show", *words, *units).split()
        begun = [int(line.partition("=")[2]) for line in lines if line.startswith("Inactive")]
        up = [int(line.partition("=")[2]) for line in lines if line.startswith("Active")]
        return (max(up) - min(begun)) / 1e6

    def killed_s(self, unit: str) -> float:
        """From SIGKILL of its process until systemd calls the unit active again."""
        pid = outer_pid(self.host, int(self.host.run("systemctl", "show", "-P", "MainPID", unit)))
        killed_s = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self._up_s(unit) > killed_s, timeout_s=30, what=f"{unit} again", every_s=0.02)
        return self._up_s(unit) - killed_s

    def _up_s(self, unit: str) -> float:
        return int(self.host.run("systemctl", "show", "-P", "ActiveEnterTimestampMonotonic", unit)) / 1e6

    def _until(self, true: Callable[[dict[str, Any]], bool]) -> None:
        def asked() -> bool:
            return true(self.product.get("hostassignments", "n1").get("status", {}))

        wait_until(asked, timeout_s=90, what="all services", every_s=0.2)


@contextmanager
def crowd(progress: Callable[[str], None]) -> Iterator[Crowd]:
    """One host with the product; nobody is fenced here."""
    with Lab(1, progress=progress) as lab:
        product = Product(lab)
        product.install()
        product.enrol()
        product.start_operator("operator")
        product.start_fencer()
        product.start_agent("n1")
        product.wait_ready()
        yield Crowd(lab, product)


def figures(progress: Callable[[str], None]) -> Iterator[Found]:
    """All of them, in an order that lets the host fill."""
    with crowd(progress) as many:
        floor = many.install(FLOOR, range(AT_ONCE), FIRST_PORT + 1000, _RESTARTS)
        many.host.run("systemctl", "start", *floor)
        alone_s = many.spread_s(floor)
        many.host.run("systemctl", "stop", *floor[1:])
        for count in COUNTS:
            progress(f"{count} services on one host")
            fresh = many.grow(count)
            if len(fresh) >= AT_ONCE:
                yield from _started(fresh, many.spread_s(fresh), alone_s)
            yield from _killed(many, count, floor[0])
        yield Found(f"floor: `systemctl start` of {AT_ONCE} such units: first to last", "s", [alone_s])
        pid = outer_pid(many.host, int(many.host.run("systemctl", "show", "-P", "MainPID", AGENT_UNIT)))
        each_second = f"agent, {many.count} services asked by TCP each second"
        yield Found(f"{each_second}: PSS", "MiB", [pss_mib(pid)], aim=60)
        yield Found(f"{each_second}: CPU", "% of a core", [cpu_percent(pid)], aim=3)


def _started(units: Sequence[str], ours_s: float, alone_s: float) -> Iterator[Found]:
    yield Found(f"{len(units)} services started at once: first to last", "s", [ours_s])
    if len(units) == AT_ONCE:  # of another number the floor says nothing
        yield Found(f"{AT_ONCE} services started at once: of the floor", "times", [ours_s / alone_s], aim=1.3)


def _killed(many: Crowd, count: int, floor: str) -> Iterator[Found]:
    ours, alone = [], []
    for number in range(KILLS):
        ours.append(many.killed_s(f"many-{number % count}.service"))
        alone.append(many.killed_s(floor))
        if count < KILLS:
            time.sleep(_WINDOW_S)
    yield Found(f"{count} services, one killed: started again", "s", ours)
    yield Found(f"floor, beside {count} services: a unit with Restart=always", "s", alone)
    yield Found(
        f"{count} services, one killed: 99 % within, beyond the floor", "s", [_p99(ours) - _p99(alone)], aim=0.02
    )


def _p99(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[98]


def _running(status: dict[str, Any]) -> int:
    return sum(one["phase"] == "Running" for one in status.get("instances", {}).values())


def _service(number: int, unit: str, label: str) -> dict[str, Any]:
    probe = {"name": "answers", "tcpSocket": {"port": FIRST_PORT + number}, "period": "1s"}
    return {
        "apiVersion": "backstay.dev/v1alpha1",
        "kind": "HAService",
        "metadata": {"name": f"many-{number}", "namespace": "default"},
        "spec": {
            "placement": {"hosts": {"matchLabels": {label: "yes"}}},
            "recovery": {"restarts": 1, "window": f"{_WINDOW_S:g}s"},
            "resources": [{"name": "server", "systemd": {"unit": unit}, "probes": [probe]}],
        },
    }


def _list_of(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": list(items)}
