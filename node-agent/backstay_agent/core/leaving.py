"""The end of an agent: does it go alone, or the whole machine with it, or much of it; and may it go alone. Pure."""

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


# `systemctl isolate`, a stop of a slice, or of the agent and what it runs in one go.
_WITH_OTHERS: Final = GoingDown("systemd stops its agent and other units with it (isolate?)", "Other")
_AGENT: Final = "backstay-agent.service"
_STOPPABLE: Final = (".service", ".socket", ".target", ".timer", ".path", ".mount")
# Their stop is the end of somebody's login, whatever becomes of the agent.
_LOGINS: Final = ("user@", "user-runtime-dir@", "run-user-")


def how_it_goes_down(jobs: Iterable[tuple[str, str]]) -> GoingDown | None:
    """How this machine is going down, by systemd's jobs (unit and what is done to it); None: it is not, and the agent ends alone."""
    by_kind = [(unit, what) for unit, what in jobs if what in ("start", "stop")]
    starting = {unit for unit, what in by_kind if what == "start"}
    stopping = {unit for unit, what in by_kind if what == "stop"}
    end = next((end for unit, end in _ENDS.items() if unit in starting), None)
    return end or (_WITH_OTHERS if _AGENT in stopping and any(map(_is_running_work, stopping - {_AGENT})) else None)


def stop_that_is_over(jobs: Iterable[tuple[str, str]], shown: str) -> list[tuple[str, str]]:
    """The stop of the target that this host boots into, if it is down and nothing starts it: it stops before its services do.

    `shown`: what `systemctl show` says of its Id and ActiveState. Quick stops are over before anybody can ask for jobs.
    """
    said = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    target, state = said.get("Id", ""), said.get("ActiveState")
    is_left = state in ("inactive", "deactivating") and all(unit != target for unit, _ in jobs)
    return [(target, "stop")] if is_left else []


def _is_running_work(unit: str) -> bool:
    return unit.endswith(_STOPPABLE) and not unit.startswith(_LOGINS)


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
