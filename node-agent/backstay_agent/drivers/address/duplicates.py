"""Who else was seen to have an address of ours. Told the time, so pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from .frames import IP

REMIND_S: Final = 60.0
"""So often each address is announced again, and asked after: who only answers, and never speaks first, is found by that."""
FORGET_S: Final = 2 * REMIND_S + 10
"""Who was asked twice and has not answered has it no more."""
AGAIN_S: Final = 10.0
"""Until the same claim is news again, and an address is defended again (RFC 5227, DEFEND_INTERVAL)."""
MOST: Final = 8
"""Machines that are remembered for one address."""


def next_reminder_s(now_s: float) -> float:
    """The same for all addresses of a host, so that one look at its links does for all."""
    return (now_s // REMIND_S + 1) * REMIND_S


class Duplicates:
    """By address: interface and MAC of whoever said that it has it, and when that was seen last."""

    def __init__(self) -> None:
        self._claims: dict[IP, dict[tuple[str, bytes], float]] = {}

    def saw(self, ip: IP, link: str, mac: bytes, *, now_s: float) -> bool:
        """Whether that is news."""
        known = self._claims.setdefault(ip, {})
        for claim in [claim for claim, at_s in known.items() if now_s - at_s > FORGET_S]:
            del known[claim]
        last_s = known.get((link, mac))
        if last_s is None and len(known) >= MOST:
            return False
        known[link, mac] = now_s if last_s is None or now_s - last_s >= AGAIN_S else last_s
        return known[link, mac] == now_s

    def who(self, ip: IP, link: str, *, but: Collection[bytes], now_s: float) -> list[bytes]:
        """Their MACs, in order, as seen on this interface; `but`: these are our own."""
        known = self._claims.get(ip, {})
        return sorted(
            mac for (on, mac), at_s in known.items() if on == link and mac not in but and now_s - at_s <= FORGET_S
        )

    def forget(self, ip: IP) -> None:
        """Whoever had it was asked anew."""
        self._claims.pop(ip, None)
