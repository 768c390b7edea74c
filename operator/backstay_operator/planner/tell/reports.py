"""What a host says of an instance, in the words of a status."""

from __future__ import annotations

from backstay_api.objects.models import HAInstance
from backstay_api.objects.models.assignment import InstanceReport
from backstay_operator.planner.words import first_words


def reported(report: InstanceReport) -> str:
    said = first_words(report.by_admin or report.why)
    return f": {said}" if said else ""


def not_well(report: InstanceReport) -> str:
    if report.healthy:
        slow = f", suspected: {first_words(report.suspect, 400)}" if report.suspect else ""
        return f", degraded: {first_words(report.degraded)}{slow}" if report.degraded else slow
    return f", but does not work: {first_words(report.why) or 'its probes fail'}"


def because(instance: HAInstance | None) -> str:
    """What ended the epoch before."""
    closed = instance.spec.closed if instance else None
    return f" (previous epoch ended: {first_words(closed.why)})" if closed and closed.why else ""
