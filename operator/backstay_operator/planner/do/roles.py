"""What the OCF agents of a service's copies are told of each other: where a copy is up, which is promoted, and what all have noted.

It is their own affair (`redis` looks there whom to follow): nothing here is decided by it, and nothing waits for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from backstay_api.objects.bounds import MOST_ATTRIBUTES
from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.roles import Attribute, RoleOrder
from backstay_api.objects.ocf_roles import has_roles
from backstay_operator.planner.know.liveness import Liveness, of_host
from backstay_operator.planner.know.sessions import report_of
from backstay_operator.planner.know.world import World

Told = tuple[str, str, RoleOrder]
"""Host, UID of the HAInstance of the copy there, and what that is told."""
_MOST_COPIES: Final = 64
_IS_NAME: Final = re.compile("[A-Za-z0-9_.-]{1,253}")
"""As `NodeName` has it: a host may say anything, and no service is left without a plan for that."""
_SCOPES: Final = ("Cluster", "Forever", "Reboot")


def told_by_host(world: World, service: HAService, instances: Iterable[HAInstance]) -> Iterator[Told]:
    """For each host that has a copy, if it is an OCF agent with roles that runs it."""
    if not any(map(has_roles, service.spec.resources)):
        return
    everyone = sorted(instances, key=lambda one: one.metadata.name)
    copies = [one for one in everyone if not one.is_promoted and one.holder]
    there = [one.holder for one in copies if not _is_gone(world, one.holder)]
    promoted = next((one for one in everyone if one.is_promoted and _is_up(world, one)), None)
    up = sorted(_name(world, one.holder) for one in copies if _is_up(world, one))
    order = RoleOrder(
        promoted=_name(world, promoted.holder) if promoted else "",
        epoch=promoted.spec.epoch if promoted else 0,
        copies=up[:_MOST_COPIES],
        attributes=latest(_noted(world, everyone, up), of={_name(world, host) for host in there}),
    )
    yield from ((one.holder, one.uid, order) for one in copies)


def latest(noted: Iterable[Attribute], *, of: Iterable[str]) -> list[Attribute]:
    """Of each attribute the value with the greatest number; what lasts until a host boots only `of` hosts that are there."""
    there, found = set(of), dict[tuple[str, str, str], Attribute]()
    for one in noted:
        key = one.scope, one.host, one.name
        if not (one.value or " ").isprintable():
            continue  # no agent notes such a value: it would be told to the programs of other hosts
        if (one.scope != "Reboot" or one.host in there) and (key not in found or _rank(found[key]) < _rank(one)):
            found[key] = one
    # What was deleted is dropped first where there is no room: all that is lost is that somebody may be told an older value.
    kept = sorted(found.values(), key=lambda one: (one.value is None, *_place(one)))[:MOST_ATTRIBUTES]
    return sorted(kept, key=_place)


def _rank(one: Attribute) -> tuple[int, bool, str]:
    return one.number, one.value is not None, one.value or ""


def _place(one: Attribute) -> tuple[int, str, str]:
    return _SCOPES.index(one.scope), one.host, one.name


def _noted(world: World, instances: Sequence[HAInstance], up: Sequence[str]) -> Iterator[Attribute]:
    """What hosts say that hold a copy, or were told to run one; and what others were told of it before: who noted it may be gone, and have
    been the only one, as who was promoted and gave another its promotion score. What lasts until a host boots counts so while its copy is
    `up`. Whatever else a host says, of services of others it has no say."""
    for one in instances:
        for host in sorted({one.holder, *world.ordered_on.get(one.uid, ())}):
            assignment = world.assignments.get(host)
            if assignment and one.uid in assignment.status.roles:
                yield from assignment.status.roles[one.uid].attributes
            if assignment and one.uid in assignment.spec.roles:
                known = assignment.spec.roles[one.uid].attributes
                yield from (one for one in known if one.scope != "Reboot" or one.host in up)


def _is_up(world: World, instance: HAInstance) -> bool:
    """Whether it runs, as its host says, of which nobody knows that it is silent."""
    host = instance.holder
    report = report_of(world, host, instance) if host and not _is_gone(world, host) else None
    return report is not None and report.phase == "Running"


def _is_gone(world: World, host: str) -> bool:
    return of_host(world, host) in (Liveness.SILENT, Liveness.SEALED)


def _name(world: World, host: str) -> str:
    """As the host calls itself: so do its agents. What is no name of a host is not believed: it is told to others."""
    assignment = world.assignments.get(host)
    name = assignment.status.facts.hostname if assignment else ""
    return name if _IS_NAME.fullmatch(name) else host
