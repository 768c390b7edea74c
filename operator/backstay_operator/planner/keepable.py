"""Which plans may be kept (`rest.py`): those of services about which nothing but a change of what is known could change what is decided.

At rest a service runs where it was granted, as its manifest says, on a host that lives. One that has never run may wait: for a write that
is under way, for hosts to answer, for what it claims. Neither goes by the time. By how many services hosts have goes who is asked to be
ready for what has run, and where something is granted: then that is the same too (`goes_by`). Whatever has run and does not, or runs not as
it should, is planned in each round.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Final

from backstay_api.objects.models import HAInstance, HAService

from .actions import Action, WriteInstance
from .by_host import Load
from .do.course import Course
from .do.decisions import Decision, Slot
from .do.moves import wish_of
from .judge.acceptance import Accepted
from .judge.remains import names_a_gone_one, stored_order
from .know import holdings
from .know.clearing import clear_of
from .know.liveness import Liveness, of_host
from .know.sessions import report_of
from .know.world import World
from .preconditions import Silent

_SERVICE_FIELDS: Final[Set[str]] = frozenset(
    {"state", "mode", "replicas", "exclusive", "resources", "placement", "recovery"}
)
_PLACEMENT_FIELDS: Final[Set[str]] = frozenset({"hosts", "prefer", "tolerations", "stickiness", "priority", "failback"})
_RECOVERY_FIELDS: Final[Set[str]] = frozenset({"restarts", "window", "backoff"})
"""What a manifest may say whose plan is kept: nothing of it is about other services, or about times of day."""


def is_keepable(world: World, decision: Decision, actions: Sequence[Action]) -> bool:
    """Whether nothing but a change of what is known could change what is decided about a service. `actions`: all that is to be written."""
    service = decision.service
    return (
        isinstance(decision.acceptance, Accepted)
        and not decision.is_leaving
        and bool(decision.slots)
        and all(_is_steady(world, service, slot, acts=bool(actions)) for slot in decision.slots)
        and not any(one.needs for one in actions if not isinstance(one, WriteInstance))
        and not any(isinstance(need, Silent) for one in actions for need in one.needs)  # it names a version of a Lease
        and not service.status.failures
        and wish_of(service) is None
        and clear_of(service) is None
        and not world.ruled
        and not world.depending
        and world.keep("says only", service.key, (service.spec,), lambda: _says_only_what_is_known(service))
        and all(_is_undisputed(world, service, key.name) for key in holdings.keys(world, service))
    )


def reads_other_names(decision: Decision) -> bool:
    """Whether it goes by an object that is none of its own yet: an instance that is to be made may find its name taken."""
    return any(slot.instance is None for slot in decision.slots)


def goes_by(decision: Decision) -> Load:
    """What of the number of services on hosts, and on their way there, decides about it. Before its first epoch all are asked."""
    if any(_is_granted(slot) for slot in decision.slots):
        return Load.ALL
    has_run = any(slot.instance is not None and slot.instance.spec.epoch > 0 for slot in decision.slots)
    return Load.STANDBYS if has_run else Load.NOTHING


def _is_granted(slot: Slot) -> bool:
    """Whether this very plan grants it to a host."""
    return any(isinstance(one, WriteInstance) for one in slot.course.actions)


def _is_steady(world: World, service: HAService, slot: Slot, *, acts: bool) -> bool:
    instance, course = slot.instance, slot.course
    if slot.in_force is not service or slot.is_leaving or course.goes_by_load:
        return False
    if instance is None:
        return service.spec.mode != "EveryHost" and not course.missing
    if instance.uid in world.rebooting or instance.metadata.deletion_timestamp is not None:
        return False
    if instance.spec.grant is None:
        # Of several copies one goes by where the others go.
        return _waits_for_its_first_host(world, instance, course) and (not course.to or service.spec.mode == "Single")
    # What has run elsewhere before is told with how long that took.
    is_first = instance.spec.epoch == 1
    return (_rests(world, instance, course) and (is_first or not acts)) or (
        is_first and _starts(world, instance, course)
    )


def _waits_for_its_first_host(world: World, instance: HAInstance, course: Course) -> bool:
    """It has never run, and nothing of its name is left anywhere."""
    is_left = names_a_gone_one(world, instance)
    return instance.spec.epoch == 0 and course.look_again_s is None and not is_left


def _starts(world: World, instance: HAInstance, course: Course) -> bool:
    """It is to run where it was granted, and that host has not said yet that it does, nor that it cannot."""
    report = report_of(world, instance.holder, instance)
    is_well = report is None or (report.phase in ("Starting", "Running") and report.healthy)
    is_plain = course == Course(course.actions, course.order)
    is_to_run = course.order is None or course.order.want == "Up"
    return is_plain and is_to_run and is_well and of_host(world, instance.holder) is Liveness.LIVE


def _rests(world: World, instance: HAInstance, course: Course) -> bool:
    stored, report = stored_order(world, instance.holder, instance), report_of(world, instance.holder, instance)
    runs = stored is not None and stored.want == "Up" and report is not None and report.phase == "Running"
    return runs and of_host(world, instance.holder) is Liveness.LIVE and course == Course(order=stored)


def _is_undisputed(world: World, service: HAService, name: str) -> bool:
    """Whether it has a claim for itself alone; or nobody has, and nobody else wants it."""
    claim = world.claims.get(name)
    if claim is not None:
        return holdings.owners(world, claim).keys() == {service.uid}
    return world.wanted_by.get(name) == {service.key}


def _says_only_what_is_known(service: HAService) -> bool:
    spec = service.spec
    placement, recovery = spec.placement, spec.recovery
    return (
        spec.model_fields_set <= _SERVICE_FIELDS
        and placement.model_fields_set <= _PLACEMENT_FIELDS
        and placement.failback == "Never"
        and (recovery is None or recovery.model_fields_set <= _RECOVERY_FIELDS)
        and spec.state == "Running"
        and spec.mode in ("Single", "Replicated", "EveryHost")
    )
