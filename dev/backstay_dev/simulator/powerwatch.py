"""What the monitor checks about power: gently, only where it helps, and what was switched off is switched on again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from backstay_api.client.api import EventType
from backstay_api.memory.server import Change
from backstay_fencer.agents import Action

from .boards import Bmc
from .machines import Machine

STORM_S: Final = 60.0
"""The window of PROTOCOL 4."""
LATELY_S: Final = 130.0
"""A fencer that was frozen for a minute, with a view half a minute old, may still act on what was wanted then."""
HELPER_S: Final = 40.0
"""A host that has not renewed for so long is nobody's hope, however late the news of it travels."""


SURE_S: Final = 35.0
"""An `off` is over 30 s after its agent's end, which our device's timeout of 5 s bounds."""


BACK_S: Final = 10.0
"""So long after an outage somebody may not have been told yet of what was written meanwhile."""


@dataclass
class Off:
    """The last `off` that was sent to one device, and what has become of it."""

    sent_s: float
    is_on_since: bool = False
    """Its machine has come on, whoever did that."""
    past_for: set[str] = field(default_factory=set)
    """Fencers that have read since that the device is on. Before, they cannot know, and still owe an `on`."""
    is_denied: bool = False
    """A fencer was told that the device is on, long enough after this, and it was a lie: nobody can know that an `on` is still owed."""


