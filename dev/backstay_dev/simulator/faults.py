"""What can go wrong, each as one small act on the world; a seed draws which of them happen, how often and for how long."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from backstay_api.objects.kinds import Raw
from backstay_api.objects.object_kinds import FENCE_REQUESTS, HA_SERVICES, HOST_LEASES, HOSTS

from . import admins, drift, modes, people, recoveries, sites
from .boards import Bmc
from .machines import Machine
from .network import Rates
from .shapes import NAMESPACE
from .world import World

LOOK_S: Final = 60.0
"""So long after the healing a person goes round and looks at what is still dark."""

Fault = Callable[["Chaos"], None]


@dataclass(frozen=True)
class FaultRates:
    """A seed's swarm: which faults, how often, how long, and how bad the network is all the time."""

    weights: Mapping[str, float]
    every_s: float
    """Mean time between two faults."""
    lasts_s: float
    rates: Rates


class Chaos:
    """Brings faults over a world until its time is over, and heals everything in the end."""

    def __init__(self, world: World, fault_rates: FaultRates, rng: random.Random) -> None:
        self.world, self.fault_rates, self.rng = world, fault_rates, rng
        self.is_over = False

    async def run(self) -> None:
        """Faults until the time is over."""
        world, rng = self.world, self.rng
        until_s = world.loop.time() + self.fault_rates.lasts_s
        world.network.rates = self.fault_rates.rates
        names, weights = list(self.fault_rates.weights), list(self.fault_rates.weights.values())
        while True:
            wait_s = rng.expovariate(1 / self.fault_rates.every_s)
            await asyncio.sleep(min(wait_s, max(0.0, until_s - world.loop.time())))
            if world.loop.time() >= until_s:
                return
            ALL_FAULTS[rng.choices(names, weights)[0]](self)

    def heal(self) -> None:
        """Everything works again, and nobody does anything more."""
        self.is_over = True
        world = self.world
        world.story.tell("the world", "is healed: no more faults")
        world.network.rates, world.network.lag_s, world.network.past = Rates(), {}, {}
        for site in list(world.network.cut):
            world.heal(site)
        for name, process in list(world.processes.items()):
            process.dies_at_step = None
            world.thaw(name)
        for bmc in world.bmcs.values():
            bmc.mend()
        for machine in world.machines.values():
            self._heal_machine(machine)
        self._power_up()
        for name in ("thief", "thief-of-units"):
            if world.get(HA_SERVICES, (NAMESPACE, name)) is not None:
                world.delete(HA_SERVICES, (NAMESPACE, name))
        people.undo_edits(self)
        recoveries.heal(self)
        world.later(LOOK_S, self._look)

    def _heal_machine(self, machine: Machine) -> None:
        for script in machine.state.scripts.values():
            script.start_fails = script.stop_fails = script.not_ready = ""
        machine.stop_by_hand()
        machine.state.looks.clear()
        machine.disk.full = ""
        self._add_again(machine.name)
        healed = {"metadata": {"labels": {"pool": "a"}}, "spec": {"maintenance": None}}
        self.world.patch(HOSTS, ("", machine.name), healed)

    def _power_up(self) -> None:
        """Somebody switches everything on; or only what nobody has switched off, and enough to live on."""
        world, machines = self.world, list(self.world.machines.values())
        for machine in machines:
            is_dark = world.shape.stays_dark and (machine.off_by_device or self.rng.random() < 0.3)
            if not is_dark:
                machine.gain_power("everything is healed")
        # A host that is being removed is given nothing new, and leaves only when another is ready for what it holds.
        staying = [machine for machine in machines if not self._leaves(machine)] or machines
        if not any(machine.is_on for machine in staying):
            staying[0].outlets.update(dict.fromkeys(staying[0].outlets, True))
            staying[0].gain_power("somebody switches it on")
        for machine in machines:
            if not machine.is_on and not machine.off_by_device:
                world.dark.add(machine.name)

    def _leaves(self, machine: Machine) -> bool:
        body = self.world.get(HOSTS, ("", machine.name))
        return body is not None and bool(body["metadata"].get("deletionTimestamp"))

    def _look(self) -> None:
        """Where all is healed and something is still waited for, a person goes round: says so of a dead host, and stops what has
        started by itself when the power came back, as the service's status asks for (docs/explanation/limits.md).
        """
        self.confirm()
        for machine in self.world.machines.values():
            machine.stop_by_hand()
        recoveries.heal(self)
        self.world.later(LOOK_S, self._look)

    def confirm(self) -> None:
        confirm(self)

    def _add_again(self, name: str) -> None:
        """A host whose removal is still under way is added as soon as it is gone."""
        if self.world.get(HOSTS, ("", name)) is None:
            self.world.add_host(name)
        self.world.later(1.0, lambda: self._add_again(name))

    # --- helpers of the faults --------------------------------------------------------------------------------------

    def a_machine(self) -> Machine:
        return self.rng.choice(list(self.world.machines.values()))

    def a_bmc(self) -> Bmc | None:
        found = self.world.bmcs_of(self.a_machine())
        return (self.rng.choice(found) if len(found) > 1 else found[0]) if found else None

    def a_process(self) -> str:
        return self.rng.choice(sorted(self.world.processes))

    def a_service(self) -> Raw | None:
        found = self.world.cluster.bodies(HA_SERVICES)
        return self.rng.choice(found) if found else None

    def for_a_while(self, longest_s: float, undo: Callable[[], object]) -> None:
        """Undo it later, unless all is healed by then. Short times are as likely as long ones."""
        lasts_s = longest_s * self.rng.random() ** 2 + 0.1
        self.world.later(lasts_s, lambda: None if self.is_over else undo())


