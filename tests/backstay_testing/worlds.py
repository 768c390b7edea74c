"""Builders for planner tests: a World in a few words. They name what a test is about and leave the rest ordinary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backstay_api.objects.lease import HostLease
from backstay_api.objects.models import HAInstance, HAService, Host, HostAssignment
from backstay_api.objects.promise import PROFILES
from backstay_operator.planner.know.world import LeaseSeen, World

NOW_S = 5000.0
BOOT = "boot"


def unit(name: str = "web", unit_name: str | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "systemd": {"unit": unit_name or f"{name}.service"}, **more}


def address(cidr: str, name: str = "address") -> dict[str, Any]:
    return {"name": name, "virtualIP": {"address": cidr}}


def a_service(
    name: str = "web", *resources: dict[str, Any], created: str = "2026-01-01T00:00:00Z", **spec: Any
) -> HAService:
    """An HAService in namespace shop, at generation 1 unless `generation=` says otherwise; `status=` its status."""
    meta: dict[str, Any] = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "creationTimestamp": created}
    meta["generation"] = spec.pop("generation", 1)
    meta["resourceVersion"] = "1"
    body: dict[str, Any] = {"metadata": meta, "spec": {"resources": list(resources) or [unit()], **spec}}
    if "status" in spec:
        body["status"] = body["spec"].pop("status")
    return HAService.from_wire(body)


def an_instance(service: HAService, *, epoch: int = 0, host: str | None = None) -> HAInstance:
    """The HAInstance of a service: held by a host, or closed, or (epoch 0) never granted."""
    spec: dict[str, Any] = {
        "service": {"name": service.metadata.name, "uid": service.uid},
        "exclusive": service.exclusive,
        "epoch": epoch,
    }
    if host:
        spec["grant"] = {"host": host, "session": session(host), "machineUUID": f"machine-{host}"}
    closed = epoch - 1 if host else epoch
    if closed > 0:
        spec["closed"] = {"epoch": closed, "evidence": "Released", "why": "it was stopped"}
    meta = {
        "name": f"{service.metadata.name}-0",
        "namespace": "shop",
        "uid": f"uid-{service.metadata.name}-0",
        "resourceVersion": "1",
    }
    return HAInstance.from_wire({"metadata": meta, "spec": spec})


def put(world: World, service: HAService, *, epoch: int = 0, host: str | None = None) -> HAInstance:
    """The service and its instance, as `an_instance`."""
    world.put_service(service)
    instance = an_instance(service, epoch=epoch, host=host)
    world.put_instance(instance)
    return instance


def session(host: str, seq: int = 1) -> dict[str, Any]:
    return {"bootID": f"{BOOT}-{host}", "nonce": f"nonce-{host}-{seq}", "seq": seq}


def add_host(
    world: World, name: str, *, labels: dict[str, str] | None = None, mode: str = "", silent_s: float = 0.0
) -> None:
    """A host whose agent lives (lab profile: late after 0.75 s, silent after 1.5 s) and has said nothing about services."""
    spec = {"maintenance": {"mode": mode, "reason": "new disks"}} if mode else {}
    world.hosts[name] = Host.from_wire(
        {"metadata": {"name": name, "uid": f"uid-{name}", "labels": labels}, "spec": spec}
    )
    said = {"session": {**session(name), "machineUUID": f"machine-{name}"}}
    world.put_assignment(
        HostAssignment.from_wire({"metadata": {"name": name, "uid": f"uid-as-{name}"}, "status": said})
    )
    ref = session(name)
    lease = HostLease(
        host=name,
        resource_version="1",
        holder=f"{ref['bootID']}/{ref['nonce']}",
        seq=1,
        renewal=9,
        sealed=False,
        contract=PROFILES["lab"],
    )
    world.leases[name] = LeaseSeen(lease, first_seen_s=world.now_s - silent_s)


def say_ready(
    world: World,
    service: HAService,
    *hosts: str,
    ready: bool = True,
    why: str = "",
    active: bool = False,
    unclear: bool = False,
    running: Sequence[str] = (),
    uid: str = "",
) -> None:
    """These hosts have been asked about the service at its present generation, and have answered."""
    report = {"ready": ready, "active": active, "unclear": unclear, "running": list(running), "why": why}
    report["revision"] = service.metadata.generation
    _tell(world, hosts, "standbys", uid or f"{service.uid}-0", report)
    order = {"namespace": "shop", "name": f"{service.metadata.name}-0", "revision": service.metadata.generation}
    for name in hosts:
        raw = world.assignments[name].wire()
        raw["spec"].setdefault("standbys", {})[uid or f"{service.uid}-0"] = order
        world.put_assignment(HostAssignment.from_wire(raw))


def report(world: World, service: HAService, host: str, phase: str, *, epoch: int, uid: str = "", **more: Any) -> None:
    """The host says what it does about the service's instance."""
    said = {"namespace": "shop", "name": f"{service.metadata.name}-0", "epoch": epoch, "phase": phase}
    _tell(
        world,
        (host,),
        "instances",
        uid or f"{service.uid}-0",
        {"revision": service.metadata.generation, **said, **more},
    )


def _tell(world: World, hosts: tuple[str, ...], where: str, uid: str, said: dict[str, Any]) -> None:
    for name in hosts:
        raw = world.assignments[name].wire()
        raw.setdefault("status", {}).setdefault(where, {})[uid] = said
        world.put_assignment(HostAssignment.from_wire(raw))


def a_world(*names: str) -> World:
    """Live hosts, with nothing on them."""
    world = World(now_s=NOW_S, wall="2026-03-01T12:00:00Z")
    for name in names:
        add_host(world, name)
    return world
