"""Units that have no process of their own: systemd's word is all there is, and a stop that failed says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def has_no_process(properties: Mapping[str, Any]) -> bool:
    """Whether it is up without anything alive, by design: a oneshot, a mount. Only systemd's word tells of its stop."""
    return properties.get("Type") == "oneshot" or "Where" in properties


def stop_failed(unit: str, properties: Mapping[str, Any]) -> str | None:
    """Why nobody knows whether what such a unit did was undone; None if systemd says that its stop succeeded."""
    if properties.get("ActiveState") != "failed" or not (has_no_process(properties) or _had_ended(properties)):
        return None
    was_active = properties.get("ActiveEnterTimestampMonotonic", 0) >= properties.get(
        "InactiveExitTimestampMonotonic", 0
    )
    if properties.get("Result", "success") == "success" or not was_active:
        return None
    return (
        f"{unit} may not be undone: its stop failed ({properties.get('Result')}), and it has no process by which that could"
        f" be seen; undo on the host what it did, then: systemctl reset-failed {unit}"
    )


def _had_ended(properties: Mapping[str, Any]) -> bool:
    """Whether it stayed up without its main process (`RemainAfterExit=`), as a oneshot does whatever its Type, until it was stopped."""
    ended_us = properties.get("ExecMainExitTimestampMonotonic", 0)
    return bool(properties.get("RemainAfterExit") and 0 < ended_us < properties.get("ActiveExitTimestampMonotonic", 0))
