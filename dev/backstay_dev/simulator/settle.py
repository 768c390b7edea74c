"""What must be true at the end, when every fault is healed: what should run runs, once; what should not does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from backstay_api.objects.kinds import Raw
from backstay_api.objects.names import instance_name, promoted_name
from backstay_api.objects.object_kinds import HA_INSTANCES, HA_SERVICES, HOSTS, RESOURCE_CLAIMS
from backstay_api.objects.plain import RenderedResource
from backstay_api.objects.resource_kinds import identities

from . import drift
from .shapes import NAMESPACE
from .world import World


def stuck(world: World) -> list[str]:
    """Everything that is not yet as it should be, in words; empty when the world has come to rest."""
    services = {body["metadata"]["name"]: body for body in world.cluster.bodies(HA_SERVICES)}
    return [
        *(
            line
            for name, body in sorted(services.items())
            if not _waits(services, body)
            for line in _service(world, name, body)
        ),
        *_runs_for_nobody(world, services),
        *_left_in_the_cluster(world, services),
        *(line for name in sorted(world.machines) for line in _host(world, name)),
    ]


def _waits(services: Mapping[str, Raw], body: Raw) -> bool:
    """Whether it shall run and requires, in the end, what is not there or shall not run: then it waits, or runs on where none could stop it."""
    if body["spec"].get("state", "Running") != "Running" or body["metadata"].get("deletionTimestamp"):
        return False
    names = [one["service"] for one in body["spec"].get("dependsOn") or () if one.get("type") != "After"]
    required = [services.get(name) for name in names]
    return any(
        one is None or one["spec"].get("state", "Running") != "Running" or _waits(services, one) for one in required
    )


def _runs_for_nobody(world: World, services: Mapping[str, Raw]) -> Iterator[str]:
    named = {what for body in services.values() for what in _wanted(body)}
    for name, places in sorted(world.monitor.active.items()):
        left = set().union(*places.values()) - named
        if left and name not in services:
            yield f"{', '.join(sorted(left))} still runs on {', '.join(places)}, and no service names it"


def _left_in_the_cluster(world: World, services: Mapping[str, Raw]) -> Iterator[str]:
    for body in world.cluster.bodies(HA_INSTANCES):
        if body["spec"]["service"]["name"] not in services:
            yield f"HAInstance {body['metadata']['name']} is left of a deleted service"
    for body in world.cluster.bodies(RESOURCE_CLAIMS):
        on_hosts = [one for one in body["spec"].get("hosts", ()) if not _nobody_knows(world, one)]
        owners = [body["spec"].get("owner"), *on_hosts]
        if any(owner and owner["name"] not in services for owner in owners):
            yield f"the claim of {body['spec']['key']} is left of a deleted service"


def _nobody_knows(world: World, owner: Raw) -> bool:
    """A host that is off has not said yet that nothing of it is left there, and of what may run twice nobody asks for a proof."""
    exclusive = {owned.service for owned in world.monitor.owners.values() if owned.is_exclusive}
    return not world.machines[owner["host"]].is_on and owner["name"] not in exclusive


def _host(world: World, name: str) -> Iterator[str]:
    """It is on, unless nobody will switch it on; and its status says so."""
    machine, shape = world.machines[name], world.host_shapes[name]
    if not machine.is_on and machine.off_by_device and shape.after == "On" and world.monitor.power.owes_on(name):
        yield f"{name} was switched off by a device of ours and is not switched on again"
        return
    body = world.get(HOSTS, ("", name))
    if body is None or body["metadata"].get("deletionTimestamp"):
        yield f"Host {name} is still being removed"
        return
    ready = _conditions(body).get("Ready", {})
    if (ready.get("status") == "True") is not machine.is_on:
        yield f"{name} is {'on' if machine.is_on else 'off'}, and its status says Ready={ready.get('status')} ({ready.get('message')})"


def _service(world: World, name: str, body: Raw) -> Iterator[str]:
    places = world.monitor.active[name]
    if body["metadata"].get("deletionTimestamp"):
        yield f"{name} is still being deleted ({_words(body)})"
        return
    if body["spec"].get("state", "Running") != "Running":
        if places:
            yield f"{name} shall be stopped and runs on {', '.join(places)}"
        return
    if body["spec"].get("mode", "Single") != "Single":
        yield from _copies(world, name, body)
        return
    if len(places) != 1:
        yield f"{name} runs on {', '.join(sorted(places)) or 'no host'} ({_words(body)})"
        return
    (host,) = places
    wanted = _wanted(body)
    runs = {what for what, owned in world.monitor.owners.items() if host in world.monitor.active[owned.service]}
    runs = {what for what in runs if what in world.machines[host].state.running}
    if missing := wanted - runs:
        yield f"{name} on {host} misses {', '.join(sorted(missing))} ({_words(body)})"
    if extra := places[host] - wanted:
        yield f"{name} on {host} still runs {', '.join(sorted(extra))}"
    instance = world.get(HA_INSTANCES, (NAMESPACE, instance_name(name)))
    grant = (instance or {"spec": {}})["spec"].get("grant") or {}
    if grant.get("host") != host:
        yield f"{name} runs on {host} and is granted to {grant.get('host')}"
    yield from drift.without_standby(world, name, body)
    if _ready(body) != "True":
        yield f"{name} runs on {host}, and its status does not say Ready ({_words(body)})"


def _copies(world: World, name: str, body: Raw) -> Iterator[str]:
    """Each runs where one of its instances is granted, and there are as many as there should be, and hosts for them."""
    places, spec = world.monitor.active[name], body["spec"]
    able = {host for host in world.machines if _is_able(world, host, spec)}
    most = len(able) if spec["mode"] == "EveryHost" else min(spec.get("replicas", 1), len(able))
    mine = [one for one in world.cluster.bodies(HA_INSTANCES) if one["spec"]["service"]["name"] == name]
    bodies = [one for one in mine if one["metadata"]["name"] != promoted_name(name)]
    granted = sorted(one["spec"]["grant"]["host"] for one in bodies if one["spec"].get("grant"))
    if len(places) != most or not set(places) <= able:
        yield f"{name} runs on {', '.join(sorted(places))}, and {most} of {', '.join(sorted(able))} should ({_words(body)})"
    if granted != sorted(places):
        yield f"{name} runs on {', '.join(sorted(places))} and is granted to {', '.join(granted)}"
    for host, what in sorted(places.items()):
        if what != _wanted(body, of_copies=True):
            yield f"{name} on {host} runs {', '.join(sorted(what))}, not {', '.join(sorted(_wanted(body, of_copies=True)))}"
    if spec["mode"] == "Promotable" and places:
        yield from _promoted(world, name, body)
    is_full = most == (len(able) if spec["mode"] == "EveryHost" else spec.get("replicas", 1)) and most > 0
    if (_ready(body) == "True") is not is_full:
        yield f"{name} runs on {len(places)} hosts, and its status says Ready={_ready(body)} ({_words(body)})"


def _promoted(world: World, name: str, body: Raw) -> Iterator[str]:
    """One of the copies, and that is where the role is granted."""
    role = promoted_name(name)
    on, copies = sorted(world.monitor.active[role]), world.monitor.active[name]
    instance = world.get(HA_INSTANCES, (NAMESPACE, role))
    grant = (instance or {"spec": {}})["spec"].get("grant") or {}
    if len(on) != 1 or on[0] not in copies or grant.get("host") != on[0]:
        yield f"{name} is promoted on {on}, granted to {grant.get('host')}, and has copies on {sorted(copies)} ({_words(body)})"


def _is_able(world: World, host: str, spec: Raw) -> bool:
    known, wanted = world.get(HOSTS, ("", host)), spec["placement"].get("hosts", {}).get("matchLabels", {})
    labels = (known or {"metadata": {}})["metadata"].get("labels") or {}
    return known is not None and world.machines[host].is_on and wanted.items() <= labels.items()


def _wanted(body: Raw, *, of_copies: bool = False) -> set[str]:
    """All that it names and starts, or what each copy has of that."""
    resources = [one for one in body["spec"]["resources"] if not (of_copies and one.get("role") == "Promoted")]
    return {*identities(map(RenderedResource.from_wire, resources))}


def _conditions(body: Raw) -> dict[str, Raw]:
    return {each["type"]: each for each in (body.get("status") or {}).get("conditions") or ()}


def _ready(body: Raw) -> str:
    return str(_conditions(body).get("Ready", {}).get("status"))


def _words(body: Raw) -> str:
    """What the service's own status says."""
    said = [each.get("message") for each in _conditions(body).values() if each["type"] in ("Ready", "Accepted")]
    return "; ".join(filter(None, said)) or "its status says nothing"
