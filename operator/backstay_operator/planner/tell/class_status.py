"""What people see of a ServiceClass: whom it is about, and how many of them it refuses. Nothing is decided by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from backstay_api.objects.models import ServiceClass
from backstay_api.objects.models.service_class import ServiceClassStatus
from backstay_api.objects.object_kinds import SERVICE_CLASSES
from backstay_operator.planner.actions import WriteClassStatus
from backstay_operator.planner.judge.service_classes import refusal_by, services_of
from backstay_operator.planner.know.unforeseen import BROKEN
from backstay_operator.planner.know.world import World

from .conditions import Finding, settled, updated


def class_statuses(world: World) -> Iterator[WriteClassStatus]:
    """Those that are to be written. Of a class whose newest version cannot be read nothing is said: what is known of it is over."""
    for key in sorted(world.classes):
        before = world.classes[key]
        if not world.why_unreadable(SERVICE_CLASSES.kind, key):
            made_from = (before, *world.services.values())
            with suppress(*BROKEN):  # of a class that cannot be judged nothing new is said
                status = world.keep("class status", key, made_from, partial(_status, world, before))
                if status is not before.status:
                    yield WriteClassStatus(before, status)


def _status(world: World, one: ServiceClass) -> ServiceClassStatus:
    services = services_of(world, one)
    refused = {service.key: why for service in services if (why := refusal_by(world, one, service))}
    finding, generation = _finding(len(services), refused), one.metadata.generation
    return updated(
        one.status,
        observed_generation=generation,
        services=len(services),
        refused=len(refused),
        conditions=settled(one.status.conditions, [finding], generation, world.wall),
    )


def _finding(services: int, refused: dict[str, str]) -> Finding:
    if refused:
        key, why = next(iter(refused.items()))
        more = f" (and {len(refused) - 1} more: backstay policy test -A)" if len(refused) > 1 else ""
        return Finding("AllAllowed", False, "Refuses", f"{key}{more}: {why}")
    if not services:
        return Finding("AllAllowed", True, "NoServices", "There is no HAService in the namespaces that it names")
    return Finding(
        "AllAllowed", True, "AllAllowed", "It allows all that the HAServices in the namespaces that it names bring"
    )
