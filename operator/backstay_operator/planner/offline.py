"""A picture without a cluster: from files alone, or changed by what a question supposes.

Every host lives, and what is granted to it works there: nobody is asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, TypeVar

from backstay_api.objects import lease
from backstay_api.objects.models import HAInstance, HAService, Host, HostAssignment
from backstay_api.objects.models.assignment import AgentSession, HostAssignmentStatus, InstanceOrder, InstanceReport
from backstay_api.objects.models.base import Meta, Object
from backstay_api.objects.models.host import Maintenance
from backstay_api.objects.models.instance import Grant, ServiceRef, SessionRef
from backstay_api.objects.names import key_of

from .do.finalizers import FINALIZERS
from .do.orders import order
from .judge.dependencies import required
from .know.parts import part_of
from .know.world import LeaseSeen, World

_NOW_S: Final = 100_000.0
Known = TypeVar("Known", bound=Object)


def as_if_running(hosts: Iterable[Host], services: Iterable[HAService], instances: Iterable[HAInstance]) -> World:
    """A world in which every host lives, and what the instances say that it holds works there. More no host has said."""
    world = World(now_s=_NOW_S)
    for host in hosts:
        world.put_host(as_stored(host, ""))
    for service in services:
        world.put_service(as_stored(service, "default"))
    for instance in instances:
        world.put_instance(_bound(world, as_stored(instance, "default")))
    for name in world.hosts:
        opens_session(world, name)
    for instance in list(world.instances.values()):
        _works(world, instance)
    for instance in list(world.instances.values()):
        _requires(world, instance)
    return world


def _works(world: World, instance: HAInstance) -> None:
    """Its host has been told to run it by this very manifest, and does."""
    service, assignment = world.services.get(instance.service_key), world.assignments.get(instance.holder)
    if service is None or assignment is None:
        return
    told = order(world, part_of(world, service, instance.metadata.name), instance, "Up", "it is granted here")
    spec = assignment.spec.model_copy(update={"instances": {**assignment.spec.instances, instance.uid: told}})
    said = {**assignment.status.instances, instance.uid: report_as_told(told)}
    status = assignment.status.model_copy(update={"instances": said})
    world.put_assignment(assignment.model_copy(update={"spec": spec, "status": status}))


def _requires(world: World, instance: HAInstance) -> None:
    """It was started with what it requires and what works now, where its object says nothing else."""
    service = world.services.get(instance.service_key)
    if service is None or not instance.holder or instance.spec.required:
        return
    needs = list(required(world, service)) or None
    world.put_instance(instance.model_copy(update={"spec": instance.spec.model_copy(update={"required": needs})}))


def as_stored(thing: Known, namespace: str) -> Known:
    """With what the API server and the operator would have added."""
    meta = thing.metadata
    where = (meta.namespace or namespace) or None
    uid = meta.uid or f"{thing.kind.lower()}-{key_of(where, meta.name)}"
    news = {"namespace": where, "uid": uid, "generation": meta.generation or 1, "finalizers": [FINALIZERS[type(thing)]]}
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


def opens_session(world: World, host: str) -> None:
    """Its agent has said that it is there, and nothing else."""
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
        world.put_host(_edited(known, thing) if known else as_stored(thing, ""))
        if known is None:
            opens_session(world, thing.key)
        return
    before = world.services.get(thing.key)
    world.put_service(_edited(before, thing) if before else as_stored(thing, "default"))


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


def fill(world: World, host: str) -> None:
    """Nothing more fits there; what runs there stays."""
    known = world.hosts[host]
    if known.spec.maintenance is None:
        full = Maintenance(mode="Cordon", reason="full, as is supposed")
        world.put_host(known.model_copy(update={"spec": known.spec.model_copy(update={"maintenance": full})}))


def report_as_told(order: InstanceOrder) -> InstanceReport:
    """What the host says once it has done what it was told."""
    is_up = order.want == "Up"
    return InstanceReport(
        namespace=order.namespace,
        name=order.name,
        epoch=order.epoch,
        phase="Running" if is_up else "Stopped",
        released=not is_up,
        revision=order.revision,
    )
