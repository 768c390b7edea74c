"""What would come of a change: the planner's own rounds, each carried out in the picture as if all went well, until nothing is left to do.

Hosts do what they are told at once, a service that is started runs, and a host that is asked to be ready is ready. Nothing else is assumed:
who goes where, and why, is what `plan` says, round after round.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, assert_never

from backstay_api.objects.models import HAInstance, HAService, Host, HostAssignment
from backstay_api.objects.models.assignment import (
    InstanceReport,
    StandbyReport,
)
from backstay_api.objects.models.base import Meta
from backstay_api.objects.models.instance import Closed
from backstay_api.objects.names import key_of

from .actions import (
    Action,
    Assign,
    CreateClaim,
    CreateInstance,
    DeleteClaim,
    DeleteInstance,
    Placing,
    RemoveMoveWish,
    SetFinalizer,
    WriteClaim,
    WriteInstance,
    WriteRequired,
)
from .do.decisions import Slot, decide, next_host
from .do.finalizers import FINALIZERS
from .do.moves import MOVE_ANNOTATION
from .do.rounds import begin, in_turn
from .judge.acceptance import Refused
from .judge.placement import Verdict
from .judge.restless import MOST_STARTS, rests
from .know.world import LeaseSeen, World
from .offline import as_stored, opens_session, report_as_told
from .plan import plan
from .words import joined

MOST_ROUNDS: Final = 300
"""Only services that do without moves, and start and stop each other on and on, take as many."""


@dataclass(frozen=True)
class Change:
    """What would become of one instance."""

    verb: str
    """start, stop, move, or restart: it is stopped and started again where it runs."""
    instance: str
    from_: str
    to: str
    why: str


@dataclass(frozen=True)
class Supposed:
    """How it would be at the end."""

    slots: tuple[tuple[str, Slot], ...]
    """By key of its HAInstance, as decided at the end, in the order of the plan."""
    changes: tuple[Change, ...]
    whys: Mapping[str, str]
    """By key of an HAInstance: the last that was said when it was granted or stopped."""
    verdicts: tuple[tuple[str, Verdict], ...]
    """Key of the HAInstance, and what the judges say of each host."""
    restless: tuple[str, ...] = ()
    """Keys of HAInstances that would be stopped and started time and again, until they are left where they are (`judge/restless.py`)."""


def lose(world: World, host: str, told: Told) -> None:
    """The host is gone, and proven to be: what it held may go on elsewhere."""
    for key in sorted(world.held_by.get(host, ())):
        instance = world.instances[key]
        told.whys[key].append(f"{host} is lost")
        closed = Closed(epoch=instance.spec.epoch, evidence="Device", why=f"{host} is lost")
        world.put_instance(
            instance.model_copy(
                update={"spec": instance.spec.model_copy(update={"grant": None, "closed": closed})},
            )
        )
        _say_after(world, world.instances[key])
    seen = world.leases.get(host)
    if seen is not None:
        sealed = seen.lease if seen.lease.sealed else seen.lease.sealed_()
        world.leases[host] = LeaseSeen(sealed, world.now_s, world.now_s)


def _say_after(world: World, instance: HAInstance) -> None:
    """Each host that says how fresh its data is says that it is as fresh when the epoch is over, if that is."""
    uid = instance.uid
    for host in sorted(world.asked_on.get(uid, ())) if instance.spec.grant is None else ():
        known = world.assignments[host]
        said = known.status.standbys.get(uid)
        if said is not None and said.score_after is not None:
            news = {**known.status.standbys, uid: said.model_copy(update={"score_after": instance.spec.epoch})}
            status = known.status.model_copy(update={"standbys": news})
            world.put_assignment(known.model_copy(update={"status": status}))


# --- round after round -----------------------------------------------------------------------------------------------


@dataclass
class Told:
    """What was said on the way, by key of the HAInstance."""

    whys: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def holders(world: World) -> dict[str, str]:
    """By key of an HAInstance: the host that holds it."""
    return {key: instance.holder for key, instance in world.instances.items() if instance.holder}


def outcome(world: World, before: Mapping[str, str], lost: Iterable[str] = ()) -> Supposed:
    """Carry out plan after plan in this world, which is changed, from when these hosts are lost.

    `before`: who held what before the change that is asked about.
    """
    told, epochs = Told(), {key: instance.spec.epoch for key, instance in world.instances.items()}
    for host in lost:
        lose(world, host, told)
    _until_at_rest(world, told)
    slots, verdicts = _decided(world)
    last = {key: whys[-1] for key, whys in told.whys.items() if whys}
    for key, slot in slots:
        if not (slot.instance and slot.instance.holder):
            told.whys[key].append(why_nowhere(slot))
    return Supposed(slots, tuple(_changes(world, before, epochs, told)), last, verdicts, _restless(world, epochs))


def _until_at_rest(world: World, told: Told) -> None:
    for _ in range(MOST_ROUNDS):
        done = [carry_out(world, action, told) for action in plan(world).actions]
        if not any(done):
            return


def _restless(world: World, epochs: Mapping[str, int]) -> tuple[str, ...]:
    """Those that were started anew on the way as often as they may be."""
    anew = (key for key, one in world.instances.items() if one.spec.epoch >= epochs.get(key, 0) + MOST_STARTS)
    return tuple(sorted(key for key in anew if _rests(world, key)))


def _rests(world: World, key: str) -> bool:
    instance = world.instances[key]
    service = world.services.get(instance.service_key)
    return service is not None and rests(world, service, instance) is not None


def why_nowhere(slot: Slot) -> str:
    """Why what runs nowhere runs nowhere."""
    if isinstance(slot.acceptance, Refused):
        return slot.acceptance.message
    if slot.in_force.spec.state != "Running":
        return f"spec.state is {slot.in_force.spec.state}"
    return joined(slot.course.missing or (slot.course.placed.why if slot.course.placed else ""), slot.course.shed)


def _changes(world: World, before: Mapping[str, str], epochs: Mapping[str, int], told: Told) -> Iterator[Change]:
    after = holders(world)
    for key in sorted({*before, *after}):
        one, other = before.get(key, ""), after.get(key, "")
        if one != other or (one and world.instances[key].spec.epoch > epochs[key]):
            verb = "start" if not one else "stop" if not other else "move" if one != other else "restart"
            yield Change(verb, key, one, other, joined(*dict.fromkeys(told.whys[key])))


def _decided(world: World) -> tuple[tuple[tuple[str, Slot], ...], tuple[tuple[str, Verdict], ...]]:
    """What the planner decides at the end, where nothing is left to be done."""
    round_ = begin(world)
    slots: list[tuple[str, Slot]] = []
    verdicts: list[tuple[str, Verdict]] = []
    for key in in_turn(world):
        decision = decide(round_, world.services[key])
        for slot in decision.slots:
            name = key_of(decision.service.metadata.namespace, slot.name)
            slots.append((name, slot))
            if not isinstance(slot.acceptance, Refused):
                verdicts += [(name, one) for one in next_host(round_, slot).verdicts]
    return tuple(slots), tuple(verdicts)


def carry_out(world: World, action: Action, told: Told) -> bool:
    """Do it in the picture, at once and with success. Whether anything is another afterwards that the next plan must see."""
    if not isinstance(action, Placing):
        return False  # the world of a question has its own facts about hosts, and statuses decide nothing in it
    match action:
        case CreateInstance():
            meta = Meta(name=action.name, namespace=action.namespace, uid=f"hainstance-{action.name}", generation=1)
            made = HAInstance(metadata=meta, spec=action.spec)
            world.put_instance(as_stored(made, action.namespace))
        case WriteInstance():
            told.whys[action.before.key].append(action.why)
            world.put_instance(action.before.model_copy(update={"spec": action.spec}))
            _say_after(world, world.instances[action.before.key])
        case WriteRequired():
            spec = action.before.spec.model_copy(update={"required": list(action.required) or None})
            world.put_instance(action.before.model_copy(update={"spec": spec}))
        case DeleteInstance():
            world.drop_instance(action.before.key)
        case CreateClaim():
            world.claims[action.claim.key] = action.claim
        case WriteClaim():
            world.claims[action.before.key] = action.before.model_copy(update={"spec": action.spec})
        case DeleteClaim():
            world.claims.pop(action.before.key, None)
        case SetFinalizer():
            return _finalized(world, action)
        case RemoveMoveWish():
            _put(world, _without_wish(action.before))
        case Assign():
            return _assigned(world, action, told)
        case _:
            assert_never(action)
    return True


def _finalized(world: World, action: SetFinalizer) -> bool:
    thing = action.before
    finalizers = [FINALIZERS[type(thing)]] if action.present else None
    if isinstance(thing, HAService) and not action.present:
        world.drop_service(thing.key)
        return True
    _put(world, thing.model_copy(update={"metadata": thing.metadata.model_copy(update={"finalizers": finalizers})}))
    return True


def _put(world: World, thing: Host | HAService | HAInstance) -> None:
    match thing:
        case Host():
            world.put_host(thing)
        case HAService():
            world.put_service(thing)
        case HAInstance():
            world.put_instance(thing)


def _without_wish(service: HAService) -> HAService:
    notes = {key: said for key, said in (service.metadata.annotations or {}).items() if key != MOVE_ANNOTATION}
    return service.model_copy(update={"metadata": service.metadata.model_copy(update={"annotations": notes})})


def _assigned(world: World, action: Assign, told: Told) -> bool:
    """The host does what it is told, and says so; one that is lost does nothing."""
    old = world.assignments.get(action.host)
    if old is None:
        opens_session(world, action.host)
        return True
    for uid, order in action.spec.instances.items():
        stored = old.spec.instances.get(uid)
        key = key_of(order.namespace, order.name)
        is_held = (held := world.instances.get(key)) is not None and held.holder == action.host
        if is_held and order.want == "Down" and (stored is None or stored.want == "Up"):
            told.whys[key].append(order.why)
    news = old.model_copy(update={"spec": action.spec})
    seen = world.leases.get(action.host)
    if seen is not None and not seen.lease.sealed:
        status = old.status.model_copy(
            update={"instances": _reports(action, old), "standbys": _answers(action, old.status.standbys)}
        )
        news = news.model_copy(update={"status": status})
    world.put_assignment(news)
    return news != old


def _reports(action: Assign, old: HostAssignment) -> dict[str, InstanceReport]:
    return {uid: report_as_told(order) for uid, order in action.spec.instances.items()}


def _answers(action: Assign, known: Mapping[str, StandbyReport]) -> dict[str, StandbyReport]:
    """What it has said of this very manifest it goes on saying; of any other it is ready."""
    fresh: Callable[[int], StandbyReport] = lambda revision: StandbyReport(ready=True, revision=revision)  # noqa: E731
    return {
        uid: known[uid] if uid in known and known[uid].revision == order.revision else fresh(order.revision)
        for uid, order in action.spec.standbys.items()
    }
