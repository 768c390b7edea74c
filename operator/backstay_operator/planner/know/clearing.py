"""What `backstay clear` has written: a person's word that failures up to now shall count for nothing any more, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from backstay_api.objects.models import HAService

from .annotations import read_annotation
from .world import Failed

CLEAR_ANNOTATION: Final = "backstay.dev/clear"
MOST_CLEARS: Final = 2**31 - 1
"""What every program that reads orders has as a number: the API server refuses larger ones, and with them all orders of a host."""


@dataclass(frozen=True)
class Clear:
    """Failures up to some epoch of each slot are forgotten."""

    epochs: Mapping[str, int]
    """The last that is forgotten, by the name of its HAInstance."""
    host: str
    """Only those on this host; empty: wherever they were."""
    number: int
    """Counts the clears of this service: each one forgets once."""
    by: str
    reason: str

    def forgets(self, what: Failed) -> bool:
        return what.epoch <= self.epochs.get(what.slot, 0) and self.host in ("", what.host)


def epochs_up_to_now(granted: Mapping[str, int], failed: Iterable[tuple[str, int]]) -> dict[str, int]:
    """By slot the last epoch there is: granted, or of a failure, where a person has deleted the HAInstance and epochs have begun anew."""
    epochs = dict(granted)
    for slot, epoch in failed:
        epochs[slot] = max(epoch, epochs.get(slot, 0))
    return epochs


def clear_of(service: HAService) -> Clear | str | None:
    """The word, if there is one; a sentence where it cannot be read."""
    return read_annotation(service, CLEAR_ANNOTATION, _read_clear, "backstay clear")


def _read_clear(raw: Any) -> Clear:
    texts = {name: str(raw.get(name) or "") for name in ("host", "by", "reason")}
    epochs = {str(slot): int(epoch) for slot, epoch in raw["epochs"].items()}
    number = int(raw["number"])
    if not 0 <= number <= MOST_CLEARS:
        raise ValueError(f"its number is {number}")
    return Clear(epochs=epochs, number=number, **texts)


def is_forgotten(service: HAService, what: Failed) -> bool:
    """Whether a person has said that it counts for nothing."""
    clear = clear_of(service)
    return isinstance(clear, Clear) and clear.forgets(what)
