"""One builder for each kind of object. It names what a test is about, and leaves the rest ordinary.

What comes back is what the product reads: a builder never makes what the models would refuse. Where a test wants an object otherwise,
it asks here for one more parameter; worlds of several objects are in `worlds.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar

from backstay_api.objects.kinds import Raw
from backstay_api.objects.lease import HostLease
from backstay_api.objects.models import FenceRequest, HAInstance, HAService, Host, HostAssignment, ResourceClaim
from backstay_api.objects.models.assignment import AgentSession, InstanceOrder
from backstay_api.objects.models.base import Object
from backstay_api.objects.models.instance import EvidenceKind, SessionRef
from backstay_api.objects.plain import RenderedResource
from backstay_api.objects.promise import PROFILES
from backstay_api.objects.resource_kinds import claims_of
from backstay_operator.planner.know.claims import claim_for
from backstay_operator.planner.know.sessions import request_name

Thing = TypeVar("Thing", bound=Object)

NAMESPACE = "shop"
WALL = "2026-03-01T12:00:00Z"
CREATED = "2026-01-01T00:00:00Z"
BMC: Raw = {"name": "bmc", "devices": [{"name": "bmc", "agent": "fence_redfish"}]}
"""One level of fencing with one device."""


# --- resources -------------------------------------------------------------------------------------------------------


def unit(name: str = "web", unit_name: str | None = None, **more: object) -> Raw:
    return {"name": name, "systemd": {"unit": unit_name or f"{name}.service"}, **more}


def address(cidr: str, name: str = "address") -> Raw:
    return {"name": name, "virtualIP": {"address": cidr}}


def command(name: str, *, start: Sequence[str], stop: Sequence[str]) -> Raw:
    return {"name": name, "command": {"start": [*start], "stop": [*stop]}}


# --- sessions --------------------------------------------------------------------------------------------------------


def promotable(name: str = "db", agent: str = "d:x", **more: object) -> Raw:
    """What each copy starts and one of them promotes."""
    return {"name": name, "ocf": {"agent": agent, "instance": name, "promotable": True}, **more}


def promotion_of(resource: Raw) -> list[RenderedResource]:
    """As an agent is told of the promotion of what is promotable; of anything else there is none."""
    ocf = resource.get("ocf", {})
    if not ocf.get("promotable"):
        return []
    return [RenderedResource.from_wire({**resource, "ocf": {**ocf, "copies": 2, "role": "Promoted"}})]


def session(host: str, seq: int = 1, *, boot: str = "", nonce: str = "") -> SessionRef:
    """Session `seq` of the one boot of a host."""
    return SessionRef(boot_id=boot or f"boot-{host}", nonce=nonce or f"nonce-{host}-{seq}", seq=seq)


def agent_session(of: SessionRef, machine: str, supersedes: Sequence[str] = ()) -> AgentSession:
    """The same as its agent reports it."""
    return AgentSession(
        boot_id=of.boot_id, nonce=of.nonce, seq=of.seq, machine_uuid=machine, supersedes=list(supersedes)
    )


def machine(host: str) -> str:
    return f"machine-{host}"


# --- what stands in metadata -----------------------------------------------------------------------------------------


def marked(thing: Thing, *finalizers: str) -> Thing:
    """The same with these finalizers."""
    return thing.model_copy(
        update={"metadata": thing.metadata.model_copy(update={"finalizers": list(finalizers) or None})}
    )


def being_deleted(thing: Thing) -> Thing:
    """The same, but somebody has asked for its deletion."""
    return thing.model_copy(update={"metadata": thing.metadata.model_copy(update={"deletion_timestamp": WALL})})


def annotated(thing: Thing, annotations: Mapping[str, str]) -> Thing:
    """The same with these annotations."""
    return thing.model_copy(update={"metadata": thing.metadata.model_copy(update={"annotations": dict(annotations)})})


# --- objects ---------------------------------------------------------------------------------------------------------


def a_service(
    name: str = "web",
    *resources: Raw,
    created: str = CREATED,
    generation: int = 1,
    status: Mapping[str, object] | None = None,
    **spec: object,
) -> HAService:
    """An HAService in namespace shop; without resources it has the unit `web.service`."""
    meta = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": f"uid-{name}",
        "creationTimestamp": created,
        "generation": generation,
        "resourceVersion": "1",
    }
    body = {"metadata": meta, "spec": {"resources": list(resources) or [unit()], **spec}, "status": status or {}}
    return HAService.from_wire(body)


def an_instance(
    service: HAService,
    *,
    epoch: int = 0,
    host: str | None = None,
    seq: int = 1,
    evidence: EvidenceKind = "Released",
    slot: int = 0,
) -> HAInstance:
    """The HAInstance in a slot of a service: held by (session `seq` of) a host, or closed, or (epoch 0) never granted."""
    spec: Raw = {
        "service": {"name": service.metadata.name, "uid": service.uid},
        "exclusive": service.exclusive,
        "epoch": epoch,
    }
    if host:
        spec["grant"] = {"host": host, "session": session(host, seq).wire(), "machineUUID": machine(host)}
    closed = epoch - 1 if host else epoch
    if closed > 0:
        spec["closed"] = {"epoch": closed, "evidence": evidence, "why": "it was stopped"}
    name = service.slots[slot]
    meta = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", "resourceVersion": "1"}
    return HAInstance.from_wire({"metadata": meta, "spec": spec})


def a_host(
    name: str,
    *,
    labels: Mapping[str, str] | None = None,
    mode: str = "",
    reason: str = "new disks",
    has_device: bool = False,
    after: Literal["On", "StayOff"] = "On",
    profile: str = "default",
    status: Mapping[str, object] | None = None,
    taints: Sequence[str] = (),
    capacity: Mapping[str, object] | None = None,
) -> Host:
    """A Host: without a fencing device and not in maintenance, unless that is said. Taints as `kubectl taint` has them."""
    spec: Raw = {"fencing": {"levels": [BMC] if has_device else [], "after": after}, "heartbeat": {"profile": profile}}
    if mode:
        spec["maintenance"] = {"mode": mode, "reason": reason}
    if taints:
        spec["taints"] = [a_taint(text) for text in taints]
    if capacity:
        spec["capacity"] = dict(capacity)
    meta = {"name": name, "uid": f"uid-{name}", "labels": labels, "resourceVersion": "1"}
    return Host.from_wire({"metadata": meta, "spec": spec, "status": status or {}})


def a_taint(text: str) -> Raw:
    """What `kubectl taint` would make of it: `gpu=yes:NoSchedule`."""
    what, _, effect = text.partition(":")
    key, _, value = what.partition("=")
    return {"key": key, "value": value, "effect": effect}


def an_assignment(host: str, *, speaks: AgentSession | None = None, **spec: object) -> HostAssignment:
    """A HostAssignment, as a rule without orders; `speaks` is the session that reports in it."""
    status = {"session": speaks.wire()} if speaks is not None else {}
    meta = {"name": host, "uid": f"uid-as-{host}", "resourceVersion": "1"}
    return HostAssignment.from_wire({"metadata": meta, "spec": spec, "status": status})


def a_lease(host: str, of: SessionRef | None = None, *, renewal: int = 9, sealed: bool = False) -> HostLease:
    """A Lease that a session of the host renews (lab profile: late after 0.75 s, silent after 1.5 s)."""
    held = of or session(host)
    return HostLease(host, "1", held.text, held.seq, renewal, sealed, PROFILES["lab"])


def an_order(
    instance: HAInstance,
    want: Literal["Up", "Down"] = "Up",
    *,
    revision: int = 1,
    resources: Sequence[Raw] = (),
    epoch: int = 0,
    of: SessionRef | None = None,
    why: str = "",
    to: str = "",
) -> InstanceOrder:
    """What its holder is told of it: of the present grant, unless `epoch` and session (`of`) are others."""
    grant = instance.spec.grant
    held = of or (grant.session if grant is not None else None)
    assert held is not None, "an order is for a session"
    return InstanceOrder.model_validate(
        {
            "namespace": instance.metadata.namespace,
            "name": instance.metadata.name,
            "service": instance.spec.service.name,
            "epoch": epoch or instance.spec.epoch,
            "session": held.wire(),
            "want": want,
            "exclusive": instance.spec.exclusive,
            "revision": revision,
            "resources": list(resources),
            "why": why,
            "to": to,
        }
    )


_AT_DEVICE: Raw = {"level": "bmc", "device": "bmc"}
PROVEN: Raw = {"evidence": {"level": "bmc", "why": "read off twice"}}
"""What stands in the status of a FenceRequest, each to be joined by `|`: its evidence is stored."""
SWITCHED_OFF: Raw = {"attempts": [{**_AT_DEVICE, "action": "off", "at": CREATED, "ours": True}]}
"""An `off` of ours was sent to its one device."""
OFF_IN_VAIN: Raw = {"attempts": [{**_AT_DEVICE, "action": "off", "at": CREATED, "ours": False}]}
"""It was sent, and a read has shown that it did nothing."""
ON_AGAIN: Raw = {"poweredOn": True}
READ_AFTER_SEAL: Raw = {"reads": [{**_AT_DEVICE, "power": "On", "sealed": True}]}


def a_request(
    host: str,
    of: SessionRef | None = None,
    *,
    want: Literal["Observe", "Off", "Withdrawn"] = "Off",
    name: str = "",
    after: Literal["On", "StayOff"] = "On",
    is_confirmed: bool = False,
    status: Mapping[str, object] | None = None,
) -> FenceRequest:
    """A FenceRequest for a session, whose machine reads as on unless its status says otherwise."""
    about = of or session(host)
    spec: Raw = {"host": host, "session": about.wire(), "machineUUID": machine(host), "want": want, "after": after}
    if is_confirmed:
        spec["confirm"] = {"by": "eve", "at": CREATED, "reason": "the LED is dark"}
    meta = {"name": name or request_name(host, about), "uid": f"uid-{name or about.nonce}", "resourceVersion": "1"}
    return FenceRequest.from_wire({"metadata": meta, "spec": spec, "status": {"power": "On", **(status or {})}})


def claims(
    service: HAService, *hosts: str, instance: HAInstance | None = None, epoch: int | None = None, revision: int = 0
) -> list[ResourceClaim]:
    """Claims of all that a service names (on these hosts), with the epoch and revision that they record."""
    return [
        _recording(claim_for(key, service, hosts, instance), epoch, revision)
        for key in claims_of(service.spec.resources)
    ]


def _recording(claim: ResourceClaim, epoch: int | None, revision: int) -> ResourceClaim:
    said = ({"epoch": epoch} if epoch is not None else {}) | ({"revision": revision} if revision else {})
    owner, hosts = claim.spec.owner, claim.spec.hosts
    parts = {
        "owner": owner.model_copy(update=said) if owner is not None else None,
        "hosts": [one.model_copy(update=said) for one in hosts] if hosts is not None else None,
    }
    meta = claim.metadata.model_copy(update={"uid": f"uid-{claim.key}", "resource_version": "1"})
    return claim.model_copy(update={"metadata": meta, "spec": claim.spec.model_copy(update=parts)})
