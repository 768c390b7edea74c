"""When a window opens by its cron expression, in its time zone, and what is no such expression."""

from __future__ import annotations

import pytest

from backstay_api.objects.windows import Opening, opening, window_fault

FRIDAY = "2026-11-27T10:00:00Z"


@pytest.mark.parametrize(
    ("schedule", "zone", "after", "opens"),
    [
        ("0 2 * * sun", "UTC", FRIDAY, "2026-11-29T02:00:00Z"),
        ("0 2 * * 7", "UTC", FRIDAY, "2026-11-29T02:00:00Z"),
        ("0 2 * * 0", "Europe/Berlin", FRIDAY, "2026-11-29T01:00:00Z"),
        ("0 11 * * *", "Europe/Berlin", FRIDAY, "2026-11-28T10:00:00Z"),
        ("*/15 9-11 * * mon-fri", "UTC", FRIDAY, "2026-11-27T10:15:00Z"),
        ("30/20 10 * * *", "UTC", FRIDAY, "2026-11-27T10:30:00Z"),
        ("5,50 10 * * *", "UTC", "2026-11-27T10:05:59.5Z", "2026-11-27T10:50:00Z"),
        ("0 0 1 * *", "UTC", FRIDAY, "2026-12-01T00:00:00Z"),
        ("0 0 29 feb *", "UTC", FRIDAY, "2028-02-29T00:00:00Z"),
        # Days of both kinds: one of them will do, as in crontab(5); and both, where one of them begins with *.
        ("0 0 5 * mon", "UTC", FRIDAY, "2026-11-30T00:00:00Z"),
        ("0 0 5 * mon", "UTC", "2026-11-30T00:00:00Z", "2026-12-05T00:00:00Z"),
        ("0 0 */2 * mon", "UTC", FRIDAY, "2026-12-07T00:00:00Z"),
        # The clock skips 2:30 in March, and has it twice in October.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
    ],
)
def test_when_it_opens_next(schedule: str, zone: str, after: str, opens: str) -> None:
    assert opening(schedule, zone, 60.0, after).opens_next == opens


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-11-29T01:59:59Z", False),
        ("2026-11-29T02:00:00Z", True),
        ("2026-11-29T02:59:59.9Z", True),
        ("2026-11-29T03:00:00Z", False),
    ],
)
def test_it_is_open_for_so_long(at: str, is_open: bool) -> None:
    assert opening("0 2 * * sun", "UTC", 3600.0, at).is_open == is_open


def test_one_that_lasts_a_week_never_closes() -> None:
    assert opening("0 2 * * sun", "UTC", 7 * 86400.0, "2026-11-29T01:59:59Z") == Opening(
        True, "2026-11-29T02:00:00Z", 1.0
    )


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        ("", "five fields are needed"),
        ("0 2 * * sun *", "five fields are needed"),
        ("60 2 * * *", "'60' is no minute, which lies between 0 and 59"),
        ("0 x * * *", "'x' is no hour"),
        ("0 5-2 * * *", "'5-2' is no hour"),
        ("0 */0 * * *", "'*/0' is no hour"),
        ("0 2 0 * *", "'0' is no day of month, which lies between 1 and 31"),
        ("0 2 * 13 *", "'13' is no month"),
        ("0 2 * * 8", "'8' is no day of week"),
        ("0 2 30 2 *", "it never comes"),
    ],
)
def test_what_is_no_schedule_is_told_by_its_field(schedule: str, says: str) -> None:
    assert window_fault(schedule, "UTC").startswith(f"schedule is {schedule!r}: {says}")


@pytest.mark.parametrize("zone", ["Europe", "Nowhere/Land", "../etc/passwd", "/etc/localtime", ""])
def test_what_is_no_time_zone_is_told(zone: str) -> None:
    assert window_fault("0 2 * * *", zone).startswith(f"timeZone is {zone!r}, which is no time zone")
    assert window_fault("0 2 * * *", "America/New_York") == ""