# --- processes -------------------------------------------------------------------------------------------------------


def crash(chaos: Chaos) -> None:
    """A process dies within its next steps, at whatever await that is; an agent's /run may be lost with it."""
    _crash(chaos, chaos.a_process())


def agent_crash(chaos: Chaos) -> None:
    _crash(chaos, f"agent-{chaos.a_machine().name}")


def _crash(chaos: Chaos, name: str) -> None:
    process = chaos.world.processes[name]
    process.dies_at_step = process.steps + int(2 ** chaos.rng.uniform(0, 9))
    if name.startswith("agent-") and chaos.rng.random() < 0.3:
        machine = chaos.world.machines[name.removeprefix("agent-")]

        def lose() -> None:
            if not process.is_alive:
                chaos.world.story.tell(machine.name, "has lost /run")
                machine.lose_run()

        chaos.world.later(0.04, lose)


def freeze(chaos: Chaos) -> None:
    name = chaos.a_process()
    chaos.world.freeze(name)
    chaos.for_a_while(60.0, lambda: chaos.world.thaw(name))


# --- machines --------------------------------------------------------------------------------------------------------


def power_loss(chaos: Chaos) -> None:
    machine = chaos.a_machine()
    if chaos.rng.random() < 0.3:
        for bmc in chaos.world.bmcs_of(machine):
            bmc.is_reachable = False  # it hangs on the same power feed
            chaos.for_a_while(60.0, lambda bmc=bmc: setattr(bmc, "is_reachable", True))  # type: ignore[misc]
    machine.lose_power("power is lost")
    if chaos.rng.random() < 0.3:  # somebody goes and looks
        chaos.world.later(chaos.rng.uniform(3, 20), lambda: None if chaos.is_over else confirm(chaos))
    chaos.for_a_while(60.0, lambda: machine.gain_power("power is back"))


def short_power_loss(chaos: Chaos) -> None:
    """Long enough to be seen off, and back soon."""
    machine = chaos.a_machine()
    machine.lose_power("power is lost")
    chaos.world.later(chaos.rng.uniform(2.5, 6.0), lambda: machine.gain_power("power is back"))


def reboot(chaos: Chaos) -> None:
    machine = chaos.a_machine()
    machine.lose_power("it reboots")
    chaos.for_a_while(3.0, lambda: machine.gain_power("it has rebooted"))


def hang(chaos: Chaos) -> None:
    """All processes of a machine stand still; what it runs may go on when it wakes."""
    machine = chaos.a_machine()
    chaos.world.freeze(f"agent-{machine.name}")
    chaos.for_a_while(60.0, lambda: chaos.world.thaw(f"agent-{machine.name}"))


# --- network ---------------------------------------------------------------------------------------------------------


def partition(chaos: Chaos) -> None:
    """One site cannot reach the API: a host, an operator, or the fencer."""
    site = chaos.a_process().removeprefix("agent-")
    if site not in chaos.world.network.cut:
        chaos.world.cut(site, chaos.rng.choice(["refused", "silent"]))
        chaos.for_a_while(45.0, lambda: chaos.world.heal(site))


def operator_cut(chaos: Chaos) -> None:
    site = chaos.rng.choice([name for name in sorted(chaos.world.processes) if name.startswith("operator")])
    if site not in chaos.world.network.cut:
        chaos.world.cut(site, chaos.rng.choice(["refused", "silent"]))
        chaos.for_a_while(30.0, lambda: chaos.world.heal(site))


def api_outage(chaos: Chaos) -> None:
    if "" not in chaos.world.network.cut:
        chaos.world.cut("", chaos.rng.choice(["refused", "silent"]))
        chaos.for_a_while(60.0, lambda: chaos.world.heal(""))


def long_outage(chaos: Chaos) -> None:
    """The API is away for longer than the storm guard remembers."""
    if "" not in chaos.world.network.cut:
        chaos.world.cut("", chaos.rng.choice(["refused", "silent"]))
        chaos.world.later(chaos.rng.uniform(62, 80), lambda: chaos.world.heal(""))


def watch_lag(chaos: Chaos) -> None:
    """One actor's watch of one kind falls behind."""
    actor = chaos.a_process()
    resource = chaos.rng.choice([HOST_LEASES.resource, *recoveries.WATCHED])
    lag = chaos.world.network.lag_s
    lag[actor, resource] = chaos.rng.uniform(0.2, 20.0)
    chaos.world.story.tell("the network", f"{actor} learns of {resource} {lag[actor, resource]:.1f} s late")
    chaos.for_a_while(40.0, lambda: lag.pop((actor, resource), None))


