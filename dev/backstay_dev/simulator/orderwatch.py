"""What the monitor checks about orders: they move only forward, and none goes while something still waits for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backstay_api.client.api import EventType
from backstay_api.memory.server import Change

from .machines import Machine


@dataclass
class OrderWatch:
    """Judges every write of a HostAssignment's spec."""

    accuse: Callable[[str], None]
    running: Callable[[str, str, str], set[str]]
    """Service, HAInstance and host: what of it runs there by us."""
    machines: Mapping[str, Machine]

    def observe(self, change: Change) -> None:
        """One write."""
        if change.actor == "a person" or change.before is None:
            return
        host = change.key[1]
        old = (change.before.get("spec") or {}).get("instances") or {}
        is_gone = change.type is EventType.DELETED
        new = {} if is_gone else (change.body.get("spec") or {}).get("instances") or {}
        for uid, before in old.items():
            after = new.get(uid)
            if after is None:
                self._vanishes(host, before, new)
            elif after["epoch"] < before["epoch"]:
                self.accuse(f"{host}: the order for {before['name']} goes back to epoch {after['epoch']}")
            elif after["epoch"] == before["epoch"] and (before["want"], after["want"]) == ("Down", "Up"):
                self.accuse(f"{host}: {before['name']} epoch {after['epoch']} was ordered Down and is ordered Up again")

    def _vanishes(self, host: str, order: Mapping[str, Any], new: Mapping[str, Mapping[str, Any]]) -> None:
        """An entry goes: nothing may run by it. A later life of the same name has an entry of its own."""
        machine = self.machines.get(host)
        is_same_boot = machine is not None and machine.is_on and machine.boot_id == order["session"]["bootID"]
        if not is_same_boot or any(other["name"] == order["name"] for other in new.values()):
            return
        if runs := self.running(order["service"], order["name"], host):
            what = ", ".join(sorted(runs))
            self.accuse(f"{host}: the order for {order['name']} epoch {order['epoch']} goes while {what} runs by it")
