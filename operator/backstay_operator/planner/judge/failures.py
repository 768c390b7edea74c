"""Starts that failed and still count: soft ones until nothing has failed for a while, a hard one on its host until an edit or a clear, a
fatal one everywhere. The more of them, the longer until the next try.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.service import StartFailure
from backstay_operator.planner.know.clearing import is_forgotten
from backstay_operator.planner.know.sessions import failed_report
from backstay_operator.planner.know.world import Failed, Settings, World
from backstay_operator.planner.words import first_words

MOST_FAILURES: Final = 16
"""As many of one slot as its status holds."""
_MOST_AGAIN: Final = 6
"""Beside the last on each host. With these the pause is as long as it becomes."""


@dataclass(frozen=True)
class Failure:
    """One start of the present manifest that failed, and still counts."""

    told: StartFailure
    ago_s: float
    """How long we have known of it."""

    def is_final(self, host: str) -> bool:
        """Whether nothing but an edit or a person's word has it tried on this host."""
        return self.told.error_type == "Fatal" or (self.told.error_type == "Hard" and self.told.host == host)


def failures_that_count(
    world: World, service: HAService, slot: str, instance: HAInstance | None
) -> tuple[Failure, ...]:
    """Those of one slot, oldest first: as the status remembers them, and what hosts say right now."""
    return world.once("failures", (service, instance, slot), lambda: _standing(world, service, slot, instance))


def _standing(world: World, service: HAService, slot: str, instance: HAInstance | None) -> tuple[Failure, ...]:
    is_same_manifest = service.status.observed_generation == service.metadata.generation
    noted = [one for one in service.status.start_failures if is_same_manifest and one.slot == slot]
    kept = [Failure(one, world.failed_ago_s(service.uid, Failed.of(one))) for one in noted]
    known = {Failed.of(one) for one in noted}
    fresh = [one for one in _reported(world, service, slot, instance) if Failed.of(one.told) not in known]
    if not noted and not fresh:
        return ()  # as nearly always
    counted = [one for one in (*kept, *fresh) if not is_forgotten(service, Failed.of(one.told))]
    # All together: each by itself would be forgotten before its host is tried again, and every try would be a first one.
    is_over = min((one.ago_s for one in counted), default=0.0) >= world.settings.start_failure_memory_s
    return tuple(one for one in counted if not (is_over and one.told.error_type == "Soft"))


def _reported(world: World, service: HAService, slot: str, instance: HAInstance | None) -> Iterator[Failure]:
    uid = instance.uid if instance else ""
    for host in sorted(world.reported_by.get(uid, ())):
        if report := failed_report(service, instance, world.assignments[host].status):
            told = StartFailure(
                slot=slot,
                host=host,
                epoch=report.epoch,
                at=world.wall,
                why=first_words(report.why),
                error_type=report.error_type,
            )
            yield Failure(told, world.failed_ago_s(uid, Failed.of(told)))


def to_remember(failed: Sequence[Failure]) -> list[StartFailure]:
    """At most `MOST_FAILURES`, oldest first: what bars a host for good, then the last on each host, then the latest of the others."""
    soft = [one for one in failed if one.told.error_type == "Soft"]
    last = {one.told.host: one for one in soft}
    others = [one for one in soft if last[one.told.host] is not one][-_MOST_AGAIN:]
    final = [one for one in failed if one not in soft]
    kept = [*final, *reversed(last.values()), *reversed(others)][:MOST_FAILURES]
    return [one.told for one in failed if one in kept]


def pause_s(settings: Settings, failed: Sequence[Failure]) -> float:
    """From the last failure to the next try, where no host is left without one: twice as long each time, wherever that was.

    Half the memory at most, so that it has not been forgotten by then; at once so long when there are more than can be remembered.
    """
    longest_s = settings.start_failure_memory_s / 2
    again = len(failed) - len({one.told.host for one in failed})
    return longest_s if len(failed) >= MOST_FAILURES else min(longest_s, settings.start_retry_s * 2.0**again)
