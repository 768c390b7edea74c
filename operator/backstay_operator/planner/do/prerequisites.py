"""Who is asked to look at a service's prerequisites: where it runs, which tells what is right, and every host that is asked to be ready."""

from __future__ import annotations

from collections.abc import Iterator

from backstay_api.objects.editions import KEEP, is_referred
from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.prerequisites import CopyQuestion, PrerequisiteOrder, RenderedPrerequisite
from backstay_api.objects.models.resources import Resource
from backstay_operator.planner.judge import contents, editions, where
from backstay_operator.planner.judge.acceptance import Accepted
from backstay_operator.planner.judge.editions import Rollout
from backstay_operator.planner.judge.prerequisites import prerequisites_of, unlike_content
from backstay_operator.planner.know.world import World

from .decisions import Slot

Asked = tuple[str, str, PrerequisiteOrder]
"""Host, UID of the HAInstance, and what to look at."""


def orders(world: World, slot: Slot) -> Iterator[Asked]:
    """What is to be looked at, and where; of a manifest that is refused, what it was before."""
    instance = slot.instance
    if instance is None or instance.metadata.deletion_timestamp is not None:
        return
    if not isinstance(slot.acceptance, Accepted):
        yield from stored(world, instance)
        return
    wanted = _known(world, slot.in_force, instance)
    rollouts = {one.name: editions.rollout(world, slot.in_force, instance, one, slot.asked) for one in wanted}
    for host in dict.fromkeys(filter(None, (instance.holder, *slot.asked))) if wanted else ():
        yield (
            host,
            instance.uid,
            PrerequisiteOrder(
                namespace=instance.metadata.namespace or "",
                name=instance.metadata.name,
                revision=slot.in_force.metadata.generation or 0,
                resources=[_told(one, rollouts[one.name], slot.in_force, host) for one in wanted],
            ),
        )


def _known(world: World, service: HAService, instance: HAInstance) -> list[Resource]:
    """All but files whose content nobody knows, each with its content: of those nobody can be told more than that they are to come."""
    wanted = prerequisites_of(service)
    known = [contents.brought(world, service, instance, one) or one for one in wanted]
    return [one for one in known if one.file is None or not is_referred(one.file)]


def _told(resource: Resource, rollout: Rollout | None, service: HAService, host: str) -> RenderedPrerequisite:
    told = resource.as_prerequisite
    if rollout is None or told.file is None:
        return told
    # What is Unmanaged is touched nowhere; where it runs the agent has been told so.
    is_unmanaged = service.spec.state == "Unmanaged"
    use = KEEP if is_unmanaged and host != rollout.holder else rollout.use(host)
    more = {"use": use, "rollout": editions.tried(service, resource)}
    return told.model_copy(update={"file": told.file.model_copy(update=more)})


def questions(world: World, slot: Slot) -> Iterator[tuple[str, CopyQuestion]]:
    """By host: what finds out where copies differ. Of one that nobody runs nothing new is asked: who is asked might be dead."""
    instance = slot.instance
    if (
        instance is None
        or instance.metadata.deletion_timestamp is not None
        or not isinstance(slot.acceptance, Accepted)
    ):
        return
    for host in slot.asked:
        for pair in unlike_content(world, slot.in_force, instance, host):
            yield from where.next_questions(world, pair, begins=pair.there == instance.holder)


def stored(world: World, instance: HAInstance) -> Iterator[Asked]:
    """What hosts have been asked. Rare, so that looking at every host does no harm."""
    for host in sorted(world.assignments):
        if told := world.assignments[host].spec.prerequisites.get(instance.uid):
            yield host, instance.uid, told