def streams_break(chaos: Chaos) -> None:
    site = chaos.rng.choice(["", chaos.a_process().removeprefix("agent-")])
    if chaos.rng.random() < 0.5:
        chaos.world.cluster.compact()
    chaos.world.network.break_streams(site)


# --- fence devices ---------------------------------------------------------------------------------------------------


def broken_bmc(chaos: Chaos) -> None:
    bmc = chaos.a_bmc()
    if bmc is None:
        return
    field, words = chaos.rng.choice(
        [
            ("is_reachable", "does not answer"),
            ("ignores_off", "says yes to off and does nothing"),
            ("says_on", "says on for ever"),
        ]
    )
    chaos.world.story.tell(f"the BMC of {bmc.machine.name}", words)
    setattr(bmc, field, field != "is_reachable")
    chaos.for_a_while(60.0, lambda: setattr(bmc, field, field == "is_reachable"))


def glitch(chaos: Chaos) -> None:
    """A BMC says off for a moment though the machine is on: shorter than the gap between two reads, once a run."""
    bmc = chaos.a_bmc()
    if bmc is not None and bmc.glitch_until_s == 0.0:
        bmc.glitch_until_s = chaos.world.loop.time() + 0.4
        chaos.world.story.tell(f"the BMC of {bmc.machine.name}", "says off for a moment, whatever is true")


def confirm(chaos: Chaos) -> None:
    """A person who sees a machine without power says so, for the session that ran in it."""
    for request in chaos.world.cluster.bodies(FENCE_REQUESTS):
        machine = chaos.world.machines.get(request["spec"]["host"])
        is_over = machine is not None and (not machine.is_on or machine.boot_id != request["spec"]["session"]["bootID"])
        if is_over and "confirm" not in request["spec"]:
            word = {"by": "alice", "at": chaos.world.wall(), "reason": "I have seen it"}
            chaos.world.patch(FENCE_REQUESTS, ("", request["metadata"]["name"]), {"spec": {"confirm": word}})


# --- resources -------------------------------------------------------------------------------------------------------


def resource_dies(chaos: Chaos) -> None:
    machine = chaos.a_machine()
    running = [name for name in machine.state.running if name not in machine.by_hand]
    if running:
        machine.state.kill(chaos.rng.choice(running))


def bad_resource(chaos: Chaos) -> None:
    machine = chaos.a_machine()
    names = sorted(name for name in machine.state.scripts if name in chaos.world.monitor.owners)
    if not names:
        return
    name = chaos.rng.choice(names)
    field = chaos.rng.choice(["start_fails", "stop_fails", "not_ready"])
    chaos.world.story.tell(machine.name, f"{name}: from now on {field}")
    setattr(machine.state.scripts[name], field, "it is broken")
    chaos.for_a_while(30.0, lambda: setattr(machine.state.scripts[name], field, ""))


def full_disk(chaos: Chaos) -> None:
    machine = chaos.a_machine()
    machine.disk.full = "No space left on device"
    chaos.world.story.tell(machine.name, "has a full disk")
    chaos.for_a_while(30.0, lambda: setattr(machine.disk, "full", ""))


def torn_journal(chaos: Chaos) -> None:
    """An agent dies, and what it had written is damaged when its successor reads it."""
    machine = chaos.a_machine()
    chaos.world.kill(f"agent-{machine.name}")
    name = chaos.rng.choice(["run/journal", "state/inventory"])
    text = machine.disk.files.get(name)
    if text:
        chaos.world.story.tell(machine.name, f"{name} is damaged")
        machine.disk.files[name] = text[: chaos.rng.randrange(len(text))]


FAULTS: Final[Mapping[str, Fault]] = {
    each.__name__: each
    for each in (
        crash,
        agent_crash,
        freeze,
        power_loss,
        short_power_loss,
        reboot,
        hang,
        partition,
        operator_cut,
        api_outage,
        long_outage,
        watch_lag,
        streams_break,
        broken_bmc,
        glitch,
        confirm,
        people.edit,
        people.switch_state,
        people.delete_service,
        people.move,
        people.maintain,
        people.remove_host,
        resource_dies,
        bad_resource,
        full_disk,
        torn_journal,
        people.delete_instance,
        people.manual_start,
        people.wants_the_same_address,
        people.edit_address,
        people.select,
        people.share_unit,
        people.wants_the_same_units,
        admins.relabel,
        admins.change_profile,
        admins.hands_off,
        admins.admin_stop,
        admins.clean_reboot,
        admins.delete_assignment,
        admins.delete_lease,
        admins.delete_request,
        admins.note_on_lease,
        admins.strip_finalizer,
        admins.storm,
        admins.slow_bmc,
    )
}

_APART: Final = {**recoveries.FAULTS, **recoveries.STUCK_FAULTS, **sites.FAULTS, **modes.FAULTS, **drift.FAULTS}
ALL_FAULTS: Final[Mapping[str, Fault]] = {**FAULTS, **_APART}
"""With those that are drawn apart (`recoveries`, `sites`, `modes`, `drift`): what is drawn from `FAULTS` alone stays as it is."""
