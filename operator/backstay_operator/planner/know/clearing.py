"""What `backstay clear` has written: a person's word that failures up to now shall count for nothing any more, and why."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from backstay_api.objects.models import HAService

CLEAR_ANNOTATION: Final = "backstay.dev/clear"


@dataclass(frozen=True)
class Clear:
    """Failures of epochs up to this one are forgotten."""

    epoch: int
    host: str
    """Only those on this host; empty: wherever they were."""
    number: int
    """Counts the clears of this service: each one forgets once."""
    by: str
    reason: str

    def forgets(self, host: str, epoch: int) -> bool:
        return epoch <= self.epoch and self.host in ("", host)


def clear_of(service: HAService) -> Clear | str | None:
    """The word, if there is one; a sentence where it cannot be read."""
    text = (service.metadata.annotations or {}).get(CLEAR_ANNOTATION)
    if not text:
        return None
    try:
        raw: Any = json.loads(text)
        texts = {name: str(raw.get(name) or "") for name in ("host", "by", "reason")}
        return Clear(epoch=int(raw["epoch"]), number=int(raw["number"]), **texts)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return f"the annotation {CLEAR_ANNOTATION} cannot be read ({error!r}); use `backstay clear`"


def is_forgotten(service: HAService, host: str, epoch: int) -> bool:
    """Whether a person has said that what failed there then counts for nothing."""
    clear = clear_of(service)
    return isinstance(clear, Clear) and clear.forgets(host, epoch)
