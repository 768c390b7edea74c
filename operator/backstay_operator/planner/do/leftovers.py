"""What is left on a host of epochs that are over: stopped by order, and forgotten once the host has nothing of it any more.

Known from the orders it has, and from what it says itself: an order may have been lost with its object, and a host that wakes after
its service was deleted still runs it. Nothing grants a UID that is gone, so it may be ordered down whatever it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from backstay_api.objects.models import HAInstance, HostAssignment
from backstay_api.objects.models.assignment import InstanceOrder, InstanceReport
from backstay_api.objects.names import key_of
from backstay_api.objects.object_kinds import HA_INSTANCES
from backstay_operator.planner.judge.remains import instance_of, is_gone_from
from backstay_operator.planner.know.world import World
from backstay_operator.planner.preconditions import Gone, Precondition


@dataclass(frozen=True)
class Leftovers:
    """Of one host."""

    downs: Mapping[str, InstanceOrder] = field(default_factory=dict)
    """By UID: what must still be stopped."""
    over: tuple[tuple[str, int], ...] = ()
    """Entries that may go: UID and epoch."""
    needs: Mapping[str, tuple[Precondition, ...]] = field(default_factory=dict)


NONE: Final = Leftovers()


def left_on_host(world: World, assignment: HostAssignment, current: Mapping[str, InstanceOrder]) -> Leftovers:
    """Entries nobody wants any more, and what the host runs without one: those that must still be stopped, and those that may go."""
    downs: dict[str, InstanceOrder] = {}
    over: list[tuple[str, int]] = []
    for uid, entry in sorted(assignment.spec.instances.items()):
        if uid in current or not _is_over(world, uid, entry):
            continue
        if is_gone_from(assignment, uid, entry):
            over.append((uid, entry.epoch))
        elif entry.want == "Up" and not _is_granted_here(world, assignment, uid, entry):
            downs[uid] = entry.model_copy(update={"want": "Down", "why": _why(world, uid, entry)})
    downs |= {uid: order for uid, order in _from_reports(world, assignment) if uid not in current}
    needs = {uid: (_gone(uid, order),) for uid, order in downs.items() if instance_of(world, uid, order) is None}
    return Leftovers(downs, tuple(over), needs)


def _from_reports(world: World, assignment: HostAssignment) -> Iterator[tuple[str, InstanceOrder]]:
    """Orders to stop what the host says it has and nobody has an order for."""
    session = assignment.status.session
    if session is None:
        return
    for uid, said in sorted(assignment.status.instances.items()):
        if said.released or uid in assignment.spec.instances or not _is_over(world, uid, said):
            continue
        if _is_granted_here(world, assignment, uid, said):
            continue
        instance = instance_of(world, uid, said)
        # A copy that the host has carried over from a session before is reported under that one's epoch, which it knows: an order of
        # this session reaches it only as a newer epoch, and of a UID that is gone there never will be another.
        epoch = said.epoch + 1 if instance is None and session.supersedes else said.epoch
        yield (
            uid,
            InstanceOrder(
                namespace=said.namespace,
                name=said.name,
                service=said.service,
                epoch=epoch,
                session=session.ref,
                want="Down",
                exclusive=instance.spec.exclusive if instance is not None else True,
                revision=said.revision,
                why=_why(world, uid, said),
            ),
        )


def _is_over(world: World, uid: str, entry: InstanceOrder | InstanceReport) -> bool:
    instance = instance_of(world, uid, entry)
    if instance is None:
        # Deleted, as far as we have seen; before anything is stopped for that, the API server is asked (`_gone`).
        return not world.cannot_read(HAInstance, HA_INSTANCES.key(entry.namespace, entry.name))
    spec = instance.spec
    return spec.epoch > entry.epoch or (spec.epoch == entry.epoch and spec.grant is None)


def _is_granted_here(world: World, assignment: HostAssignment, uid: str, entry: InstanceOrder | InstanceReport) -> bool:
    """A later epoch has been granted to this host: its order, which is about to come, goes on with what runs."""
    instance = instance_of(world, uid, entry)
    return instance is not None and instance.holder == assignment.metadata.name


def _gone(uid: str, order: InstanceOrder) -> Gone:
    what_for = f"what runs of {key_of(order.namespace, order.name)} is stopped if nobody knows of it any more"
    return Gone(HA_INSTANCES.kind, order.namespace, order.name, uid, what_for)


def _why(world: World, uid: str, entry: InstanceOrder | InstanceReport) -> str:
    return f"epoch {entry.epoch} is over" if instance_of(world, uid, entry) else "its HAInstance is gone"
