"""A reconciler as one must not write it: a host is silent, so its service is started elsewhere at once.

No seal, no proof, no epoch. It exists for one purpose: to show that the overlap detector sees what such a reconciler does to a
host that is cut off and lives on. It is the lab's own and shares nothing with the product, which has no flag that makes it so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from backstay_api.objects import lease as hostleases
from backstay_api.objects.lease import NAMESPACE
from backstay_dev.lab.lab import Lab

SILENT_S: Final = 1.5
"""As long as the product needs to call a host of the lab profile silent."""

# What each host's Lease says by now: another text means that it lives.
Renewals = Mapping[str, str]


@dataclass
class Unsafe:
    """Keeps one unit running somewhere, whatever it takes."""

    hosts: Sequence[str]
    start: Callable[[str], None]
    holder: str = ""
    _seen: dict[str, tuple[str, float]] = field(default_factory=dict)

    def look(self, renewals: Renewals, now_s: float) -> None:
        """One round: who is silent, and then without a second thought to the next."""
        for host, renewal in renewals.items():
            if self._seen.get(host, ("", 0.0))[0] != renewal:
                self._seen[host] = renewal, now_s
        alive = [host for host in self.hosts if host in self._seen and now_s - self._seen[host][1] < SILENT_S]
        if self.holder not in alive and alive:
            self.holder = alive[0]
            self.start(self.holder)


def on_a_lab(lab: Lab, unit: str) -> Callable[[], Unsafe]:
    """The same, acting: each call is one round, and returns the reconciler as it stands."""
    unsafe = Unsafe(list(lab.hosts), lambda host: _start(lab, host, unit))

    def one_round() -> Unsafe:
        leases = lab.plane.request("GET", f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases")["items"]
        renewals = {
            lease.host: f"{lease.holder} {lease.renewal}" for lease in map(hostleases.read, leases) if lease.holder
        }
        unsafe.look(renewals, time.monotonic())
        return unsafe

    return one_round


def _start(lab: Lab, host: str, unit: str) -> None:
    lab[host].run("systemctl", "start", unit)
