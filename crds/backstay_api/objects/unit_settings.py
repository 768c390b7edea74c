"""Settings of a unit that a manifest may override: how much it may use, never what starts, stops, restarts or contains it.

Standard library only: the models, the operator and the agent read the same table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

VARIABLE: Final = "[A-Za-z_][A-Za-z0-9_]{0,63}"
_SIZE: Final = r"[0-9]{1,15}[KMGTPE]?"


@dataclass(frozen=True)
class Setting:
    """What one directive takes."""

    pattern: str
    words: str
    """The same, for people."""
    lowest: int | None = None
    highest: int | None = None
    is_live: bool = False
    """systemd brings it to what runs; everything else holds from a start on."""

    def takes(self, value: str) -> bool:
        if not re.fullmatch(self.pattern, value):
            return False
        is_number = re.fullmatch("-?[0-9]+", value) and self.lowest is not None and self.highest is not None
        return self.lowest <= int(value) <= self.highest if is_number else True  # type: ignore[operator]


_COUNT: Final = Setting(
    r"(infinity|[0-9]{1,15})(:(infinity|[0-9]{1,15}))?", "a number or infinity, or two of them (soft:hard)"
)
_BYTES: Final = Setting(
    rf"(infinity|{_SIZE})(:(infinity|{_SIZE}))?", "a size (64M) or infinity, or two of them (soft:hard)"
)
_MEMORY: Final = Setting(rf"infinity|{_SIZE}|[0-9]{{1,2}}%|100%", "a size (2G), a percentage or infinity", is_live=True)
_WEIGHT: Final = Setting("[0-9]{1,5}", "a number from 1 to 10000", lowest=1, highest=10000, is_live=True)

SETTINGS: Final[Mapping[str, Setting]] = {
    **dict.fromkeys(("LimitNOFILE", "LimitNPROC", "LimitLOCKS", "LimitSIGPENDING", "LimitRTPRIO", "LimitCPU"), _COUNT),
    **dict.fromkeys(
        ("LimitFSIZE", "LimitDATA", "LimitSTACK", "LimitCORE", "LimitRSS", "LimitAS", "LimitMEMLOCK", "LimitMSGQUEUE"),
        _BYTES,
    ),
    **dict.fromkeys(("MemoryMin", "MemoryLow", "MemoryHigh", "MemoryMax", "MemorySwapMax"), _MEMORY),
    **dict.fromkeys(("CPUWeight", "IOWeight"), _WEIGHT),
    "CPUQuota": Setting("[1-9][0-9]{0,5}%", "a percentage of one processor (150%)", is_live=True),
    "TasksMax": Setting(
        "infinity|[1-9][0-9]{0,9}|[1-9][0-9]?%|100%", "a number, a percentage or infinity", is_live=True
    ),
    "Nice": Setting("-?[0-9]{1,2}", "a number from -20 to 19", lowest=-20, highest=19),
    "OOMScoreAdjust": Setting("-?[0-9]{1,4}", "a number from -1000 to 1000", lowest=-1000, highest=1000),
}


def cannot_wait(unit: str) -> str:
    """Why a unit of this type can neither be kept from starting by itself nor be stopped verifiably, in a sentence; empty if it can."""
    stem, _, kind = unit.rpartition(".")
    if kind == "automount":
        return (
            f"{unit} is an automount: systemd detaches its path lazily, with what is mounted there, so a stop could not be verified;"
            f" name {stem}.mount"
        )
    if kind == "slice":
        return f"{unit} is a slice: what runs in it starts whether the slice may or not, so nothing would wait; name the units in it"
    return ""


def fault_of(unit: Any) -> str:
    """The field, a colon, and why it, or a setting, cannot be what it is said to be; empty if all can."""
    if why := cannot_wait(unit.unit):
        return f"unit: {why}"
    if (unit.overrides or unit.environment) and not unit.unit.endswith(".service"):
        return f"overrides: {unit.unit} takes neither overrides nor environment: name the service"
    return fault_in(unit.overrides or {}, unit.environment or {})


def fault_in(overrides: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """The same, whatever unit it is that has them."""
    for name, value in overrides.items():
        if (setting := SETTINGS.get(name)) is None:
            return f"overrides: {name[:64]} cannot be overridden: leave it out, or set it in the unit's own file on the hosts"
        if not setting.takes(value):
            return f"overrides: {name}={value} is not understood: give {setting.words}"
    for name in environment:
        if not re.fullmatch(VARIABLE, name) or name.startswith("BACKSTAY_"):
            return f"environment: {name[:64]!r} cannot be the name of a variable here: use letters, digits and _, and not BACKSTAY_ in front"
    return ""


def live(overrides: Mapping[str, str] | None) -> dict[str, str]:
    """Those that need no restart."""
    return {name: value for name, value in (overrides or {}).items() if name in SETTINGS and SETTINGS[name].is_live}


def from_a_start_on(unit: Any) -> tuple[object, ...]:
    """What of a unit holds only from its next start on."""
    lasting = {name: value for name, value in (unit.overrides or {}).items() if name not in live(unit.overrides)}
    return unit.unit, tuple(sorted(lasting.items())), tuple(sorted((unit.environment or {}).items()))
