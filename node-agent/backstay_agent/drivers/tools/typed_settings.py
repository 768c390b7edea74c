"""Limits as a manifest has them, in the types that systemd's D-Bus interface wants: it reads no `2G` there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_WITHOUT_END: Final = (1 << 64) - 1
_WHOLE: Final = (1 << 32) - 1
"""100 %."""
_UNITS: Final = "KMGTPE"


def typed(overrides: Mapping[str, str]) -> list[tuple[str, tuple[str, Any]]]:
    """The properties of a unit by which these are set; they are known to be good (`unit_settings`)."""
    return [setting for name, value in overrides.items() for setting in _typed(name, value)]


def _typed(name: str, value: str) -> list[tuple[str, tuple[str, Any]]]:
    if name.startswith("Limit"):
        soft, _, hard = value.partition(":")
        # In this order: the first is taken for both.
        return [(f"{name}Soft", ("t", _amount(soft))), (name, ("t", _amount(hard or soft)))]
    if name in ("Nice", "OOMScoreAdjust"):
        return [(name, ("i", int(value)))]
    if name == "CPUQuota":
        return [("CPUQuotaPerSecUSec", ("t", int(value.removesuffix("%")) * 10_000))]
    if value.endswith("%"):
        return [(f"{name}Scale", ("u", _WHOLE * int(value.removesuffix("%")) // 100))]
    return [(name, ("t", _amount(value)))]


def _amount(value: str) -> int:
    if value == "infinity":
        return _WITHOUT_END
    number = value.rstrip(_UNITS)
    return int(number) << (10 * (_UNITS.index(value[-1]) + 1) if number != value else 0)
