"""How long things took and how old they are, in words."""

from __future__ import annotations

import pytest

from backstay_operator.planner import words

# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:01.5Z", 1.5),
        ("2024-02-28T23:59:59Z", "2024-03-01T00:00:00Z", 86401.0),
        ("2025-12-31T23:59:59Z", "2026-01-01T00:00:00+00:00", 1.0),
        ("yesterday", "2026-01-01T00:00:00Z", None),
    ],
)
def test_elapsed_time(start: str, end: str, seconds: float | None) -> None:
    assert words.elapsed_s(start, end) == seconds


@pytest.mark.parametrize(
    ("age", "text"), [(0.4, "less than 1 s"), (4.9, "4 s"), (59, "45 s"), (61, "1 min"), (9000, "2 h")]
)
def test_ages_are_said_in_few_steps(age: float, text: str) -> None:
    assert words.roughly(age) == text
