"""What an agent reports when the API server refuses the whole of it: less, but always what the safety of others depends on."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from backstay_api.objects.bounds import MOST_INSTANCES
from backstay_api.objects.plain import HostAssignmentStatus, StandbyReport
from backstay_api.objects.texts import clip

_NOTE: Final = 300
"""Characters of the reason; it stands at each instance."""


def within_bounds(status: HostAssignmentStatus) -> HostAssignmentStatus:
    """As it will be stored. Of too many instances those are kept that may run here."""
    if len(status.instances) > MOST_INSTANCES:
        ranked = sorted(status.instances.items(), key=lambda item: item[1].phase in ("Stopped", "Failed"))
        left_out = len(ranked) - MOST_INSTANCES
        ranked = ranked[:MOST_INSTANCES]
        uid, last = ranked[-1]
        ranked[-1] = (
            uid,
            replace(last, why=f"{last.why} (and {left_out} more instances, for which there is no room here)"),
        )
        status = replace(status, instances=dict(ranked))
    return HostAssignmentStatus.from_wire(status.to_wire())


def ever_shorter(status: HostAssignmentStatus, refused: str) -> tuple[HostAssignmentStatus, HostAssignmentStatus]:
    """What to say instead: without texts, and if that is refused too, nothing but the session and its epochs."""
    note = clip(f"the whole status of this host was refused: {refused}", _NOTE)
    brief = HostAssignmentStatus(
        session=status.session,
        instances={
            uid: replace(report, why=note, by_admin="", resources=(), since=None)
            for uid, report in status.instances.items()
        },
        shutting_down=clip(status.shutting_down, _NOTE),
        shutdown_type=status.shutdown_type,
        hands_off=status.hands_off,
    )
    return replace(brief, standbys={uid: _brief_standby(one) for uid, one in status.standbys.items()}), brief


def _brief_standby(report: StandbyReport) -> StandbyReport:
    why = "" if report.ready and not report.active else clip(report.why, 100)
    return replace(report, why=why)
