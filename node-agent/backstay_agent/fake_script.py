"""How a resource of a machine in memory behaves: a fake for tests and the simulator."""

from __future__ import annotations

from dataclasses import dataclass

from backstay_api.objects.recovery import ErrorType


@dataclass
class Script:
    """How one resource behaves; tests change it while it runs."""

    start_takes_s: float = 0.0
    stop_takes_s: float = 0.0
    prepare_takes_s: float = 0.0
    start_fails: str = ""
    """Why a start fails. Parts of it are up then: it must be stopped."""
    error_type: ErrorType = "Soft"
    """Whether another start could help then."""
    prepare_fails: str = ""
    stop_fails: str = ""
    """Why a stop fails: it runs on."""
    apply_fails: str = ""
    """Why what runs cannot be brought to what is wanted without a restart."""
    reload_fails: str = ""
    """Why what runs cannot be reloaded: it must be restarted."""
    reloadable: frozenset[str] | None = None
    """Parameters of an OCF resource that can be."""
    stop_note: str = ""
    """What is to be said about a stop that succeeded."""
    not_ready: str = ""
    waits_for: str = ""
    """What a call that hangs waits for."""
    start_limit_s: float | None = None
    works_after_s: float = 0.0
    """How long after its start its probes give their first good answer."""
