"""What may still run of an instance on a host, whatever epoch it is of: by what the host was told, and by what it says.

A host that does not speak may run what it was told last. So nothing is over there before it has said so, or has been proven
to be off, or has come back without it.
"""

from __future__ import annotations

from collections.abc import Iterator

from backstay_api.objects.models import HAInstance, HAService, Host, HostAssignment
from backstay_api.objects.models.assignment import InstanceOrder, InstanceReport
from backstay_api.objects.models.claim import ClaimOwner
from backstay_api.objects.object_kinds import HA_INSTANCES
from backstay_operator.planner.know import sessions
from backstay_operator.planner.know.world import World

from .evidence import is_proven_over


def stored_order(world: World, host: str, instance: HAInstance) -> InstanceOrder | None:
    """What the host has been told about the present epoch of an instance."""
    assignment = world.assignments.get(host)
    entry = assignment.spec.instances.get(instance.uid) if assignment else None
    grant = instance.spec.grant
    if entry is None or grant is None or (entry.epoch, entry.session) != (instance.spec.epoch, grant.session):
        return None
    return entry


def is_gone_from(assignment: HostAssignment, uid: str, entry: InstanceOrder) -> bool:
    """Whether the host has nothing of this epoch left: it has said so, or another session speaks and does not list it."""
    report, session = assignment.status.instances.get(uid), assignment.status.session
    if report is not None and (report.epoch > entry.epoch or (report.epoch == entry.epoch and report.released)):
        return True
    return report is None and session is not None and session.ref != entry.session


def waiting_orders(world: World, host: str) -> Iterator[tuple[str, InstanceOrder]]:
    """Orders for this host of which nobody knows that they are over."""
    assignment = world.assignments.get(host)
    if assignment is None:
        return
    for uid, entry in sorted(assignment.spec.instances.items()):
        if not is_gone_from(assignment, uid, entry) and not is_proven_over(world, host, entry.session):
            yield uid, entry


def open_reports(world: World, host: str) -> Iterator[tuple[str, InstanceReport]]:
    """What the host says of instances that are not over there, unless its session has been proven over."""
    session = sessions.published(world, host)
    if session is None or is_proven_over(world, host, session.ref):
        return
    reports = sorted(world.assignments[host].status.instances.items())
    yield from ((uid, said) for uid, said in reports if not said.released)


Entry = InstanceOrder | InstanceReport


def entries(world: World, host: str) -> Iterator[tuple[str, Entry]]:
    """What may still run there, by UID of the HAInstance: by what it was told, and by what it says."""
    yield from waiting_orders(world, host)
    yield from open_reports(world, host)


def hosts_with(world: World, namespace: str, name: str) -> list[str]:
    """Hosts, but for those that are removed, where anything under the name of this HAInstance may still run."""
    return world.once("what is left, by name", (), lambda: _left_everywhere(world)).get((namespace, name), [])


def _left_everywhere(world: World) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for host in sorted(host for host in world.assignments if not is_removed(world, host)):
        for name in {(one.namespace, one.name) for _, one in entries(world, host)}:
            found.setdefault(name, []).append(host)
    return found


def is_removed(world: World, host: str) -> bool:
    """Whether somebody has removed it, or is about to."""
    known = world.hosts.get(host)
    return known.metadata.deletion_timestamp is not None if known else not world.cannot_read(Host, host)


def left_of_service(world: World, host: str, owner: ClaimOwner, *, is_proven: bool) -> bool:
    """Whether anything of a service whose HAInstances are gone may still run on the host, whatever its UID was.

    `is_proven`: its last epoch was closed, so of what is exclusive nothing is left, whatever was ordered.
    """
    assignment = world.assignments.get(host)
    if assignment is None:
        return False
    orders = assignment.spec.instances
    return any(
        one.namespace == owner.namespace
        and one.service in (owner.name, "")  # what does not say whose it is may be its
        and instance_of(world, uid, one) is None
        and not (is_proven and uid in orders and orders[uid].exclusive)
        for uid, one in entries(world, host)
    )


def instance_of(world: World, uid: str, entry: Entry) -> HAInstance | None:
    """The HAInstance that an order or a report is about, if it is there."""
    instance = world.instances.get(HA_INSTANCES.key(entry.namespace, entry.name))
    return instance if instance is not None and instance.uid == uid else None


def runs_only_this(world: World, service: HAService, instance: HAInstance | None) -> bool:
    """Whether nothing of an earlier manifest of the service can run anywhere any more."""
    if instance is None:
        return True
    if instance.holder and not _runs_the_present_manifest(world, service, instance, instance.holder):
        return False
    # What may run twice is closed without proof: its old copies count until their hosts say that they are over.
    hosts = world.ordered_on.get(instance.uid, set()) | world.reported_by.get(instance.uid, set())
    return instance.spec.exclusive or not any(left_on(world, host, instance) for host in hosts - {instance.holder})


def left_on(world: World, host: str, instance: HAInstance) -> bool:
    """Whether anything of this instance may still run on the host: it is granted there, or was and has not said that it is over."""
    if instance.holder == host:
        return True
    if instance.spec.exclusive and instance.spec.grant is None:
        return False  # its last epoch was closed by evidence
    return any(uid == instance.uid for uid, _ in entries(world, host))


def _runs_the_present_manifest(world: World, service: HAService, instance: HAInstance, host: str) -> bool:
    report = sessions.report_of(world, host, instance)
    return report is not None and report.phase == "Running" and report.revision == service.metadata.generation


def names_a_gone_one(world: World, instance: HAInstance) -> bool:
    """Whether a host was told of anything under its name, or speaks of it, for an HAInstance that is gone, be that over or not."""
    names = world.once("names of gone ones", (), lambda: _names_of_gone_ones(world))
    return (instance.metadata.namespace or "", instance.metadata.name) in names


def _names_of_gone_ones(world: World) -> frozenset[tuple[str, str]]:
    said = (part for one in world.assignments.values() for part in (one.spec.instances, one.status.instances))
    found = (entry for part in said for entry in part.items())
    return frozenset((one.namespace, one.name) for uid, one in found if instance_of(world, uid, one) is None)


def is_left_of_a_gone_one(world: World, service: HAService, host: str, owner: ClaimOwner) -> bool:
    """Whether this host has still something to do with a copy of which no HAInstance is left."""
    everyone = world.instances_of.get(service.uid, set())
    if any(world.instances[key].uid == owner.instance for key in everyone):
        return False
    return any(uid == owner.instance for uid, _ in entries(world, host))
