"""Whether this host itself is fit to take on more: one table of checks over what was seen of it, each with its sentence.

Who is not fit says so and is not ready: nothing new is started there. What runs there stays, for slow is not dead. So a fault that hosts have
in common, a gateway that is away, moves nothing from one to the other; what may last for ever holds starts back for a time only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from backstay_api.objects.plain import HostProblem, StandbyReport
from backstay_api.objects.texts import clip

STALLED_PERCENT: Final = 40.0
"""Of the last minute, in which nothing on the host could run for want of memory (PSI, `full`). systemd-oomd kills at 60 % by default."""
CALM_PERCENT: Final = 20.0
"""Below this it is over: a host that is just about able is not asked to and fro."""
JUMP_S: Final = 5.0
"""What NTP corrects by itself is less than a thousandth; a step of this size is a machine that was paused, or a wrong clock set right."""
HELD_S: Final = 600.0
"""What is out of reach of every host holds back every start: no longer than a person needs to find that out."""
STEADY_S: Final = 60.0
"""So long after a jump the clock is believed again."""


@dataclass(frozen=True, slots=True)
class HostSigns:
    """What was seen of the host."""

    no_room: tuple[str, ...] = ()
    """Why the agent could not keep there what it must remember: sentences."""
    stalled_percent: float | None = None
    """None: this kernel does not say."""
    jump_s: float = 0.0
    """The last jump of the wall clock, forwards or back."""
    since_jump_s: float = STEADY_S
    no_link: tuple[str, ...] = ()
    """Interfaces that the host needs and cannot use: sentences."""
    no_names: tuple[str, ...] = ()
    """What cannot be looked up: sentences."""
    no_reach: tuple[str, ...] = ()
    """What the host must reach and does not: sentences."""
    unreached_for_s: float = 0.0
    """For so long that has been so, of any of it."""


def _disk(signs: HostSigns, was_wrong: bool) -> str:
    return "; ".join(signs.no_room)


def _memory(signs: HostSigns, was_wrong: bool) -> str:
    limit = CALM_PERCENT if was_wrong else STALLED_PERCENT
    if signs.stalled_percent is None or signs.stalled_percent < limit:
        return ""
    return (
        "it is short of memory: nothing on it could run for a large part of the last minute (/proc/pressure/memory,"
        f" full avg60, {STALLED_PERCENT:g} or more; over below {CALM_PERCENT:g})"
    )


def _clock(signs: HostSigns, was_wrong: bool) -> str:
    if abs(signs.jump_s) < JUMP_S or signs.since_jump_s >= STEADY_S:
        return ""
    way = "forwards" if signs.jump_s > 0 else "back"
    return (
        f"its clock jumped {way} by {abs(signs.jump_s):.0f} s; that is over when it has been steady for {STEADY_S:g} s"
    )


def _network(signs: HostSigns, was_wrong: bool) -> str:
    return "; ".join(signs.no_link)


def _names(signs: HostSigns, was_wrong: bool) -> str:
    return "; ".join(signs.no_names)


def _reach(signs: HostSigns, was_wrong: bool) -> str:
    return "; ".join(signs.no_reach)


Check = Callable[[HostSigns, bool], str]
"""Why it is wrong, in a sentence; empty if it is not. Told as well whether it was wrong before."""
CHECKS: Final[Sequence[tuple[str, Check]]] = (
    ("Disk", _disk),
    ("Memory", _memory),
    ("Clock", _clock),
    ("Network", _network),
    ("Names", _names),
    ("Reach", _reach),
)


class Lasting:
    """What one look finds and the next one too: a link that blinks, or one answer that is late, is nothing yet."""

    def __init__(self) -> None:
        self._before: Collection[str] = ()

    def of(self, found: Mapping[str, str]) -> tuple[str, ...]:
        """The sentences of what was found the last time as well."""
        lasting = tuple(why for what, why in found.items() if what in self._before)
        self._before = tuple(found)
        return lasting


def problems(signs: HostSigns, before: Iterable[HostProblem] = ()) -> tuple[HostProblem, ...]:
    """What is wrong with this host now, given what was wrong when it was last looked at."""
    known = {one.check for one in before}
    found = ((name, check(signs, name in known)) for name, check in CHECKS)
    tolerated = {"Reach"} if signs.unreached_for_s >= HELD_S else set()
    return tuple(HostProblem(check=name, why=clip(why), tolerated=name in tolerated) for name, why in found if why)


def policy_problems(faults: Sequence[str]) -> tuple[HostProblem, ...]:
    """Of a policy that cannot be used, so that it allows nothing new (`faults`: why)."""
    return (HostProblem(check="Policy", why=clip("; ".join(faults))),) if faults else ()


def held_back(report: StandbyReport, found: Iterable[HostProblem]) -> StandbyReport:
    """What is said of a standby on a host that has these problems: not ready. What of it runs there is another matter."""
    whys = [one.why for one in found if not one.tolerated]
    if not whys:
        return report
    said = report.why if report.active else clip("; ".join(filter(None, (*whys, report.why))))
    return replace(report, ready=False, why=said)
