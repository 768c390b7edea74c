"""What the monitor checks about stuck stops: who lives is sealed only for what it says it cannot stop, where the manifest asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from backstay_api.client.api import EventType
from backstay_api.memory.server import Change

from .leasewatch import LATELY_S


@dataclass
class StuckWatch:
    """Judges every seal of a host that renews."""

    accuse: Callable[[str], None]
    said_s: dict[tuple[str, str, str], float] = field(default_factory=dict)
    """Host, session and service: when it last said that it cannot stop it."""
    asked_s: dict[str, float] = field(default_factory=dict)
    """By service: when its manifest last said `onStopFailure: Fence`."""
    asking: set[str] = field(default_factory=set)
    """Services whose manifest says so now."""
    saying: dict[str, set[tuple[str, str, str]]] = field(default_factory=dict)
    """By host: what it says now."""

    def note_service(self, change: Change) -> None:
        name, is_gone = change.key[1], change.type is EventType.DELETED
        recovery = {} if is_gone else change.body["spec"].get("recovery") or {}
        if recovery.get("onStopFailure") == "Fence":
            self.asking.add(name)
        elif name in self.asking:
            self.asking.discard(name)
            self.asked_s[name] = _now_s()

    def note_assignment(self, change: Change) -> None:
        host, status = change.key[1], change.body.get("status") or {}
        session, reports = status.get("session"), status.get("instances") or {}
        text = f"{session['bootID']}/{session['nonce']}" if session else ""
        stuck = (
            [one for one in reports.values() if one.get("unstoppable")] if change.type is not EventType.DELETED else []
        )
        now = {(host, text, one["service"]) for one in stuck}
        self.said_s |= dict.fromkeys(self.saying.get(host, set()) - now, _now_s())
        self.saying[host] = now

    def note_seal(self, host: str, session: str) -> None:
        """One session is sealed though it renews."""
        late_s = _now_s() - LATELY_S
        said = self.saying.get(host, set()) | {one for one, at_s in self.said_s.items() if at_s > late_s}
        asked = self.asking | {name for name, at_s in self.asked_s.items() if at_s > late_s}
        if not any((host, session, name) in said for name in asked):
            self.accuse(f"{host} is sealed though it lives, and nothing that says Fence could not be stopped there")


def _now_s() -> float:
    return asyncio.get_running_loop().time()
