"""What people do to a running system: edit, delete and recreate, move, maintain, start by hand, and steal an address."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from backstay_api.objects.kinds import Raw
from backstay_api.objects.object_kinds import HA_INSTANCES, HA_SERVICES, HOSTS
from backstay_api.objects.plain import RenderedResource
from backstay_api.objects.resource_kinds import is_address

from .shapes import NAMESPACE, ServiceShape

if TYPE_CHECKING:
    from .faults import Chaos
    from .machines import Machine


def edit(chaos: Chaos) -> None:
    body = chaos.a_service()
    if body is None or body["metadata"].get("deletionTimestamp"):
        return
    name, resources = body["metadata"]["name"], list(body["spec"]["resources"])
    extra = {"name": "extra", "systemd": {"unit": f"{name}-extra.service"}}
    if any(resource["name"] == "extra" for resource in resources):
        resources = [resource for resource in resources if resource["name"] != "extra"]
    else:
        resources.insert(1, extra)
    chaos.world.patch(HA_SERVICES, (NAMESPACE, name), {"spec": {"resources": resources}})


def switch_state(chaos: Chaos) -> None:
    body = chaos.a_service()
    if body is None:
        return
    key = (NAMESPACE, body["metadata"]["name"])
    chaos.world.patch(HA_SERVICES, key, {"spec": {"state": "Stopped"}})
    chaos.for_a_while(30.0, lambda: chaos.world.patch(HA_SERVICES, key, {"spec": {"state": "Running"}}))


def delete_service(chaos: Chaos) -> None:
    """Deleted, and mostly created again under the same name, sometimes in the very moment it is gone."""
    body = chaos.a_service()
    if body is None:
        return
    name = body["metadata"]["name"]
    shape = next((each for each in chaos.world.shape.services if each.name == name), None)
    if shape is None:
        return
    chaos.world.delete(HA_SERVICES, (NAMESPACE, name))
    if chaos.rng.random() < 0.8:
        _recreate(chaos, shape)


def _recreate(chaos: Chaos, shape: ServiceShape) -> None:
    def again() -> None:
        if chaos.is_over:
            return
        if chaos.world.get(HA_SERVICES, (NAMESPACE, shape.name)) is None:
            chaos.world.create_service(shape)
        else:
            chaos.world.later(0.05, again)

    chaos.world.later(chaos.rng.choice([0.0, 1.0, 15.0]), again)


def move(chaos: Chaos) -> None:
    if body := chaos.a_service():
        move_to(chaos, body["metadata"]["name"], chaos.a_machine().name)


def move_to(chaos: Chaos, name: str, host: str) -> None:
    world = chaos.world
    body = world.get(HA_SERVICES, (NAMESPACE, name))
    if body is None:
        return
    expires = world.wall_at(world.loop.time() + 60)
    wish = {"host": host, "generation": body["metadata"]["generation"], "expires": expires}
    world.story.tell("a person", f"asks to move {name} to {host}")
    world.patch(HA_SERVICES, (NAMESPACE, name), {"metadata": {"annotations": {"backstay.dev/move": json.dumps(wish)}}})


def maintain(chaos: Chaos) -> None:
    machine = chaos.a_machine()
    mode = chaos.rng.choice(["Drain", "Drain", "Cordon", "HandsOff"])
    chaos.world.patch(HOSTS, ("", machine.name), {"spec": {"maintenance": {"mode": mode, "reason": "new disks"}}})
    chaos.for_a_while(60.0, lambda: chaos.world.patch(HOSTS, ("", machine.name), {"spec": {"maintenance": None}}))


def remove_host(chaos: Chaos) -> None:
    """A Host object is deleted, perhaps while it holds something, and added again."""
    machine = chaos.a_machine()
    if not all(_is_known_to_share(chaos, other.name, machine.name) for other in _twins(chaos, machine)):
        return  # nobody could know any more that another board has it too, and so whose power is switched
    hosts = chaos.world.cluster.bodies(HOSTS)
    if all(one["metadata"]["name"] == machine.name or "deletionTimestamp" in one["metadata"] for one in hosts):
        return  # what runs on the last one could go nowhere
    name = machine.name
    chaos.world.delete(HOSTS, ("", name))

    def again() -> None:
        if chaos.world.get(HOSTS, ("", name)) is None:
            chaos.world.add_host(name)
        elif not chaos.is_over:
            chaos.world.later(0.5, again)

    chaos.for_a_while(40.0, again)


def _twins(chaos: Chaos, machine: Machine) -> list[Machine]:
    return [other for other in chaos.world.machines.values() if other is not machine and other.uuid == machine.uuid]


def _is_known_to_share(chaos: Chaos, host: str, other: str) -> bool:
    """Whether the fencer has written down for this host that the other has its machine's name, and that will not go with it at once."""
    body: Raw = chaos.world.get(HOSTS, ("", host)) or {}
    machine = body.get("status", {}).get("machine") or {}
    return other in machine.get("sharedWith", ()) and "deletionTimestamp" not in body["metadata"]


