"""Starts that failed and still count: a soft one for a while on its host, a hard one there until an edit or a clear, a fatal one everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.service import StartFailure
from backstay_operator.planner.know.clearing import is_forgotten
from backstay_operator.planner.know.sessions import failed_report
from backstay_operator.planner.know.world import Failed, World
from backstay_operator.planner.words import first_words


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
    return tuple(one for one in (*kept, *fresh) if _counts(world, service, one))


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


def _counts(world: World, service: HAService, failure: Failure) -> bool:
    is_old = failure.told.error_type == "Soft" and failure.ago_s >= world.settings.start_failure_memory_s
    return not is_old and not is_forgotten(service, Failed.of(failure.told))
