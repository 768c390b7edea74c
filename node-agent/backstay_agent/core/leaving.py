"""The end of an agent: does it go alone, or the whole machine with it; and may it go alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from .checkpoint import Checkpoint


class GoingDown(NamedTuple):
    """How a machine goes down in order."""

    how: str
    """In words: `it reboots`."""
    type: Literal["Reboot", "PowerOff", "Other"]
    """For programs. Reboot: it comes back by itself."""


# What a machine does that is going down, by the target that systemd is starting then.
_ENDS: Final = {
    "reboot.target": GoingDown("it reboots", "Reboot"),
    "soft-reboot.target": GoingDown("its user space is restarted", "Reboot"),
    "kexec.target": GoingDown("it boots another kernel", "Reboot"),
    "poweroff.target": GoingDown("it powers off", "PowerOff"),
    "halt.target": GoingDown("it halts", "PowerOff"),
    "exit.target": GoingDown("its container ends", "PowerOff"),
    "rescue.target": GoingDown("it goes into rescue mode", "Other"),
    "emergency.target": GoingDown("it goes into emergency mode", "Other"),
    "shutdown.target": GoingDown("it shuts down", "Other"),
}


def how_it_goes_down(jobs: Iterable[tuple[str, str]]) -> GoingDown | None:
    """How this machine is going down, by systemd's jobs (unit and what is done to it); None: it is not."""
    starting = {unit for unit, what in jobs if what == "start"}
    return next((end for unit, end in _ENDS.items() if unit in starting), None)


def why_not_stop(checkpoint: Checkpoint | None) -> str:
    """Why the agent may not simply be stopped (restarting it is always harmless), and what to do first; empty if it may."""
    if checkpoint is None or checkpoint.hands_off or checkpoint.seq == 0:
        return ""
    held = [record.title for record in checkpoint.records.values() if record.exclusive and not record.closed]
    if not held:
        return ""
    return (
        f"this host holds {', '.join(held)}. Without its agent it is taken for dead within seconds and powered off. Either"
        " move them away first (`backstay drain <host> --wait`), or set maintenance mode HandsOff, which leaves them"
        " running; a mere restart (`systemctl restart backstay-agent`) needs neither"
    )
