"""One small world: a few machines, the API, and production's own operator, fencer and agents, each a process that may die."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from backstay_agent.agent import Agent
from backstay_agent.agent import Machine as AgentMachine
from backstay_agent.agent import Settings as AgentSettings
from backstay_agent.core.leaving import GoingDown
from backstay_agent.fake_policy import bare_unit
from backstay_api.client.api import Api
from backstay_api.client.errors import ApiError, NotFound
from backstay_api.memory.admission import admit_as_ours
from backstay_api.memory.server import MemoryCluster, Request
from backstay_api.objects import lease as leases
from backstay_api.objects.kinds import LEASES, Kind, Raw
from backstay_api.objects.lease import HostLease
from backstay_api.objects.object_kinds import HA_SERVICES, HOST_ASSIGNMENTS, HOSTS
from backstay_api.objects.promise import PROFILES
from backstay_api.objects.resource_kinds import identity
from backstay_fencer.agents import Action
from backstay_fencer.replica import Replica as Fencer
from backstay_operator.control.replica import Operator, Replica
from backstay_operator.planner.know.world import Settings

from .boards import Agents, Bmc, ProcessAgents
from .boots import boot_units
from .leasewatch import LeaseWatch, Path
from .machines import Machine, ProcessDisk, ProcessHostSystem
from .monitor import Monitor, Owned
from .network import Network, ProcessApi, site_of
from .powerwatch import PowerWatch
from .processes import PROCESS, WORLD, Process, SimulationLoop
from .recoverywatch import RecoveryWatch
from .shapes import DEVICES, HostShape, ServiceShape, Shape
from .story import START_S, Story

API: Final = "backstay.dev/v1alpha1"
SYSTEMD_WAITS_S: Final = 90.0


class World:
    """Everything there is, and what can be done to it."""

    def __init__(self, shape: Shape, *, seed: int, loop: SimulationLoop) -> None:
        self.shape = shape
        self.loop = loop
        self.rng = random.Random(f"world {seed}")
        self.story = Story()
        self.accusations: list[str] = []
        self.accused = asyncio.Event()
        self.cluster = MemoryCluster()
        admit_as_ours(self.cluster)
        self.network = Network(self.cluster, random.Random(f"network {seed}"), tell=self.story.tell)
        self.machines: dict[str, Machine] = {}
        self.bmcs: dict[str, Bmc] = {}
        self.dark: set[str] = set()
        """Hosts that have lost their power for good: nobody will switch them on."""
        self.host_shapes: dict[str, HostShape] = {}
        self.agents: dict[str, Agent] = {}
        """The agent that lives, or lived last, on each machine."""
        self.processes: dict[str, Process] = {}
        self.wanted: set[str] = set()
        """Processes that somebody restarts when they die."""
        self.monitor = Monitor(
            self.machines,
            self.accuse,
            LeaseWatch(self.accuse),
            lambda fencer, host: self.network.lease_reads.get((fencer, host)),
            PowerWatch(self.accuse, shape.budget, shape.operators),
        )
        services = {one.name: one for one in shape.services}
        self.recovery = RecoveryWatch(self.accuse, services, self._lease_of, self.network.past)
        self.settings = Settings(fence_budget=shape.budget, start_failure_memory_s=60.0)
        self.employ: Callable[[Api, Replica], Operator] = Operator
        # How long a boot takes, the restart of a process, and what is left of a shutdown when the agent is done.
        self.boots_for_s, self.restarts_in_s, self.lingers_s = [0.3, 2.0, 8.0], [0.05, 0.05, 0.5, 3.0, 10.0], 0.5
        self.fence_agents = Agents(self.bmcs, random.Random(f"fence {seed}"), self._ordered)
        self._cut_at_s: dict[str, float] = {}
        self._frozen_at_s: dict[str, float] = {}
        self._note_sends()
        self.cluster.observe(self.story.observe)
        self.cluster.observe(self.monitor.observe)
        self.cluster.observe(self.recovery.observe)
        self.cluster.observe(self.fence_agents.observe, HOST_ASSIGNMENTS)

    # --- building -------------------------------------------------------------------------------------------------

    def build(self) -> None:
        """Machines, objects and processes as a healthy cluster starts with them."""
        self.install({f"n{index + 1}": shape for index, shape in enumerate(self.shape.hosts)})
        for service in self.shape.services:
            self.know(service)
            self.create_service(service)
        for index in range(self.shape.operators):
            self.launch(f"operator-{'abc'[index]}")
        for index in range(self.shape.fencers):
            self.launch("fencer" if index == 0 else f"fencer-{index + 1}")
        for name in self.machines:
            self.launch(f"agent-{name}")

    def install(self, hosts: Mapping[str, HostShape]) -> None:
        """Machines, what feeds them, and their Host objects."""
        self.host_shapes.update(hosts)
        for name in hosts:
            self._add_machine(name)
        for name in hosts:
            self._wire(name)
            self.add_host(name)

    def _add_machine(self, name: str) -> None:
        machine = Machine(
            name, self.story.tell, self._power_changed, boot_units=lambda machine: boot_units(self, machine)
        )
        machine.on_act = self.recovery.on_act
        machine.state.on_change = lambda identity, runs: self._resource_changed(machine, identity, runs)
        self.machines[name] = machine

    def _wire(self, name: str) -> None:
        """Connect its devices to a machine: its own, if nobody has made a mistake."""
        shape, machine = self.host_shapes[name], self.machines[name]
        if shape.names in ("neighbour", "twin"):
            neighbour = self.machines[self._neighbour_of(name)]
            if shape.names == "twin":
                machine.uuid = neighbour.uuid
            machine = neighbour
        for level, device in DEVICES[shape.devices]:
            ip = f"{name}-{level}-{device}"
            is_nameless = shape.names in ("nothing", "drilled")
            is_outlet = shape.devices == "outlets" and machine.name == name
            is_early = shape.names == "twin"
            self.bmcs[ip] = Bmc(ip, name, machine, is_outlet, is_nameless, is_early)
            if is_outlet:
                machine.outlets[ip] = True

    def _neighbour_of(self, name: str) -> str:
        names = list(self.machines)
        return names[(names.index(name) + 1) % len(names)]

    def bmcs_of(self, machine: Machine) -> list[Bmc]:
        """What feeds it."""
        return [bmc for bmc in self.bmcs.values() if bmc.machine is machine]

    def add_host(self, name: str) -> None:
        shape = self.host_shapes[name]
        levels: dict[str, list[Raw]] = {}
        for level, device in DEVICES[shape.devices]:
            body: Raw = {"name": device, "agent": "fence_redfish", "timeout": "5s", "readGap": self.shape.read_gap}
            body |= {"parameters": {"ip": f"{name}-{level}-{device}"}, "drilled": shape.names == "drilled"}
            levels.setdefault(level, []).append(body)
        fencing = {"levels": [{"name": level, "devices": devices} for level, devices in levels.items()]}
        spec = {"heartbeat": {"profile": shape.profile}, "fencing": {**fencing, "after": shape.after}}
        meta = {"name": name, "labels": {"pool": "a"}}
        self.create(HOSTS, {"kind": HOSTS.kind, "metadata": meta, "spec": spec})

    def know(self, service: ServiceShape) -> None:
        """Tell the monitor what this service may ever run, and every machine how long that takes."""
        units = (service.unit, f"{service.name}-extra.service")
        for resource in map(bare_unit, units):
            self.monitor.owners[identity(resource)] = Owned(service.name, service.is_exclusive, service.most_copies)
        # Whoever has it: an address that one service gives up is another's next.
        self.monitor.owners |= {f"address {one}": Owned(f"address {one}", True) for one in service.addresses}
        self.monitor.owners |= {identity(bare_unit(one)): Owned(service.role, True) for one in service.promoted_units}
        for machine in self.machines.values():
            mine, umbrella = [machine.state.unit(unit) for unit in units], machine.state.unit(f"{service.name}.service")
            if self.shape.is_packaged:
                machine.packaged |= {name: name for name in mine} | ({mine[0]: umbrella} if service.is_part else {})
            if service.is_part:
                machine.state.pulls_in[umbrella] = (mine[0],)
            for name, owned in self.monitor.owners.items():
                if owned.service in (service.name, service.role):
                    script = machine.state.scripts[name]
                    script.start_takes_s, script.stop_takes_s = service.start_takes_s, service.stop_takes_s

    def create_service(self, service: ServiceShape) -> None:
        self.create(HA_SERVICES, service.manifest)

    # --- processes --------------------------------------------------------------------------------------------------

    def launch(self, name: str) -> None:
        """Start a process, and have it restarted when it dies."""
        self.wanted.add(name)
        self._begin(name)

    def _begin(self, name: str) -> None:
        old = self.processes.get(name)
        if name not in self.wanted or (old is not None and old.is_alive):
            return
        if name.startswith("agent-") and not self.machines[site_of(name)].is_on:
            return
        process = self.processes[name] = Process(name, self.loop, self._died)
        self.monitor.leases.paths[name] = Path(self.loop.time())
        self.story.tell(name, "starts")
        process.start(self._work_of(process))

    def _work_of(self, process: Process) -> Callable[[], Awaitable[None]]:
        if process.name.startswith("operator"):
            return lambda: self._operator(process)
        if process.name.startswith("fencer"):
            return lambda: self._fencer(process)
        return lambda: self._agent(process)

    async def _operator(self, process: Process) -> None:
        think_s, settings = self.shape.think_s, self.settings
        dice = self._dice()  # no losses are studied: that changes what is told, and nothing that is done
        replica = Replica(process.name, self.wall, dice, settings, think_s=think_s, studies_losses=False)
        await self.employ(ProcessApi(self.network, process), replica).run()

    async def _fencer(self, process: Process) -> None:
        self.monitor.power.note_begin(process.name)
        api, agents = ProcessApi(self.network, process), ProcessAgents(self.fence_agents, process)
        fencer = Fencer(api, agents, rng=self._dice(), wall=self.wall, identity=process.name)
        await fencer.run(standalone=not self.shape.has_fencer_lease)

    async def _agent(self, process: Process) -> None:
        machine = self.machines[site_of(process.name)]
        agent = Agent(
            ProcessApi(self.network, process),
            ProcessDisk(machine, process),
            ProcessHostSystem(machine, process),
            AgentMachine(host=machine.name, boot_id=machine.boot_id, uuid=machine.uuid),
            rng=self._dice(),
            settings=AgentSettings(contract=PROFILES[self.host_shapes[machine.name].profile], wall=self.wall),
        )
        self.agents[machine.name] = agent
        await agent.run()

    def _died(self, process: Process, why: str) -> None:
        self.story.tell(process.name, f"died: {why}" if why else "is killed")
        if process.name.startswith("agent-"):
            self.recovery.agent_died(site_of(process.name))
        if why:
            self.accuse(f"{process.name} died by itself: {why}")
        self.later(self.rng.choice(self.restarts_in_s), lambda: self._begin(process.name))

    def end(self) -> None:
        """Everybody dies, and nobody is restarted."""
        self.wanted.clear()
        self.story.tell("the world", "ends")
        self.story.is_over = True
        for process in self.processes.values():
            process.kill()

    def kill(self, name: str) -> None:
        process = self.processes.get(name)
        if process is not None:
            process.kill()

    def freeze(self, name: str) -> None:
        process = self.processes.get(name)
        if process is not None and process.is_alive and not process.is_frozen:
            self.story.tell(name, "is frozen")
            process.freeze()
            self._frozen_at_s[name] = self.loop.time()

    def thaw(self, name: str) -> None:
        process = self.processes.get(name)
        if process is not None and process.is_frozen:
            self.story.tell(name, "thaws")
            self.monitor.leases.paths[name].was_away(self._frozen_at_s[name], self.loop.time())
            process.thaw()

    # --- power ------------------------------------------------------------------------------------------------------

    def _ordered(self, by: str, bmc: Bmc, action: Action) -> None:
        if action == "status":
            self.monitor.power.note_read(by, bmc)
            return
        self.story.tell(by, f"sends `{action}` to {bmc.name}")
        self.monitor.on_switch(by, bmc, action)

    def _power_changed(self, machine: Machine) -> None:
        self.monitor.power.note_power(machine)
        agent = f"agent-{machine.name}"
        if machine.is_on:
            self.later(self.rng.choice(self.boots_for_s), lambda: self._begin(agent))
        else:
            self.kill(agent)

    def shut_down(self, machine: Machine, *, then: Callable[[], None]) -> None:
        """The machine goes down in order: its agent is told and stops what it runs, for as long as systemd waits."""
        process, agent = self.processes.get(f"agent-{machine.name}"), self.agents.get(machine.name)
        if not machine.is_on or process is None or agent is None or not process.is_alive or process.is_frozen:
            return
        self.story.tell(machine.name, "goes down in order")
        machine.goes_down = True
        boots, context = machine.boots, WORLD.copy()
        context.run(PROCESS.set, process)
        leaving = self.loop.create_task(agent.shut_down(GoingDown("reboot", "Reboot")), context=context)

        def go_down() -> None:
            if machine.is_on and machine.boots == boots:
                machine.lose_power("it has gone down in order")
                then()

        leaving.add_done_callback(lambda _: self.later(self.lingers_s, go_down), context=WORLD)
        self.later(SYSTEMD_WAITS_S, go_down)

    # --- network ----------------------------------------------------------------------------------------------------

    def cut(self, site: str, how: str) -> None:
        """Cut the way of one site to the API, or of all (an empty name)."""
        self.story.tell("the network", f"{how} for {site or 'everybody: the API is away'}")
        self.network.cut[site] = how
        self._cut_at_s[site] = self.loop.time()
        if how == "refused":
            self.network.break_streams(site)

    def heal(self, site: str) -> None:
        if site not in self.network.cut:
            return
        self.story.tell("the network", f"is whole again for {site or 'everybody'}")
        for name in self.processes:
            if site in ("", site_of(name)):
                self.monitor.leases.paths[name].was_away(self._cut_at_s[site], self.loop.time())
                self.monitor.power.note_away(name, self._cut_at_s[site], self.loop.time())
        self.network.heal(site)

    def _note_sends(self) -> None:
        ask = self.network.request

        def request(request: Request) -> Any:
            if request.is_write and request.resource.startswith("leases") and request.namespace == "backstay-hosts":
                self.monitor.leases.note_send(request.actor, request.name)
            return ask(request)

        self.network.request = request  # type: ignore[method-assign]

    # --- what people do ---------------------------------------------------------------------------------------------

    def create(self, kind: Kind[Any], body: Raw) -> None:
        self._write(
            lambda: self.cluster.create(
                kind, body["metadata"].get("namespace", ""), {"apiVersion": API, **body}, actor="a person"
            )
        )

    def patch(self, kind: Kind[Any], key: tuple[str, str], body: Raw) -> None:
        self._write(lambda: self.cluster.patch(kind, key, body, actor="a person"))

    def delete(self, kind: Kind[Any], key: tuple[str, str]) -> None:
        self._write(lambda: self.cluster.delete(kind, key, actor="a person"))

    def _write(self, write: Callable[[], object]) -> None:
        try:
            write()
        except ApiError as error:
            self.story.tell("a person", f"is refused: {error}")

    def get(self, kind: Kind[Any], key: tuple[str, str]) -> Raw | None:
        try:
            return self.cluster.get(kind, *key)
        except NotFound:
            return None

    # --- small things -----------------------------------------------------------------------------------------------

    def _lease_of(self, host: str) -> HostLease | None:
        body = self.get(LEASES, (leases.NAMESPACE, host))
        return leases.read(body) if body is not None else None

    def accuse(self, what: str) -> None:
        """The monitor has seen what must never be."""
        self.story.tell("THE MONITOR", what)
        self.accusations.append(what)
        self.accused.set()

    def later(self, delay_s: float, call: Callable[[], object]) -> None:
        """The world does something later, whoever lives then."""
        self.loop.call_later(delay_s, call, context=WORLD)

    def wall(self) -> str:
        return self.wall_at(self.loop.time())

    def wall_at(self, at_s: float) -> str:
        return _wall(int(at_s - START_S))

    def _dice(self) -> random.Random:
        return random.Random(self.rng.getrandbits(64))

    def _resource_changed(self, machine: Machine, identity: str, runs: bool) -> None:
        self.story.tell(machine.name, f"{'runs' if runs else 'no longer runs'} {identity}")
        self.monitor.on_change(machine, identity, runs)
        self.recovery.on_change(machine, identity, runs)
        if not runs:
            machine.by_hand.discard(identity)


@cache
def _wall(after_s: int) -> str:
    """RFC 3339, so many seconds after the start."""
    at = datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=after_s)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
