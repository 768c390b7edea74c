"""What would come of a change: the planner's own rounds, each carried out in the picture as if all went well, until nothing is left to do.

Hosts do what they are told at once, a service that is started runs, and a host that is asked to be ready is ready. Nothing else is assumed:
who goes where, and why, is what `plan` says, round after round.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from backstay_api.objects import lease
from backstay_api.objects.models import HAInstance, HAService, Host, HostAssignment
from backstay_api.objects.models.assignment import (
    AgentSession,
    HostAssignmentStatus,
    InstanceOrder,
    InstanceReport,
    StandbyReport,
)
from backstay_api.objects.models.base import Meta, Object
from backstay_api.objects.models.host import Maintenance
from backstay_api.objects.models.instance import Closed, Grant, ServiceRef, SessionRef
from backstay_api.objects.names import key_of

from .actions import (
    Action,
    Assign,
    CreateClaim,
    CreateInstance,
    DeleteClaim,
    DeleteInstance,
    RemoveMoveWish,
    SetFinalizer,
    WriteClaim,
    WriteInstance,
)
from .do.decisions import Slot, decide, next_host
from .do.finalizers import HOST_FINALIZER, INSTANCE_FINALIZER, SERVICE_FINALIZER
from .do.moves import MOVE_ANNOTATION
from .do.rounds import begin, in_turn
from .judge.acceptance import Refused
from .judge.placement import Verdict
from .know.world import LeaseSeen, World
from .plan import plan
from .words import joined

MOST_ROUNDS: Final = 100
_NOW_S: Final = 100_000.0
_SEALED: Final = "is sealed"
Known = TypeVar("Known", bound=Object)


@dataclass(frozen=True)
class Change:
    """What would become of one instance."""

    verb: str
    """start, stop or move."""
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


# --- a picture without a cluster -------------------------------------------------------------------------------------


def as_if_running(hosts: Iterable[Host], services: Iterable[HAService], instances: Iterable[HAInstance]) -> World:
    """A world in which every host lives and holds what the instances say, though none has said anything."""
    world = World(now_s=_NOW_S)
    for host in hosts:
        world.put_host(_known(host, "", HOST_FINALIZER))
    for service in services:
        world.put_service(_known(service, "default", SERVICE_FINALIZER))
    for instance in instances:
        world.put_instance(_bound(world, _known(instance, "default", INSTANCE_FINALIZER)))
    for name in world.hosts:
        _opens_session(world, name)
    return world


def _known(thing: Known, namespace: str, finalizer: str) -> Known:
    """With what the API server and the operator would have added."""
    meta = thing.metadata
    where = (meta.namespace or namespace) or None
    uid = meta.uid or f"{thing.kind.lower()}-{key_of(where, meta.name)}"
    news = {"namespace": where, "uid": uid, "generation": meta.generation or 1, "finalizers": [finalizer]}
    return thing.model_copy(update={"metadata": meta.model_copy(update={**news, "resource_version": "1"})})


def _bound(world: World, instance: HAInstance) -> HAInstance:
    """As it would be in the cluster that these files come from: of this service, and under the one session of its host."""
    service, spec = world.services.get(instance.service_key), instance.spec
    ref = ServiceRef(name=spec.service.name, uid=service.uid) if service is not None else spec.service
    grant = _grant(spec.grant.host) if spec.grant is not None else None
    return instance.model_copy(update={"spec": spec.model_copy(update={"service": ref, "grant": grant})})


def _grant(host: str) -> Grant:
    return Grant(host=host, session=_session(host), machine_uuid=f"machine-{host}")


def _session(host: str) -> SessionRef:
    return SessionRef(boot_id=f"boot-{host}", nonce=f"session-{host}", seq=1)


def _opens_session(world: World, host: str) -> None:
    session = _session(host)
    speaks = AgentSession(boot_id=session.boot_id, nonce=session.nonce, seq=session.seq, machine_uuid=f"machine-{host}")
    meta = Meta(name=host, uid=f"assignment-{host}", resource_version="1")
    world.put_assignment(HostAssignment(metadata=meta, status=HostAssignmentStatus(session=speaks)))
    held = lease.new(host, session.text, session.seq)
    world.leases[host] = LeaseSeen(replace(held, renewal=1), world.now_s, moved_s=world.now_s)


def apply(world: World, thing: Host | HAService) -> None:
    """Apply a manifest: what stands there under that name is edited."""
    if isinstance(thing, Host):
        known = world.hosts.get(thing.key)
        world.put_host(_edited(known, thing) if known else _known(thing, "", HOST_FINALIZER))
        if known is None:
            _opens_session(world, thing.key)
        return
    before = world.services.get(thing.key)
    world.put_service(_edited(before, thing) if before else _known(thing, "default", SERVICE_FINALIZER))


def _edited(known: Known, manifest: Known) -> Known:
    is_news = known.spec != manifest.spec  # type: ignore[attr-defined]
    generation = (known.metadata.generation or 0) + is_news
    labels = manifest.metadata.labels
    meta = known.metadata.model_copy(update={"generation": generation, "labels": labels})
    return known.model_copy(update={"metadata": meta, "spec": manifest.spec})  # type: ignore[attr-defined]


def drain(world: World, host: str) -> None:
    """Somebody has said `backstay drain`."""
    known = world.hosts[host]
    spec = known.spec.model_copy(update={"maintenance": Maintenance(mode="Drain")})
    world.put_host(known.model_copy(update={"spec": spec}))


def _lose(world: World, host: str, told: _Told) -> None:
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
    seen = world.leases.get(host)
    if seen is not None:
        sealed = seen.lease if seen.lease.sealed else seen.lease.sealed_()
        world.leases[host] = LeaseSeen(sealed, world.now_s, world.now_s)


# --- round after round -----------------------------------------------------------------------------------------------


@dataclass
class _Told:
    """What was said on the way, by key of the HAInstance."""

    whys: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def holders(world: World) -> dict[str, str]:
    """By key of an HAInstance: the host that holds it."""
    return {key: instance.holder for key, instance in world.instances.items() if instance.holder}


def outcome(world: World, before: Mapping[str, str], lost: Iterable[str] = ()) -> Supposed:
    """Carry out plan after plan in this world, which is changed, from when these hosts are lost.

    `before`: who held what before the change that is asked about.
    """
    told = _Told()
    for host in lost:
        _lose(world, host, told)
    for _ in range(MOST_ROUNDS):
        done = [_carry_out(world, action, told) for action in plan(world).actions]
        if not any(done):
            break
    slots, verdicts = _decided(world)
    last = {key: whys[-1] for key, whys in told.whys.items() if whys}
    for key, slot in slots:
        if not (slot.instance and slot.instance.holder):
            told.whys[key].append(why_nowhere(slot))
    return Supposed(slots, tuple(_changes(world, before, told)), last, verdicts)


def why_nowhere(slot: Slot) -> str:
    """Why what runs nowhere runs nowhere."""
    if isinstance(slot.acceptance, Refused):
        return slot.acceptance.message
    if slot.in_force.spec.state != "Running":
        return f"spec.state is {slot.in_force.spec.state}"
    return slot.course.missing or (slot.course.placed.why if slot.course.placed else "")


def _changes(world: World, before: Mapping[str, str], told: _Told) -> Iterator[Change]:
    after = holders(world)
    for key in sorted({*before, *after}):
        one, other = before.get(key, ""), after.get(key, "")
        if one != other:
            verb = "start" if not one else "move" if other else "stop"
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


def _carry_out(world: World, action: Action, told: _Told) -> bool:
    """Do it in the picture, at once and with success. Whether anything is another afterwards that the next plan must see."""
    match action:
        case CreateInstance():
            meta = Meta(name=action.name, namespace=action.namespace, uid=f"hainstance-{action.name}", generation=1)
            made = HAInstance(metadata=meta, spec=action.spec)
            world.put_instance(_known(made, action.namespace, INSTANCE_FINALIZER))
        case WriteInstance():
            told.whys[action.before.key].append(action.why)
            world.put_instance(action.before.model_copy(update={"spec": action.spec}))
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
            return False
    return True


def _finalized(world: World, action: SetFinalizer) -> bool:
    thing = action.before
    kinds: Mapping[type[Object], str] = {
        Host: HOST_FINALIZER,
        HAService: SERVICE_FINALIZER,
        HAInstance: INSTANCE_FINALIZER,
    }
    finalizers = [kinds[type(thing)]] if action.present else None
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


def _assigned(world: World, action: Assign, told: _Told) -> bool:
    """The host does what it is told, and says so; one that is lost does nothing."""
    old = world.assignments.get(action.host)
    if old is None:
        _opens_session(world, action.host)
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
    return {uid: _report(order) for uid, order in action.spec.instances.items()}


def _report(order: InstanceOrder) -> InstanceReport:
    is_up = order.want == "Up"
    return InstanceReport(
        namespace=order.namespace,
        name=order.name,
        epoch=order.epoch,
        phase="Running" if is_up else "Stopped",
        released=not is_up,
        revision=order.revision,
    )


def _answers(action: Assign, known: Mapping[str, StandbyReport]) -> dict[str, StandbyReport]:
    """What it has said of this very manifest it goes on saying; of any other it is ready."""
    fresh: Callable[[int], StandbyReport] = lambda revision: StandbyReport(ready=True, revision=revision)  # noqa: E731
    return {
        uid: known[uid] if uid in known and known[uid].revision == order.revision else fresh(order.revision)
        for uid, order in action.spec.standbys.items()
    }
