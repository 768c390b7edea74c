"""When a window is open that a cron expression opens: five fields, as crontab(5) and Kubernetes' CronJob have them, in a time zone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MONTHS: Final = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS: Final = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_FIELDS: Final[tuple[tuple[str, int, int, Mapping[str, int]], ...]] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of week", 0, 7, {name: number for number, name in enumerate(_DAYS)}),
)
_MOST_DAYS: Final = 8 * 366
"""29 February comes within eight years, be the century what it may."""


@dataclass(frozen=True)
class Cron:
    """What each field allows."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    is_either: bool
    """Both kinds of days are restricted: then one of them will do."""

    def allows(self, day: date) -> bool:
        """Whether it opens on this day."""
        found = (day.day in self.days, day.isoweekday() % 7 in self.weekdays)
        return day.month in self.months and (any(found) if self.is_either else all(found))


@dataclass(frozen=True)
class Opening:
    """At some moment."""

    is_open: bool
    opens_next: str
    """RFC 3339, in UTC."""
    in_s: float
    """How long until then, in seconds."""


def window_fault(schedule: str, zone: str) -> str:
    """What is wrong with them, as what follows the field's name; empty: nothing."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"timeZone is {zone!r}, which is no time zone that is known here: write it as Europe/Berlin, or leave it out for UTC"
    try:
        _openings(schedule, zone, "2000-01-01T00:00")
    except ValueError as error:
        return f"schedule is {schedule!r}: {error}"
    return ""


def opening(schedule: str, zone: str, duration_s: float, wall: str) -> Opening:
    """How it is at a time (RFC 3339). What the clock skips opens as much later, what it repeats opens once.

    Raises ValueError with a sentence where it is no schedule, or one that never comes.
    """
    now = datetime.fromisoformat(wall)
    before, after = _openings(schedule, zone, now.astimezone(UTC).isoformat()[:16])
    is_open = before is not None and now < before + timedelta(seconds=duration_s)
    said = f"{after.replace(tzinfo=None).isoformat(timespec='seconds')}Z"
    return Opening(is_open, said, (after - now).total_seconds())


@lru_cache(maxsize=1024)
def _openings(schedule: str, zone: str, minute: str) -> tuple[datetime | None, datetime]:
    """The last up to this minute, and the next after it. The last is looked for as far back as a window may last: eight days."""
    cron, where = _parsed(schedule), ZoneInfo(zone)
    now = datetime.fromisoformat(minute).replace(tzinfo=UTC)
    first = now.astimezone(where).date()
    before = None
    for at in (at for ago in range(-8, _MOST_DAYS) for at in _on(cron, where, first + timedelta(days=ago))):
        if at > now:
            return before, at
        before = at
    raise ValueError("it never comes")


def _on(cron: Cron, where: ZoneInfo, day: date) -> Iterator[datetime]:
    if not cron.allows(day):
        return
    at = {
        datetime(day.year, day.month, day.day, hour, minute, tzinfo=where).astimezone(UTC)
        for hour in cron.hours
        for minute in cron.minutes
    }
    yield from sorted(at)


@lru_cache(maxsize=1024)
def _parsed(schedule: str) -> Cron:
    texts = schedule.lower().split()
    if len(texts) != len(_FIELDS):
        raise ValueError('five fields are needed, minute, hour, day of month, month, day of week: "0 2 * * sun"')
    minutes, hours, days, months, weekdays = (_field(text, *field) for text, field in zip(texts, _FIELDS, strict=True))
    is_either = not texts[2].startswith("*") and not texts[4].startswith("*")
    return Cron(minutes, hours, days, months, frozenset(one % 7 for one in weekdays), is_either)


def _field(text: str, name: str, least: int, most: int, names: Mapping[str, int]) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        low, dash, high = span.partition("-")
        try:
            first = least if span == "*" else names[low] if low in names else int(low)
            last = most if span == "*" or (slash and not dash) else first
            last = (names[high] if high in names else int(high)) if dash else last
            every = int(step) if slash else 1
        except ValueError:
            raise ValueError(f"{part!r} is no {name}") from None
        if not (least <= first <= last <= most and every > 0):
            raise ValueError(f"{part!r} is no {name}, which lies between {least} and {most}")
        found.update(range(first, last + 1, every))
    return frozenset(found)
