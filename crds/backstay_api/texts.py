"""Every text has a bound where it is made: the API server refuses a whole object for one sentence that is too long."""

from __future__ import annotations

from typing import Final

MOST_CHARS: Final = 4096
"""What a Text of our models takes (`models.base.Text`)."""


def clip(text: str, limit: int = MOST_CHARS) -> str:
    """The text, or its beginning with an ellipsis where it is longer than it may be."""
    return text if len(text) <= limit else f"{text[: max(0, limit - 1)]}…"
