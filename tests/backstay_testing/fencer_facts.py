"""What the fencer knows of one request, in few words: for tables of its core."""

from __future__ import annotations

from typing import Any

from backstay_api.objects.models.host import FenceLevel
from backstay_fencer.core import slots
from backstay_fencer.facts import RequestFacts


def off_wanted(*levels: FenceLevel, now_s: float, others: tuple[FenceLevel, ...] = (), **more: Any) -> RequestFacts:
    """Off is wanted of a sealed session, and nothing was read or sent yet; every device, of `others` too, is the host's own.

    Which machine each agent has named was asked just now.
    """
    values: dict[str, Any] = {
        "want": "Off",
        "after": "On",
        "over": True,
        "proven": False,
        "powered_on": False,
        "levels": levels,
        "identity": {slot: "Match" for slot, _ in slots((*levels, *others))},
        "reads": {},
        "tried": (),
        "reading": frozenset(),
        "now_s": now_s,
        "asked_s": now_s,
    }
    return RequestFacts(**{**values, **more})
