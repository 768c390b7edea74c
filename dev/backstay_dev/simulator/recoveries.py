"""What is drawn apart from all else: recovery (budgets, `after`, what is left to others, `backstay clear`), and operators with old lists.

The draw has a generator of its own, so a seed that draws none of it is the very story that it was before there was any of it.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from backstay_api.objects.kinds import Raw
from backstay_api.objects.names import instance_name
from backstay_api.objects.object_kinds import HA_INSTANCES, HA_SERVICES, HOST_ASSIGNMENTS, OWN_KINDS, SERVICE_CLASSES
from backstay_operator.planner.know.clearing import epochs_up_to_now

from . import people
from .shapes import NAMESPACE, ServiceShape, Shape

if TYPE_CHECKING:
    from .faults import Chaos

CHANCE: Final = 0.4
"""How many seeds of the swarm draw any of it."""
STUCK_CHANCE: Final = 0.25
"""How many draw stops that do not succeed, and hosts that are fenced for them."""
WATCHED: Final = tuple(kind.resource for kind in OWN_KINDS if kind is not SERVICE_CLASSES)
"""What an operator may learn late: no seed has classes, and one name more to draw from would make every seed another story."""


def shape_with(shape: Shape, rng: random.Random) -> Shape:
    """The same world, whose services say more about recovery."""
    return replace(shape, services=tuple(_service(service, rng) for service in shape.services))


def shape_with_fences(shape: Shape, rng: random.Random) -> Shape:
    """The same world, in which most of what is exclusive has its host fenced when it cannot be stopped."""
    return replace(shape, services=tuple(_fenced(one, rng) for one in shape.services))


def _fenced(service: ServiceShape, rng: random.Random) -> ServiceShape:
    if not service.is_exclusive or rng.random() < 0.2:
        return service
    return replace(service, recovery={**(service.recovery or {}), "onStopFailure": "Fence"})


def faults(rng: random.Random) -> dict[str, float]:
    """What people do about it, and how often."""
    return {name: 2 ** rng.uniform(-1, 2) for name in FAULTS if rng.random() < 0.7}


def _service(service: ServiceShape, rng: random.Random) -> ServiceShape:
    recovery: Raw = {}
    if rng.random() < 0.6:
        recovery["restarts"] = rng.choice([0, 1, 5])
    if rng.random() < 0.4:
        recovery["window"] = rng.choice(["30s", "60s"])  # what restarts could never use up is refused
    if rng.random() < 0.4:
        recovery["backoff"] = rng.choice([{"initial": "100ms"}, {"initial": "2s", "max": "5s"}])
    if rng.random() < 0.5:
        recovery["moves"] = {"limit": rng.choice([1, 2]), "per": rng.choice(["30s", "1h"])}
    after = rng.choice([None, (), ("server",)])
    return replace(service, recovery=recovery or None, addresses_after=after)


# --- what people do ----------------------------------------------------------------------------------------------------


def unmanage(chaos: Chaos) -> None:
    """A service is left to others for a while."""
    body = chaos.a_service()
    if body is None or body["metadata"].get("deletionTimestamp") or body["spec"].get("state", "Running") != "Running":
        return
    name = body["metadata"]["name"]
    chaos.world.story.tell("a person", f"leaves {name} to others")
    chaos.world.patch(HA_SERVICES, (NAMESPACE, name), {"spec": {"state": "Unmanaged"}})
    chaos.for_a_while(60.0, lambda: manage(chaos, name))


def manage(chaos: Chaos, name: str) -> None:
    body = chaos.world.get(HA_SERVICES, (NAMESPACE, name))
    if body is not None and body["spec"].get("state") == "Unmanaged":
        chaos.world.story.tell("a person", f"has {name} managed again")
        chaos.world.patch(HA_SERVICES, (NAMESPACE, name), {"spec": {"state": "Running"}})


def clear(chaos: Chaos) -> None:
    """`backstay clear`, for what has failed up to now."""
    body = chaos.a_service()
    if body is not None:
        clear_of(chaos, body["metadata"]["name"])


def clear_of(chaos: Chaos, name: str) -> None:
    world, slot = chaos.world, instance_name(name)
    body, instance = (world.get(kind, (NAMESPACE, key)) for kind, key in ((HA_SERVICES, name), (HA_INSTANCES, slot)))
    if body is None or instance is None:
        return
    orders = [one["spec"].get("instances", {}).values() for one in world.cluster.bodies(HOST_ASSIGNMENTS)]
    told = [order.get("cleared", 0) for each in orders for order in each if order["name"] == slot]
    status = body.get("status") or {}
    last = (status.get("lastClear") or {}).get("number", 0)
    failures = [one for one in (*status.get("startFailures", ()), *status.get("moves", ())) if one["slot"] == slot]
    failed = ((one["slot"], one["epoch"]) for one in failures)
    epochs = epochs_up_to_now({slot: instance["spec"]["epoch"]}, failed)
    word = {
        "epochs": epochs,
        "host": "",
        "number": 1 + max([last, *told]),
        "by": "alice",
        "reason": "it is mended",
    }
    world.story.tell("a person", f"clears {name} up to epoch {epochs[slot]}")
    annotations = {"backstay.dev/clear": json.dumps(word)}
    world.patch(HA_SERVICES, (NAMESPACE, name), {"metadata": {"annotations": annotations}})


def heal(chaos: Chaos) -> None:
    """What is left to others is managed again, and what budgets hold up is cleared, as its status asks for."""
    for shape in chaos.world.shape.services:
        manage(chaos, shape.name)
        if shape.recovery is not None:
            clear_of(chaos, shape.name)


def stuck_stop(chaos: Chaos) -> None:
    """A process in the kernel's hands: whoever stops it now does so in vain, and somebody soon does."""
    machine = chaos.a_machine()
    running = sorted(name for name in machine.state.running if name not in machine.by_hand)
    if not running:
        return
    name = chaos.rng.choice(running)
    chaos.world.story.tell(machine.name, f"{name} cannot be stopped from now on")
    script = machine.state.scripts[name]
    script.stop_fails = "812 is in D state (nfs_wait)"
    chaos.world.later(chaos.rng.uniform(5, 60), lambda: setattr(script, "stop_fails", ""))
    if (owned := chaos.world.monitor.owners.get(name)) and chaos.rng.random() < 0.8:
        people.move_to(chaos, owned.service, chaos.a_machine().name)


def old_list(chaos: Chaos) -> None:
    """An operator begins anew with a list from the past, learns of what came after it late, and is answered as of then."""
    world, network = chaos.world, chaos.world.network
    actor = chaos.rng.choice([name for name in sorted(world.processes) if name.startswith("operator")])
    key = actor, chaos.rng.choice(WATCHED)
    network.past[key] = network.revision_before(chaos.rng.uniform(0, 60))
    network.lag_s[key] = chaos.rng.uniform(1, 30)
    world.story.tell("the network", f"{actor} begins anew with an old list of {key[1]}")
    world.kill(actor)

    def end() -> None:
        network.past.pop(key, None)
        network.lag_s.pop(key, None)

    chaos.for_a_while(40.0, end)


FAULTS: Final = {"unmanage": unmanage, "clear": clear, "old_list": old_list}
STUCK_FAULTS: Final = {"stuck_stop": stuck_stop}