def delete_instance(chaos: Chaos) -> None:
    """Somebody deletes an HAInstance, which is not theirs to delete."""
    found = chaos.world.cluster.bodies(HA_INSTANCES)
    if found:
        meta = chaos.rng.choice(found)["metadata"]
        chaos.world.delete(HA_INSTANCES, (NAMESPACE, meta["name"]))


def manual_start(chaos: Chaos) -> None:
    """A person starts a service's unit by hand on a host and only then writes the HAService, or writes it again."""
    shape = chaos.rng.choice(chaos.world.shape.services)
    if chaos.world.get(HA_SERVICES, (NAMESPACE, shape.name)) is not None or chaos.world.monitor.active[shape.name]:
        return
    machine = chaos.a_machine()
    machine.start_by_hand(shape.unit)
    _recreate(chaos, shape)
    chaos.for_a_while(30.0, machine.stop_by_hand)


def wants_the_same_address(chaos: Chaos) -> None:
    """A second service wants an address that is taken: it must be refused, whoever comes first."""
    victim = next(each for each in chaos.world.shape.services if each.addresses)
    shape = ServiceShape("thief", addresses=victim.addresses[:1])
    chaos.world.know(shape)
    chaos.world.create_service(shape)
    chaos.for_a_while(30.0, lambda: chaos.world.delete(HA_SERVICES, (NAMESPACE, shape.name)))


def wants_the_same_units(chaos: Chaos) -> None:
    """A second service names a unit that another has."""
    victim = chaos.rng.choice(chaos.world.shape.services)
    spec = {"resources": [{"name": "server", "systemd": {"unit": victim.unit}}]}
    if not victim.is_exclusive:
        spec["exclusive"] = False  # type: ignore[assignment]
    meta = {"name": "thief-of-units", "namespace": NAMESPACE}
    chaos.world.create(HA_SERVICES, {"kind": HA_SERVICES.kind, "metadata": meta, "spec": spec})
    chaos.for_a_while(30.0, lambda: chaos.world.delete(HA_SERVICES, (NAMESPACE, "thief-of-units")))


def share_unit(chaos: Chaos) -> None:
    """A service is edited to name another's unit, and rolled back."""
    body, victim = chaos.a_service(), chaos.rng.choice(chaos.world.shape.services)
    if body is None or body["metadata"].get("deletionTimestamp") or body["metadata"]["name"] == victim.name:
        return
    name = body["metadata"]["name"]
    resources = [*body["spec"]["resources"], {"name": "shared", "systemd": {"unit": victim.unit}}]
    _write_resources(chaos, name, resources)
    chaos.for_a_while(20.0, lambda: _without(chaos, name, "shared"))


def edit_address(chaos: Chaos) -> None:
    """An address is edited away, and soon back, perhaps at once."""
    body = chaos.a_service()
    if body is None or body["metadata"].get("deletionTimestamp"):
        return
    name = body["metadata"]["name"]
    addresses = [one for one in body["spec"]["resources"] if is_address(RenderedResource.from_wire(one))]
    if addresses:
        _without(chaos, name, addresses[-1]["name"])
        chaos.world.later(chaos.rng.choice([0.3, 1.2, 5.0]), lambda: _with(chaos, name, addresses[-1]))


def select(chaos: Chaos) -> None:
    """A service asks for one pool of hosts only, or no longer."""
    body = chaos.a_service()
    if body is not None and not body["metadata"].get("deletionTimestamp"):
        hosts = chaos.rng.choice([None, {"matchLabels": {"pool": "a"}}])
        chaos.world.patch(HA_SERVICES, (NAMESPACE, body["metadata"]["name"]), {"spec": {"placement": {"hosts": hosts}}})


def undo_edits(chaos: Chaos) -> None:
    """Every service asks for what it asked for at first: its own units and all its addresses."""
    for shape in chaos.world.shape.services:
        _without(chaos, shape.name, "shared")
        for one in shape.address_resources:
            _with(chaos, shape.name, one)


def _resources(chaos: Chaos, name: str) -> list[Raw] | None:
    body = chaos.world.get(HA_SERVICES, (NAMESPACE, name))
    return None if body is None or body["metadata"].get("deletionTimestamp") else list(body["spec"]["resources"])


def _with(chaos: Chaos, name: str, resource: Raw) -> None:
    resources = _resources(chaos, name)
    if resources is not None and all(one["name"] != resource["name"] for one in resources):
        _write_resources(chaos, name, [*resources, resource])


def _without(chaos: Chaos, name: str, resource: str) -> None:
    resources = _resources(chaos, name)
    if resources is not None and any(one["name"] == resource for one in resources):
        _write_resources(chaos, name, [one for one in resources if one["name"] != resource])


def _write_resources(chaos: Chaos, name: str, resources: list[Raw]) -> None:
    chaos.world.story.tell("a person", f"edits {name}: {', '.join(one['name'] for one in resources)}")
    chaos.world.patch(HA_SERVICES, (NAMESPACE, name), {"spec": {"resources": resources}})
