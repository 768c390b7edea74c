"""systemd's properties, in sentences for people. Pure."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import Any, Final

from .units import name_of_the_host

FSTAB: Final = "/etc/fstab"
_RESULTS: Final = {
    "timeout": "it took too long",
    "watchdog": "its watchdog timed out",
    "start-limit-hit": "it was started too often",
    "oom-kill": "the kernel killed it because memory ran out",
    "protocol": "it did not follow the start protocol of its Type=",
    "resources": "systemd could not set it up",
    "exec-condition": "its ExecCondition= said no",
}


_ENDS_WITH_IT: Final = ("BindsTo", "StopPropagatedFrom")
"""Settings by which a unit is stopped when another one only ends."""


def not_told(unit: str, error: Exception | str = "") -> str:
    """That nothing is known of the unit."""
    return f"systemd cannot be asked about {unit}{error and ': '}{error}"


def otherwise(what: str, is_so: str, shall: str) -> str:
    """That something is not as a manifest declares it."""
    return f"{what} is {is_so}, and shall be {shall}"


def nobody(kind: str, name: str) -> str:
    """That there is no such user or group."""
    return f"there is no {kind} {name}"


def late(what: str, limit_s: float) -> str:
    """That a start has taken too long."""
    return f"{what} did not bring it up within {limit_s:g} s"


def may_still_run(what: str, why: Exception | str) -> str:
    """What a stop says that did not come to a proven end."""
    return f"{what} may still be running: {why}"


def not_loadable(unit: str, properties: Mapping[str, Any]) -> str | None:
    """Why this unit cannot be started as it is on this host; None if it can."""
    match properties.get("LoadState"):
        case "not-found":
            return f"unit {unit} is not installed"
        case "masked":
            return f"unit {unit} is masked: systemctl unmask {unit}"
        case "loaded":
            return _not_usable(unit, properties)
    _name, message = properties.get("LoadError", ("", ""))
    return f"unit {unit} cannot be loaded: {message or properties.get('LoadState')} (see systemd-analyze verify {unit})"


def _not_usable(unit: str, properties: Mapping[str, Any]) -> str | None:
    if why := of_the_host(unit, properties):
        return why
    identity = properties.get("Id", unit)
    if identity != unit:
        return f"{unit} is another name of {identity}: name that one, so that two services cannot share it unseen"
    if properties.get("RefuseManualStart") or properties.get("RefuseManualStop"):
        return f"{unit} forbids to be started or stopped by anyone but systemd (RefuseManualStart=, RefuseManualStop=)"
    if properties.get("Type") == "oneshot" and not properties.get("RemainAfterExit"):
        return f"{unit} is of Type=oneshot without RemainAfterExit=yes: it ends at once and is never up{_who_starts(properties)}"
    if properties.get("Accept"):
        return (
            f"{unit} starts a unit for each connection (Accept=yes): what it started could not be stopped verifiably;"
            " give it Accept=no and one service for all connections"
        )
    return None


def of_the_host(unit: str, properties: Mapping[str, Any]) -> str | None:
    """Why this unit is the host's own, or a mount somebody's, and none that could wait for our word; None if it could."""
    if name := name_of_the_host((str(properties.get("Id", unit)), *map(str, properties.get("Names", ())))):
        return f"{unit} is also called {name}, which belongs to the host itself and is never handed to a service"
    if "Where" not in properties or properties.get("LoadState") != "loaded":
        return None
    if properties.get("SourcePath") == FSTAB:
        return (
            f"{unit} is made of a line in {FSTAB}: that is the host's own; remove the line, and give it a unit file or use a"
            " `mount` resource"
        )
    if not properties.get("FragmentPath"):
        return f"{unit} has no unit file: somebody has mounted {properties['Where']} by hand"
    if properties.get("LazyUnmount"):
        return f"{unit} has LazyUnmount=yes: it would be called unmounted while somebody still uses it"
    if by := [str(name) for name in properties.get("TriggeredBy", []) if str(name).endswith(".automount")]:
        return f"{unit} is mounted by {by[0]} for whoever opens its path, and detached lazily with it: systemctl mask --now {by[0]}"
    return None


def _who_starts(properties: Mapping[str, Any]) -> str:
    starters = sorted(str(name) for name in properties.get("TriggeredBy", []))
    return f"; name {' and '.join(starters)}, which starts it" if starters else ""


def does_not_hold(conditions: Sequence[str]) -> str:
    return f"{' and '.join(conditions)[:500]} does not hold on this host"


def why_skipped(unit: str, properties: Mapping[str, Any]) -> str | None:
    """Why systemd skipped the start, which it counts as a success; None if it did not skip it."""
    for result, listed in (("ConditionResult", "Conditions"), ("AssertResult", "Asserts")):
        failed = [
            f"{name}={'!' if negated else ''}{parameter}"
            for name, _trigger, negated, parameter, state in properties.get(listed, [])
            if state < 0  # 0: was never looked at
        ]
        if not properties.get(result, True) and failed:
            return f"{unit} was not started: {does_not_hold(failed)}"
    return None


def why_down(unit: str, properties: Mapping[str, Any]) -> str:
    """Why a unit that should be up is not."""
    result = properties.get("Result", "success")
    code, status = properties.get("ExecMainCode", 0), properties.get("ExecMainStatus", 0)
    if result in _RESULTS:
        return f"{unit} failed: {_RESULTS[result]}"
    if result in ("exit-code", "signal", "core-dump") and code:
        return f"{unit} failed: its main process {_ending(code, status)}"
    if result in ("exit-code", "signal", "core-dump"):
        return f"{unit} failed: one of its helper processes ({result})"
    if result == "success":
        return f"{unit} is not running: it ended by itself, or something that it needs did not start"
    return f"{unit} failed: {result}"


def killed_by_systemd(unit: str, properties: Mapping[str, Any]) -> str:
    """That it did not end when it was asked to, and systemd killed it; empty if it ended."""
    if "Where" in properties:
        return ""  # it was unmounted; only `umount` can be killed
    killed = properties.get("ExecMainCode") == 2 and properties.get("ExecMainStatus") == signal.SIGKILL
    killed = killed and properties.get("KillSignal") != signal.SIGKILL  # how it is to be stopped
    if properties.get("Result") != "timeout" and not (killed and properties.get("Result") == "signal"):
        return ""
    limit_us = int(properties.get("TimeoutStopUSec", 0))
    return f"{unit} did not stop within its TimeoutStopSec of {limit_us / 1_000_000:g} s and was killed by systemd"


def ended_by_itself(unit: str, properties: Mapping[str, Any]) -> str:
    """What to say of a unit that was up, was asked for nothing, and is cleanly down."""
    code, status = properties.get("ExecMainCode", 0), properties.get("ExecMainStatus", 0)
    how = f": its main process {_ending(code, status)}" if code else ""
    return f"{unit} ended by itself{how}"


def how_lost(properties: Mapping[str, Any], kind: str, needed: Mapping[str, Any]) -> str:
    """What has become of another unit, that systemd has stopped this one for it; empty if it has not. `kind`: how this one needs it."""
    if needed.get("ActiveState") == "failed":
        return "has failed"
    # It ends with this one, not the other way round.
    with_us = needed.get("StopWhenUnneeded") or properties.get("Id") in needed.get("PartOf", [])
    was_up = needed.get("ActiveExitTimestampMonotonic", 0) > properties.get("ActiveEnterTimestampMonotonic", 0)
    is_over = kind in _ENDS_WITH_IT and was_up and needed.get("ActiveState") in ("inactive", "deactivating")
    return "is not up any more" if is_over and not with_us else ""


def _ending(code: int, status: int) -> str:
    if code == 1:
        return f"exited with {status}"
    try:
        name = signal.Signals(status).name
    except ValueError:
        name = f"signal {status}"
    return f"was killed by {name}" if code == 2 else f"crashed with {name}"


# Units that have no process of their own: systemd's word is all there is, and a stop that failed says nothing.


def has_no_process(properties: Mapping[str, Any]) -> bool:
    """Whether it is up without anything alive, by design: a oneshot, a mount. Only systemd's word tells of its stop."""
    return properties.get("Type") == "oneshot" or "Where" in properties


def stop_failed(unit: str, properties: Mapping[str, Any]) -> str | None:
    """Why nobody knows whether what such a unit did was undone; None if systemd says that its stop succeeded."""
    if properties.get("ActiveState") != "failed" or not (has_no_process(properties) or _had_ended(properties)):
        return None
    if "Where" in properties:
        return None  # as long as the kernel has it mounted, systemd calls it active, whatever became of its `umount`
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
