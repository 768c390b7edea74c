"""What administrators do to hosts and to our own objects: relabel, retime, hands off, delete, strip, restart, and switch off storms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from backstay_api.objects.kinds import LEASES, Kind
from backstay_api.objects.object_kinds import FENCE_REQUESTS, HA_INSTANCES, HA_SERVICES, HOST_ASSIGNMENTS, HOSTS

from .machines import Machine

if TYPE_CHECKING:
    from .faults import Chaos

_LEASES_NAMESPACE: Final = "backstay-hosts"


# --- labels and timings ----------------------------------------------------------------------------------------------


def relabel(chaos: Chaos) -> None:
    """A host leaves the pool that services ask for, or comes back to it."""
    name, pool = chaos.a_machine().name, chaos.rng.choice(["a", "a", "b"])
    chaos.world.story.tell("a person", f"labels Host {name} pool={pool}")
    chaos.world.patch(HOSTS, ("", name), {"metadata": {"labels": {"pool": pool}}})


def change_profile(chaos: Chaos) -> None:
    name, profile = chaos.a_machine().name, chaos.rng.choice(["lab", "fast", "default"])
    chaos.world.story.tell("a person", f"gives Host {name} the heartbeat profile {profile}")
    chaos.world.patch(HOSTS, ("", name), {"spec": {"heartbeat": {"profile": profile}}})


# --- hands off, and by hand ------------------------------------------------------------------------------------------


def hands_off(chaos: Chaos) -> None:
    """Maintenance: an admin stops and starts what runs there, and gives the host back."""
    machine, world = chaos.a_machine(), chaos.world
    world.patch(HOSTS, ("", machine.name), {"spec": {"maintenance": {"mode": "HandsOff", "reason": "a new database"}}})
    for _ in range(chaos.rng.randint(0, 3)):
        world.later(chaos.rng.uniform(3, 30), lambda: None if chaos.is_over else _by_hand(chaos, machine))
    chaos.for_a_while(60.0, lambda: world.patch(HOSTS, ("", machine.name), {"spec": {"maintenance": None}}))


def _by_hand(chaos: Chaos, machine: Machine) -> None:
    running = _units(machine)
    if running and chaos.rng.random() < 0.5:
        machine.stop_unit(chaos.rng.choice(running))
        return
    units = machine.state.units
    gates = sorted(name for name in machine.state.gates & units.keys() if name not in machine.state.running)
    if gates:
        machine.start_by_hand(units[chaos.rng.choice(gates)])


def admin_stop(chaos: Chaos) -> None:
    """`systemctl stop` of what we run, outside any maintenance."""
    machine = chaos.a_machine()
    if running := _units(machine):
        machine.stop_unit(chaos.rng.choice(running))


def clean_reboot(chaos: Chaos) -> None:
    """`systemctl reboot`: what runs is stopped in order and released before the power goes; or the patience of systemd ends."""
    machine = chaos.a_machine()

    def come_up() -> None:
        if chaos.is_over:  # it was still on when somebody went round to switch everything on
            chaos.world.later(chaos.rng.uniform(0.1, 10.0), lambda: machine.gain_power("it has rebooted"))
        else:
            chaos.for_a_while(10.0, lambda: machine.gain_power("it has rebooted"))

    chaos.world.shut_down(machine, then=come_up)


def _units(machine: Machine) -> list[str]:
    return sorted(name for name in machine.state.running.keys() & machine.state.units if name not in machine.by_hand)


# --- our own objects, which are not theirs to touch --------------------------------------------------------------------


def delete_assignment(chaos: Chaos) -> None:
    _delete(chaos, HOST_ASSIGNMENTS, ("", chaos.a_machine().name))


def delete_lease(chaos: Chaos) -> None:
    _delete(chaos, LEASES, (_LEASES_NAMESPACE, chaos.a_machine().name))


def delete_request(chaos: Chaos) -> None:
    requests = chaos.world.cluster.bodies(FENCE_REQUESTS)
    if requests:
        _delete(chaos, FENCE_REQUESTS, ("", chaos.rng.choice(requests)["metadata"]["name"]))


def _delete(chaos: Chaos, kind: Kind[Any], key: tuple[str, str]) -> None:
    if chaos.world.get(kind, key) is not None:
        chaos.world.story.tell("a person", f"deletes {kind.kind} {key[1]}")
        chaos.world.delete(kind, key)


def note_on_lease(chaos: Chaos) -> None:
    """Somebody's tool writes an annotation, and moves the version under everybody's hands."""
    key = (_LEASES_NAMESPACE, chaos.a_machine().name)
    if chaos.world.get(LEASES, key) is not None:
        chaos.world.patch(LEASES, key, {"metadata": {"annotations": {"note": f"{chaos.rng.random():.6f}"}}})


def strip_finalizer(chaos: Chaos) -> None:
    """A person, or a restored backup, leaves an object without our finalizer."""
    kinds: list[Kind[Any]] = [HA_INSTANCES, HA_SERVICES, HOSTS]
    kind = chaos.rng.choice(kinds)
    bodies = chaos.world.cluster.bodies(kind)
    if not bodies:
        return
    meta = chaos.rng.choice(bodies)["metadata"]
    chaos.world.story.tell("a person", f"takes the finalizers of {kind.kind} {meta['name']} away")
    chaos.world.monitor.stripped.add(meta["uid"])
    chaos.world.patch(kind, (meta.get("namespace", ""), meta["name"]), {"metadata": {"finalizers": None}})


# --- many at once, and in order ----------------------------------------------------------------------------------------


def storm(chaos: Chaos) -> None:
    """A switch or a power feed takes half of all hosts or more; somebody goes and looks."""
    machines = list(chaos.world.machines.values())
    hit = chaos.rng.sample(machines, chaos.rng.randint((len(machines) + 1) // 2, len(machines)))
    is_power = chaos.rng.random() < 0.4
    for machine in hit:
        if is_power and chaos.rng.random() < 0.7:
            machine.lose_power("a feed fails")
            chaos.for_a_while(90.0, lambda machine=machine: machine.gain_power("the feed is back"))  # type: ignore[misc]
        elif machine.name not in chaos.world.network.cut:
            chaos.world.cut(machine.name, chaos.rng.choice(["refused", "silent"]))
            chaos.for_a_while(60.0, lambda machine=machine: chaos.world.heal(machine.name))  # type: ignore[misc]
    if chaos.rng.random() < 0.5:
        chaos.world.later(chaos.rng.uniform(3, 30), lambda: None if chaos.is_over else chaos.confirm())


def slow_bmc(chaos: Chaos) -> None:
    bmcs = chaos.world.bmcs_of(chaos.a_machine())
    for bmc in bmcs:
        bmc.off_takes_s = chaos.rng.choice([3.0, 11.0, 25.0])
    if bmcs:
        chaos.world.story.tell(f"the devices of {bmcs[0].machine.name}", f"take up to {bmcs[0].off_takes_s:g} s")
    for bmc in bmcs:
        chaos.for_a_while(90.0, lambda bmc=bmc: setattr(bmc, "off_takes_s", 1.0))  # type: ignore[misc]
