"""Plans of services at rest, or that only wait, kept until anything has changed that they were made from.

Which these are says `keepable.py`: whatever is to be done about one, no time that passes changes that. Its plan was made from its own objects,
from what hosts say of it or are told about it, from who else wants what it wants, and from what concerns all services alike: as long as all
four are the same, so is the plan. Whatever is not known here to concern only some of the services is taken to concern all. How many services
hosts have is a part of it for those alone that go by that. What is told of a service bears the time at which that was decided.

Of a thousand services hardly one is touched between two rounds: which, is seen by looking at all objects at once, and only of those it is
looked up whether their plans still hold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, fields
from functools import partial
from operator import is_
from typing import Final

from backstay_api.objects.models import HAInstance, HAService, ResourceClaim
from backstay_api.objects.names import key_of

from .by_host import Load, ServicePlan
from .do.rounds import Round
from .judge.copies import instances_of
from .judge.placement import standbys
from .judge.remains import names_a_gone_one
from .know import holdings
from .know.contents import sources
from .know.liveness import trusts_itself
from .know.losses import Losses
from .know.touched import seen, touched
from .know.world import World
from .surroundings import BY_HOST, Circle, Surroundings, around, outline

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
"""Nothing that is kept is decided by the time, or has failed, or waits for a reboot or for better hosts."""
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


@dataclass(frozen=True)
class Known:
    """What has changed since the round before."""

    touched: Set[str]
    """Keys of services of which any object of their own is another: of no other service need it be looked up whether its plan still holds."""
    on_the_way: tuple[Collection[str], ...]
    """What plans of this round tell each other: while there is any, none is kept."""
    around: Surroundings
    """The hosts."""
    round_: Round

    def need_not_be_looked_up(self, key: str, made: tuple[object, ...], plan: ServicePlan) -> bool:
        """Whether that is plain already."""
        is_even = plan.goes_by is Load.NOTHING or (plan.goes_by is Load.STANDBYS and self.around.has_as_many(made[1]))
        return is_even and not plan.reads_other_names and self.is_as_known(key, made)

    def hosts_of(self, world: World, service: HAService) -> Sequence[str]:
        """Those that it selects, removed ones too, in a fixed order."""
        return sorted(self.around.of(world, service).hosts)

    def is_as_known(self, key: str, made: tuple[object, ...]) -> bool:
        """Whether nothing has changed that could concern a plan which was made from this."""
        others = made[0][0][0]  # type: ignore[index]
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
    return Known(news, on_the_way, around(world, is_all_else_same=is_same), round_)


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


def kept(
    world: World, key: str, owned: Mapping[str, Sequence[str]], known: Known, make: Callable[[], ServicePlan]
) -> ServicePlan:
    """The plan of a service: as it was, if nothing has changed that it was made from, or as `make` has it now."""
    plans = world.kept[key]
    old = plans.get(_TOPIC) if not any(known.on_the_way) else None
    plan = old[1] if old is not None else None
    if old is not None and isinstance(plan, ServicePlan) and known.need_not_be_looked_up(key, old[0], plan):
        return plan
    service = world.services[key]
    made, loads = _made_from(world, service, owned.get(service.uid, ()), known), partial(_loads, world, service, known)
    if old is not None and isinstance(plan, ServicePlan) and _is_same(old[0], made, partial(loads, plan.goes_by)):
        for instance, host in plan.sends:
            known.round_.send(instance, host)
        return plan
    plans.pop(_TOPIC, None)
    coming = loads(Load.ALL)  # before the plan itself sends anything
    plan = make()
    if plan.rests:
        plans[_TOPIC] = (_with(made, coming if plan.goes_by is Load.ALL else loads(plan.goes_by)), plan)
    return plan


def _with(made: tuple[object, ...], loads: tuple[object, ...]) -> tuple[object, ...]:
    values, *objects = made
    return (values, loads), *objects


def _loads(world: World, service: HAService, known: Known, goes_by: Load) -> tuple[object, ...]:
    """What a plan that goes by it reads of how many services its hosts have."""
    match goes_by:
        case Load.NOTHING:
            return ()
        case Load.STANDBYS:
            return tuple([standbys(world, service, one) for one in instances_of(world, service)])
        case Load.ALL:
            held, planned = world.held_by, known.round_.planned
            return tuple(
                [len(held.get(host, ())) + len(planned.get(host, ())) for host in known.hosts_of(world, service)]
            )


def _is_same(old: tuple[object, ...], new: tuple[object, ...], loads: Callable[[], object]) -> bool:
    """The very objects, and equal values (the first); then alone it is known that hosts can be judged for it."""
    assert isinstance(old[0], tuple), "values, and what was read of loads"
    values, known_loads = old[0]
    is_same = len(old) == len(new) and values == new[0] and all(map(is_, old[1:], new[1:]))
    return is_same and known_loads == loads()


def _made_from(world: World, service: HAService, owned: Sequence[str], known: Known) -> tuple[object, ...]:
    names = [key.name for key in holdings.keys(world, service)]
    instances = instances_of(world, service)
    claims = [world.claims.get(name) for name in (*names, *owned)]
    uids = [*(one.uid for one in instances), *_gone(world, service, claims)]
    told = [(host, uid) for uid in uids for host in sorted(_speaking_of(world, uid))]
    entries = [entry for host, uid in told for entry in _entries(world, host, uid)]
    waits = [world.rebooting.get(one.uid) for one in instances]
    rivals = [sorted(world.wanted_by.get(name, ())) for name in names if name not in world.claims]
    named = [world.instances.get(key_of(service.metadata.namespace, slot)) for slot in service.slots]
    left = [world.losses.left_of.get(one.key) for one in instances] if world.losses else []
    circle = known.around.of(world, service)
    others = _others(world, service, circle, instances, claims, told)
    hosts = [known.around.said.get(host) for host in others]
    named_too = [names_a_gone_one(world, one) for one in instances]
    values = (others, len(instances), tuple(owned), tuple(told), tuple(left), rivals, named_too)
    texts = [world.contents.get(key) for key in sources(service)]
    return (values, circle, *hosts, service, *instances, *claims, *entries, *waits, *named, *texts)


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
