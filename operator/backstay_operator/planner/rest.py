"""Plans of services at rest, kept until anything has changed that they were made from.

At rest a service runs where it was granted, as its manifest says, on a host that lives: nothing is to be done about it, and no time that passes
changes that. Its plan was made from its own objects, from what hosts say of it or are told about it, and from what concerns all services alike:
as long as all three are the same, so is the plan. Whatever is not known here to concern only some of the services is taken to concern all.

Of a thousand services hardly one is touched between two rounds: which, is seen by looking at all objects at once, and only of those it is
looked up whether their plans still hold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, fields
from operator import is_
from typing import Final, Protocol, TypeVar

from backstay_api.objects.models import HAInstance, HAService, ResourceClaim

from .do.course import Course
from .do.decisions import Decision, Slot
from .do.moves import wish_of
from .do.rounds import Round
from .judge.acceptance import Accepted
from .judge.copies import instances_of
from .judge.remains import stored_order
from .know import holdings
from .know.clearing import clear_of
from .know.contents import sources
from .know.liveness import Liveness, of_host, trusts_itself
from .know.losses import Losses
from .know.sessions import report_of
from .know.touched import seen, touched
from .know.world import World
from .surroundings import BY_HOST, Circle, Surroundings, around, outline


class Rests(Protocol):
    """A plan, as far as it is known here."""

    @property
    def rests(self) -> bool:
        """Whether nothing but a change of what is known could change it."""


T = TypeVar("T", bound=Rests)
_TOPIC: Final = "plan at rest"
_SEEN: Final = "seen at rest"
_LOST: Final = "losses at rest"

_BY_THEMSELVES: Final[Set[str]] = frozenset({"services", "instances", "claims", "losses", "contents"})
"""What the plan of a service names one by one."""
_BY_SPEC: Final[Set[str]] = frozenset({"classes"})
"""Of their status nobody takes notice."""
_INDEXES: Final[Set[str]] = frozenset(
    {
        *("instances_of", "requests_of", "wanted_by", "named_by", "reported_by"),
        *("ordered_on", "asked_on", "held_on", "own_addresses"),
    }
)
"""They change only with the objects that they are made from."""
_OF_THE_MOMENT: Final[Set[str]] = frozenset(
    {"now_s", "wall", "instant", "free_s", "failed_s", "rebooting", "ready_s", "kept", "memo"}
)
"""Nothing at rest is decided by the time, or has failed, or waits for a reboot or for better hosts."""
_FOR_ALL: Final = tuple(
    one.name for one in fields(World) if one.name not in _BY_THEMSELVES | _BY_SPEC | BY_HOST | _INDEXES | _OF_THE_MOMENT
)

_ON_THE_WAY: Final = tuple(
    one.name
    for one in fields(Round)
    if one.name
    not in {
        *("world", "guard", "planned", "over", "rooms", "edited", "placing", "_bound"),
        *("answering", "starting", "stopping", "let_go", "delayed"),
    }
)
"""What plans tell each other in a round. Those named here tell nothing to what rests: the last five by `dependsOn` alone, while nothing
rests, or from one copy to the others of its service, which rests as a whole or not at all."""

_SERVICE_FIELDS: Final[Set[str]] = frozenset(
    {"state", "mode", "replicas", "exclusive", "resources", "placement", "recovery"}
)
_PLACEMENT_FIELDS: Final[Set[str]] = frozenset({"hosts", "prefer", "tolerations", "stickiness", "priority", "failback"})
_RECOVERY_FIELDS: Final[Set[str]] = frozenset({"restarts", "window", "backoff"})
"""What a manifest may say whose plan is kept: nothing of it is about other services, or about times of day."""


@dataclass(frozen=True)
class Known:
    """What has changed since the round before."""

    touched: Set[str]
    """Keys of services of which any object of their own is another: of no other service need it be looked up whether its plan still holds."""
    on_the_way: tuple[Collection[str], ...]
    """What plans of this round tell each other: while there is any, none is kept."""
    around: Surroundings
    """The hosts."""

    def is_as_known(self, key: str, made: tuple[object, ...]) -> bool:
        """Whether nothing has changed that could concern a plan which was made from this."""
        others = made[0][-1]  # type: ignore[index]
        return (
            key not in self.touched
            and self.around.holds(made[1])
            and (not others or all(self.around.said.get(host) is made[2 + at] for at, host in enumerate(others)))
        )


def known(round_: Round) -> Known:
    """What has changed since the round before."""
    world = round_.world
    classes = {key: one.spec for key, one in world.classes.items()}
    now = (
        *(_copied(getattr(world, name)) for name in _FOR_ALL),
        classes,
        trusts_itself(world),
        outline(world),
        _domains(world),
    )
    before, last = world.kept[""].get(_TOPIC), world.kept[""].get(_SEEN)
    is_same = before is not None and before[1] == now
    if not is_same:
        world.kept[""][_TOPIC] = ((), now)
    news = touched(world, last[1]) | _lost_otherwise(world) if last is not None else world.services.keys()  # type: ignore[arg-type]
    on_the_way = tuple(getattr(round_, name) for name in _ON_THE_WAY)
    return Known(news, on_the_way, around(world, is_all_else_same=is_same))


def _domains(world: World) -> object:
    """Whether anybody has looked what losses would leave over, and at which values of labels."""
    return world.losses and [loss.domain for loss in world.losses.each if loss.domain.topology_key]


def _lost_otherwise(world: World) -> Set[str]:
    """Keys of services of which something else is left over than was when their plans held last."""
    known = world.kept[""].get(_LOST)
    before, now = known[1] if known is not None else None, world.losses
    if before is now:
        return frozenset()
    old, new = (one.left_of if isinstance(one, Losses) else {} for one in (before, now))
    keys = (key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    return {world.instances[key].service_key for key in keys if key in world.instances}


def note(world: World) -> None:
    """All plans that are kept hold now."""
    world.kept[""][_SEEN] = ((), seen(world))
    world.kept[""][_LOST] = ((), world.losses)


def _copied(value: object) -> object:
    """As it is now: what the world keeps up to date in place is compared with what it was."""
    match value:
        case dict():
            return {key: _copied(one) for key, one in value.items()}
        case set():
            return frozenset(value)
    return value


def kept(world: World, key: str, owned: Mapping[str, Sequence[str]], known: Known, make: Callable[[], T]) -> T:
    """The plan of a service: as it was, if nothing has changed that it was made from, or as `make` has it now."""
    plans = world.kept[key]
    old = plans.get(_TOPIC) if not any(known.on_the_way) else None
    if old is not None and known.is_as_known(key, old[0]):
        return old[1]  # type: ignore[return-value]
    service = world.services[key]
    made = _made_from(world, service, owned.get(service.uid, ()), known)
    if old is not None and _is_same(old[0], made):
        return old[1]  # type: ignore[return-value]
    plans.pop(_TOPIC, None)
    plan = make()
    if plan.rests:
        plans[_TOPIC] = (made, plan)
    return plan


def _is_same(old: tuple[object, ...], new: tuple[object, ...]) -> bool:
    """The very objects, and equal values (the first)."""
    return len(old) == len(new) and old[0] == new[0] and all(map(is_, old[1:], new[1:]))


def _made_from(world: World, service: HAService, owned: Sequence[str], known: Known) -> tuple[object, ...]:
    names = [key.name for key in holdings.keys(world, service)]
    instances = instances_of(world, service)
    claims = [world.claims.get(name) for name in (*names, *owned)]
    uids = [*(one.uid for one in instances), *_gone(world, service, claims)]
    told = [(host, uid) for uid in uids for host in sorted(_speaking_of(world, uid))]
    entries = [entry for host, uid in told for entry in _entries(world, host, uid)]
    waits = [world.rebooting.get(one.uid) for one in instances]
    left = [world.losses.left_of.get(one.key) for one in instances] if world.losses else []
    circle = known.around.of(world, service)
    others = _others(world, service, circle, instances, claims, told)
    hosts = [known.around.said.get(host) for host in others]
    values = (len(instances), tuple(owned), tuple(told), tuple(left), others)
    texts = [world.contents.get(key) for key in sources(service)]
    return (values, circle, *hosts, service, *instances, *claims, *entries, *waits, *texts)


def _others(
    world: World,
    service: HAService,
    circle: Circle,
    instances: Sequence[HAInstance],
    claims: Sequence[ResourceClaim | None],
    told: Sequence[tuple[str, str]],
) -> tuple[str, ...]:
    """Hosts that it does not select, and that hold it, speak of it, are still recorded as claimed, or had what it ran well with last."""
    found = {*(one.holder for one in instances if one.holder), *(host for host, _ in told)}
    found.update(one.host for one in service.status.last_ran_with)
    found = found.union(*(_claimed_on(world, one) for one in claims if one is not None))
    return tuple(sorted(found - circle.hosts))


def _claimed_on(world: World, claim: ResourceClaim) -> Set[str]:
    """Hosts on which a claim is anybody's."""
    return world.keep("claimed on", claim.key, (claim,), lambda: {one.host for one in claim.spec.hosts or ()})


