"""The end of an agent: does it go alone, or the whole machine with it; and may it go alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from .books import Books

# What a machine does that is going down, by the target that systemd is starting then.
_ENDS: Final = {
    "reboot.target": "it reboots",
    "soft-reboot.target": "its user space is restarted",
    "kexec.target": "it boots another kernel",
    "poweroff.target": "it powers off",
    "halt.target": "it halts",
    "exit.target": "its container ends",
    "rescue.target": "it goes into rescue mode",
    "emergency.target": "it goes into emergency mode",
    "shutdown.target": "it shuts down",
}


def how_it_goes_down(jobs: Iterable[tuple[str, str]]) -> str:
    """How this machine is going down, by systemd's jobs (unit and what is done to it); empty: it is not."""
    starting = {unit for unit, what in jobs if what == "start"}
    return next((how for unit, how in _ENDS.items() if unit in starting), "")


def why_not_stop(books: Books | None) -> str:
    """Why the agent may not simply be stopped (restarting it is always harmless), and what to do first; empty if it may."""
    if books is None or books.hands_off or books.seq == 0:
        return ""
    held = [record.title for record in books.records.values() if record.exclusive and not record.closed]
    if not held:
        return ""
    return (
        f"this host holds {', '.join(held)}. Without its agent it is taken for dead within seconds and powered off. Either"
        " move them away first (`backstay drain <host> --wait`), or set maintenance mode HandsOff, which leaves them"
        " running; a mere restart (`systemctl restart backstay-agent`) needs neither"
    )
