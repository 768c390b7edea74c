"""What `dependsOn` asks of the other service, and of what depends on it: is that Ready, can its stop be waited for, has it gone over?"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.instance import Required
from backstay_api.objects.models.service import Dependency
from backstay_operator.planner.know import sessions
from backstay_operator.planner.know.dependencies import dependencies, dependents, other_key
from backstay_operator.planner.know.liveness import Liveness, of_host, untouched
from backstay_operator.planner.know.world import World

from .acceptance import Accepted, accept, is_to_stop
from .copies import instances_of
from .remains import stored_order

MOST_COPIES: Final = 16
"""Of so many copies of each service that it requires an instance notes what it was started with."""


def that_count(world: World, other: HAService, dependency: Dependency) -> list[HAInstance]:
    """Instances of the service that it names."""
    return [one for one in instances_of(world, other) if one.is_promoted or not dependency.is_promoted]


def one_works(world: World, other: HAService, dependency: Dependency) -> bool:
    """Whether it is Ready; of several copies: whether one of those that count works."""
    return any(works(world, one) for one in that_count(world, other, dependency))


def works(world: World, instance: HAInstance) -> bool:
    """Whether it runs where it shall run on, and its probes agree."""
    report, stored = (
        sessions.report_of(world, instance.holder, instance),
        stored_order(world, instance.holder, instance),
    )
    return runs(world, instance) and bool(report and report.healthy and stored and stored.want == "Up")


def runs(world: World, instance: HAInstance) -> bool:
    """Whether its holder, which is not lost, says that it runs there, well or not."""
    report = sessions.report_of(world, instance.holder, instance)
    return report is not None and report.phase == "Running" and _speaks(world, instance)


def starts(world: World, instance: HAInstance) -> bool:
    """Whether its holder has been told to run it, or is about to be, and has neither done so nor failed."""
    report, stored = (
        sessions.report_of(world, instance.holder, instance),
        stored_order(world, instance.holder, instance),
    )
    is_on_its_way = report is None or (report.phase in ("Stopped", "Starting") and not report.by_admin)
    return is_on_its_way and (stored is None or stored.want == "Up") and _is_told(world, instance)


def is_unanswered(world: World, service: HAService, instance: HAInstance, hosts: Collection[str]) -> bool:
    """Whether one of these hosts, which live, has yet to say if it could run it."""
    said = (world.assignments[host].status.standbys.get(instance.uid) for host in hosts if host in world.assignments)
    return any(one is None or one.revision != service.metadata.generation for one in said)


def is_stopped_with(world: World, service: HAService, instance: HAInstance) -> bool:
    """Whether it may be told to stop because what it requires stops: nobody has his hands on it, and its host listens."""
    return service.spec.state != "Unmanaged" and _is_told(world, instance)


def stops_first(world: World, service: HAService, *, is_move: bool, promoted_alone: bool = False) -> list[HAInstance]:
    """Instances of other services whose stop this one's stop waits for. What cannot be stopped now is waited for by nobody.

    `promoted_alone`: its promoted copy is demoted, and others run on.
    """
    return [
        instance
        for other, dependency in dependents(world).get(service.key, ())
        if dependency.is_promoted or not promoted_alone
        for instance in instances_of(world, other)
        if _minds(world, other, instance, dependency, is_move=is_move) and _is_waited_for(world, other, instance)
    ]


def _minds(world: World, other: HAService, instance: HAInstance, dependency: Dependency, *, is_move: bool) -> bool:
    if dependency.type != "After":
        return not (is_move and (dependency.on_change == "None" or not isinstance(accept(world, other), Accepted)))
    stored = stored_order(world, instance.holder, instance)
    return (
        is_to_stop(other, accept(world, other))
        or other.metadata.deletion_timestamp is not None
        or (stored is not None and stored.want == "Down")
    )


def _is_waited_for(world: World, service: HAService, instance: HAInstance) -> bool:
    """Its host has been told of it, lives, and has neither stopped it nor given up: an agent's stop takes a bounded time."""
    report, stored = (
        sessions.report_of(world, instance.holder, instance),
        stored_order(world, instance.holder, instance),
    )
    if stored is None or stored.is_unmanaged or not is_stopped_with(world, service, instance):
        return False
    return report is None or not (report.released or report.phase == "Stuck")


def _is_told(world: World, instance: HAInstance) -> bool:
    return _speaks(world, instance) and not untouched(world, instance.holder)


def _speaks(world: World, instance: HAInstance) -> bool:
    """The session that it is granted to is not lost. One that is late for a moment is there all the same."""
    grant, session = instance.spec.grant, sessions.published(world, instance.holder)
    if grant is None or session is None or session.ref != grant.session:
        return False
    return of_host(world, grant.host) in (Liveness.LIVE, Liveness.SUSPECT, Liveness.UNSURE)


# --- what it was started with ----------------------------------------------------------------------------------------


def required(world: World, service: HAService, known: Collection[Required] = ()) -> tuple[Required, ...]:
    """What is noted of an instance of it: of each service that it requires, those that it was started with, or that work now."""
    found: list[Required] = []
    for one in dependencies(world, service):
        other = world.services.get(other_key(service, one))
        if one.type == "After" or other is None:
            continue
        noted = [each for each in known if each.service == one.service]
        found += noted or _that_work(world, other, one)
    return tuple(found)


def _that_work(world: World, other: HAService, dependency: Dependency) -> list[Required]:
    there = [one for one in that_count(world, other, dependency) if works(world, one)]
    return [Required(service=other.metadata.name, uid=one.uid, epoch=one.spec.epoch) for one in there[:MOST_COPIES]]


def went_over_to(world: World, instance: HAInstance, other: HAService, dependency: Dependency) -> str:
    """The host that another service runs on since this instance was started; empty: one that it was started with is still there."""
    noted = {(one.uid, one.epoch) for one in instance.spec.required or () if one.service == other.metadata.name}
    there = that_count(world, other, dependency)
    if not noted or any((one.uid, one.spec.epoch) in noted for one in there):
        return ""
    return next((one.holder for one in there if one.holder), "")