def _gone(world: World, service: HAService, claims: Sequence[ResourceClaim | None]) -> Sequence[str]:
    """UIDs of copies that are gone, and for which its claims are recorded: where anything is left of one, no other comes."""
    recorded = {one for claim in claims if claim is not None for one in _recorded(world, claim)}
    here = {world.instances[key].uid for key in world.instances_of.get(service.uid, ())}
    return sorted(uid for service_uid, uid in recorded if service_uid == service.uid and uid not in here)


def _recorded(world: World, claim: ResourceClaim) -> Set[tuple[str, str]]:
    """UIDs of services and of those of their instances that it is recorded for."""
    return world.keep(
        "recorded for", claim.key, (claim,), lambda: {(one.uid, one.instance) for one in claim.owners if one.instance}
    )


def _speaking_of(world: World, uid: str) -> Set[str]:
    """Hosts that say anything of an instance, or are told anything about it."""
    looked = world.once("looked at by", (), lambda: _looked_at_by(world))
    indexes = (world.reported_by, world.ordered_on, world.asked_on, looked)
    return {host for index in indexes for host in index.get(uid, ())}


def _looked_at_by(world: World) -> Mapping[str, Set[str]]:
    """Hosts by the UID of an instance of which they have looked, or are to look, at what it needs: any host is held against any other."""
    found = defaultdict[str, set[str]](set)
    for host, one in world.assignments.items():
        for uid in one.spec.prerequisites.keys() | one.status.prerequisites.keys():
            found[uid].add(host)
    return found