@dataclass
class PowerWatch:
    """Judges every seal, every `off` and every `on`."""

    accuse: Callable[[str], None]
    budget: int
    operators: int = 1
    wanting: dict[str, str] = field(default_factory=dict)
    """By FenceRequest that wants Off: its host."""
    wanted_s: dict[str, float] = field(default_factory=dict)
    """By host: until when some request wanted Off."""
    confirmed: set[str] = field(default_factory=set)
    """Sessions that a person has confirmed."""
    sealed: dict[str, tuple[str, float]] = field(default_factory=dict)
    """By host: the session that was sealed last by silence alone, and when."""
    sealed_alive: dict[str, tuple[str, float]] = field(default_factory=dict)
    """The same of sessions that renewed, and were sealed for a stop."""
    cut: dict[str, None] = field(default_factory=dict)
    """Sessions for which an `off` was sent, in their order."""
    ours: dict[str, Off] = field(default_factory=dict)
    """By device to which `off` was ever sent."""
    touched: set[str] = field(default_factory=set)
    """Hosts to which `off` was ever sent, or may have been as far as a request says."""
    recorded: set[tuple[str, str]] = field(default_factory=set)
    """Device, and time of an `off` that a request has recorded as ours."""
    began_s: dict[str, float] = field(default_factory=dict)
    """By fencer: when its present life began."""
    away_s: dict[str, tuple[float, float]] = field(default_factory=dict)
    """By fencer: from when until when it was cut off from the API server last."""

    # --- seals -----------------------------------------------------------------------------------------------------

    def note_seal(self, host: str, session: str, renewed_s: Mapping[str, float], *, is_plain: bool) -> None:
        """One session is sealed."""
        now_s = _now_s()
        if not is_plain:
            return
        lost = {name for name, (_, at_s) in self.sealed.items() if self._is_lost(name, at_s, renewed_s)} | {host}
        lived = {name for name, at_s in renewed_s.items() if now_s - at_s < 2 * STORM_S} | lost
        self.sealed[host] = session, now_s
        self.sealed_alive.pop(host, None)
        if len(lost) > 1 and 2 * len(lost) >= len(lived):
            self.accuse(
                f"{host} is sealed in a storm: {', '.join(sorted(lost))} within {STORM_S:g} s,"
                f" of {len(lived)} hosts that lived"
            )
        self._helps(host, renewed_s)

    def note_seal_alive(self, host: str, session: str, renewed_s: Mapping[str, float]) -> None:
        """One session is sealed though it renews: it gives way to those that are lost."""
        both = [*self.sealed.items(), *self.sealed_alive.items()]
        lost = {name for name, (_, at_s) in both if name != host and self._is_lost(name, at_s, renewed_s)}
        self.sealed.pop(host, None)
        self.sealed_alive[host] = session, _now_s()
        if lost:
            self.accuse(f"{host} is sealed for a stop within {STORM_S:g} s of {', '.join(sorted(lost))}")
        self._helps(host, renewed_s)

    def _helps(self, host: str, renewed_s: Mapping[str, float]) -> None:
        helpers = [name for name, at_s in renewed_s.items() if name != host and _now_s() - at_s < HELPER_S]
        if not helpers:
            self.accuse(f"{host} is sealed for nothing: no other host has lived for {HELPER_S:g} s")

    def _is_lost(self, host: str, sealed_s: float, renewed_s: Mapping[str, float]) -> bool:
        return _now_s() - sealed_s < STORM_S and renewed_s.get(host, float("-inf")) <= sealed_s

    # --- requests --------------------------------------------------------------------------------------------------

    def note_request(self, change: Change) -> None:
        name, spec = change.key[1], change.body["spec"]
        if change.type is not EventType.DELETED and spec.get("confirm"):
            self.confirmed.add(_session(spec["session"]))
        self._note_attempts(spec["host"], (change.body.get("status") or {}).get("attempts") or ())
        if change.type is not EventType.DELETED and spec.get("want") == "Off":
            self.wanting[name] = spec["host"]
        elif name in self.wanting:
            self.wanted_s[self.wanting.pop(name)] = _now_s()

    def _note_attempts(self, host: str, attempts: Iterable[Mapping[str, Any]]) -> None:
        """An `off` is recorded as ours before it is sent: whoever reads that has to owe an `on`, sent or not (PROTOCOL 5)."""
        for one in attempts:
            device, at = f"{host}-{one['level']}-{one['device']}", one["at"]
            if one["action"] == "off" and one.get("ours", True) and (device, at) not in self.recorded:
                self.recorded.add((device, at))
                self.touched.add(host)
                self.ours.setdefault(device, Off(_now_s()))

    # --- switches --------------------------------------------------------------------------------------------------

    def note_switch(self, by: str, bmc: Bmc, action: Action) -> None:
        """A fence agent is told to switch, by one fencer."""
        if bmc.machine.name != bmc.host:
            self.accuse(f"`{action}` for {bmc.host} goes to {bmc.machine.name}")
        if action == "off":
            self.ours[bmc.name] = Off(_now_s())
            self.touched.add(bmc.host)
            self._off(bmc.host)
            return
        if not self._is_ours(by, bmc):
            self.accuse(f"`on` is sent to {bmc.name}, which we have not switched off")

    def _is_ours(self, by: str, bmc: Bmc) -> bool:
        """Who may be switched on. A machine that is on already (by a person, another fencer, another outlet) takes no harm by it."""
        if bmc.machine.is_on or bmc.machine.off_by_device:
            return bmc.host in self.touched
        return any(by not in off.past_for for off in self._offs_of(bmc.host))

    def _offs_of(self, host: str) -> list[Off]:
        return [off for name, off in self.ours.items() if name.startswith(f"{host}-")]

    def note_power(self, machine: Machine) -> None:
        """It is on, whoever switched it on."""
        if machine.is_on:
            for off in self._offs_of(machine.name):
                off.is_on_since = True

    def note_begin(self, fencer: str) -> None:
        """It starts (anew), and cannot know how long ago an `off` of its life before was sent (PROTOCOL 5)."""
        self.began_s[fencer] = _now_s()
        for off in self.ours.values():
            off.past_for.discard(fencer)

    def note_away(self, by: str, since_s: float, until_s: float) -> None:
        """A fencer is told again what has happened: from when it learns of another's `off` it counts (PROTOCOL 5)."""
        self.away_s[by] = since_s, until_s

    def note_read(self, by: str, bmc: Bmc) -> None:
        """A fencer reads a device on: what we did before is past for it, if that is true, and it has to believe so, if not."""
        off = self.ours.get(bmc.name)
        if off is None or (bmc.machine.is_on and not off.is_on_since):
            return
        # Earlier, an `off` of ours may still come through, though it is on and though `on` was sent since (PROTOCOL 5).
        since_s, until_s = self.away_s.get(by, (float("inf"), float("inf")))
        learned_s = until_s + BACK_S if since_s <= off.sent_s <= until_s else off.sent_s
        known_s = max(learned_s, self.began_s.get(by, off.sent_s))
        if _now_s() - known_s <= SURE_S:
            return
        if bmc.machine.is_on:
            off.past_for.add(by)
        else:
            off.is_denied = True

    def owes_on(self, host: str) -> bool:
        """Whether somebody can know that a host that we have switched off is to be switched on again."""
        offs = self._offs_of(host)
        return not offs or any(not off.is_denied for off in offs)

    def _off(self, host: str) -> None:
        if host not in self.wanting.values() and _now_s() - self.wanted_s.get(host, float("-inf")) > LATELY_S:
            self.accuse(f"`off` is sent to {host}, and nobody wants it")
        session = {**self.sealed, **self.sealed_alive}.get(host, ("", 0.0))[0]
        if session:
            self.cut[session] = None
        spent = [session for session in self.cut if session not in self.confirmed]
        if len(spent) > self.budget + self.operators - 1:
            self.accuse(f"{len(spent)} sessions were cut off without a person, and the budget is {self.budget} an hour")


def _session(raw: Mapping[str, object]) -> str:
    return f"{raw['bootID']}/{raw['nonce']}"


def _now_s() -> float:
    return asyncio.get_running_loop().time()