def _entries(world: World, host: str, uid: str) -> Iterator[object]:
    spec, status = world.assignments[host].spec, world.assignments[host].status
    for entries in (spec.instances, spec.standbys, spec.roles, status.instances, status.standbys, status.roles):
        yield entries.get(uid)
    for looks in (spec.prerequisites, status.prerequisites):
        yield looks.get(uid)


def is_at_rest(world: World, decision: Decision) -> bool:
    """Whether nothing but a change of what is known could change what is decided about a service."""
    service = decision.service
    return (
        isinstance(decision.acceptance, Accepted)
        and not decision.is_leaving
        and bool(decision.slots)
        and all(_rests(world, service, slot) for slot in decision.slots)
        and not service.status.failures
        and wish_of(service) is None
        and clear_of(service) is None
        and not world.ruled
        and not world.depending
        and world.keep("says only", service.key, (service.spec,), lambda: _says_only_what_is_known(service))
        and all(_is_its_own(world, service, key.name) for key in holdings.keys(world, service))
    )


def _rests(world: World, service: HAService, slot: Slot) -> bool:
    instance = slot.instance
    if (
        instance is None
        or slot.in_force is not service
        or instance.spec.grant is None
        or instance.uid in world.rebooting
    ):
        return False
    stored, report = stored_order(world, instance.holder, instance), report_of(world, instance.holder, instance)
    runs = stored is not None and stored.want == "Up" and report is not None and report.phase == "Running"
    return runs and of_host(world, instance.holder) is Liveness.LIVE and slot.course == Course(order=stored)


def _is_its_own(world: World, service: HAService, name: str) -> bool:
    claim = world.claims.get(name)
    return claim is not None and holdings.owners(world, claim).keys() == {service.uid}


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
