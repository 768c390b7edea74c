"""A driver in memory, as a fake for tests and the simulator: one machine's resources, which outlive the agents that drive them.

It can be told to be slow and to fail, and lies about nothing: `on_change` is told of each start and stop, just as a client would see them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from backstay_agent.standby.standbys import Keeper
from backstay_api.objects.plain import Attribute, RenderedPrerequisite, RenderedResource, RoleOrder, Systemd
from backstay_api.objects.resource_kinds import identity, units_of
from backstay_api.process.waiting import clock_s

from .core.editions import Edition
from .core.health import CALM, Signs, Verdict
from .core.score import Score
from .detection import Detection
from .drivers.base import (
    AskedParts,
    NoScore,
    Notification,
    Observed,
    Parts,
    ReloadFailed,
    Seen,
    StartFailed,
    State,
    StopFailed,
)
from .drivers.tools.parts import of_lines
from .fake_files import FakeInstaller
from .fake_policy import FakePolicy, bare_unit
from .fake_script import Script
from .host_system import OnVerdict


@dataclass
class FakeMachine:
    """What runs on one host. Agents come and go; a boot is a new machine."""

    running: dict[str, RenderedResource] = field(default_factory=dict)
    scores: dict[str, int] = field(default_factory=dict)
    """What a command, or a resource by its name, says of how fresh the data here is."""
    scores_take_s: float = 0.0
    """How long a command needs to say so."""
    noted: dict[str, tuple[Attribute, ...]] = field(default_factory=dict)
    """What the agent of a resource with roles has noted, by the resource's name; what that was told; and notified of."""
    learned: dict[str, RoleOrder] = field(default_factory=dict)
    notified: list[Notification] = field(default_factory=list)
    scripts: defaultdict[str, Script] = field(default_factory=lambda: defaultdict(Script))
    secured: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)
    """What was done, in order: `start unit web.service`."""
    gates: set[str] = field(default_factory=set)
    """Units that may be started: their gate stands open in /run."""
    begun_at_s: dict[str, float] = field(default_factory=dict)
    permitted: set[str] = field(default_factory=set)
    """What the agent lets an admin start by hand."""
    on_change: Callable[[str, bool], None] = lambda identity, runs: None
    enabled: set[str] = field(default_factory=set)
    """What systemd starts at a boot, if our mark does not keep it from it."""
    stands_for: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By unit: other units that start and stop with it, and can be named all the same."""
    pulls_in: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By an umbrella, which does nothing itself: the units that it makes run, marked or not."""
    part_of: dict[str, str] = field(default_factory=dict)
    """By part: the unit for whose sake it is secured."""
    listeners: defaultdict[str, list[asyncio.Queue[Seen]]] = field(default_factory=lambda: defaultdict(list))
    looks: dict[str, Observed] = field(default_factory=dict)
    """By name of the resource: what is seen of a prerequisite. All else is there, and as everywhere. `texts`: the lines of a file."""
    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    files: dict[str, Edition] = field(default_factory=dict)
    """By path: what services have brought there."""
    wrong: dict[str, str] = field(default_factory=dict)
    """By content: what its program says against it; and `unwritable`: by path, why nothing can be put there."""
    unwritable: dict[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    """Names of the resources that were made to read their files anew."""
    hard_to_tell: dict[str, str] = field(default_factory=dict)
    fatal: dict[str, str] = field(default_factory=dict)
    """Contents of files with which nothing starts, and why."""
    """By name of the resource: why that fails."""
    signs: Signs = CALM
    """What is seen of the machine where a question gets no answer."""
    stopped_as: dict[str, RenderedResource] = field(default_factory=dict)
    """By identity: what the last stop was told that it is; and `watched_as`: the last watch."""
    watched_as: dict[str, RenderedResource] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    """By identity: why the policy of the host's admin refuses it."""
    unnamed: int = 0
    """So many times in a row systemd does not say what it calls a unit that is to be allowed."""
    broken_policy: str = ""
    """Why that policy cannot be read: nothing new is allowed."""
    units: dict[str, str] = field(default_factory=dict)
    """By identity: the name of each unit that somebody has named here."""

    def note(self, resource: RenderedResource) -> str:
        """Its identity, by which all else here goes."""
        name = identity(resource)
        if units := units_of([resource]):
            self.units[name] = units[0]
        return name

    def unit(self, unit: str) -> str:
        """The same of a unit that nothing is told of but its name."""
        return self.note(bare_unit(unit))

    def up(self, resource: RenderedResource) -> None:
        name = self.note(resource)
        if name not in self.running:
            self.running[name] = resource
            self.begun_at_s[name] = clock_s()
            self.on_change(name, True)
        self.tell(name, Seen(State.RUNNING))

    def up_bare(self, name: str) -> None:
        """A unit that a person or systemd itself starts."""
        self.up(bare_unit(self.units[name]))

    def works_in_s(self, name: str) -> float:
        """Until its probes answer well."""
        return self.begun_at_s.get(name, 0.0) + self.scripts[name].works_after_s - clock_s()

    def down(self, name: str, seen: Seen | None = None) -> None:
        if self.running.pop(name, None) is not None:
            self.on_change(name, False)
        self.tell(name, seen or Seen(State.STOPPED))

    def start_by_itself(self, name: str) -> None:
        """systemd starts a unit: its mark keeps it from that, and nothing keeps it from pulling in others."""
        if name not in self.secured:
            self.up_bare(name)
        for part in self.pulls_in.get(name, ()):
            self.start_by_itself(part)

    def boot(self) -> None:
        """What systemd does with the units that are enabled."""
        for name in sorted(self.enabled):
            self.start_by_itself(name)

    def kill(self, name: str, why: str = "its main process was killed") -> None:
        """The resource dies by itself."""
        assert name in self.running, f"{name} does not run"
        self.log.append(f"died {name}")
        self.down(name, Seen(State.FAILED, why))

    def tell(self, name: str, seen: Seen) -> None:
        """What a driver sees of it, whatever it is."""
        for queue in self.listeners[name]:
            queue.put_nowait(seen)


class FakeDriver:
    """What one agent drives on a FakeMachine, for every kind of resource."""

    def __init__(self, machine: FakeMachine) -> None:
        self.machine = machine

    async def secure(self, resource: RenderedResource) -> None:
        await asyncio.sleep(0)
        name = self.machine.note(resource)
        self.machine.part_of.pop(name, None)
        self.machine.secured.add(name)
        for part in self.machine.pulls_in.get(name, ()):
            if part not in self.machine.secured:
                self.machine.secured.add(part)
                self.machine.part_of[part] = name

    async def unsecure(self, resource: RenderedResource) -> None:
        await asyncio.sleep(0)
        name = identity(resource)
        self.machine.secured -= {name, *_parts(self.machine, name)}
        for part in _parts(self.machine, name):
            del self.machine.part_of[part]

    def parts(self, resource: RenderedResource) -> Sequence[str]:
        return [part for one in units_of([resource]) for part in self.machine.stands_for.get(one, ())]

    async def starts_by_itself(self, resource: RenderedResource) -> str | None:
        await asyncio.sleep(0)
        name = identity(resource)
        starters = {name, *(umbrella for umbrella, parts in self.machine.pulls_in.items() if name in parts)}
        if enabled := sorted(starters & self.machine.enabled):
            return f"{enabled[0]} is enabled and would start by itself at the next boot"
        return None

    async def not_ready(self, resource: RenderedResource) -> str | None:
        await asyncio.sleep(0)
        name = identity(resource)
        if parts := self.machine.pulls_in.get(name):
            return f"name {' and '.join(self.machine.units[part] for part in parts)}: {name} only pulls it in"
        return self.machine.scripts[name].not_ready or None

    async def score(self, resource: RenderedResource) -> int:
        await asyncio.sleep(0)
        if resource.name not in self.machine.scores:
            raise NoScore("its agent has set none")
        return self.machine.scores[resource.name]

    def noted(self, resource: RenderedResource) -> Sequence[Attribute]:
        return self.machine.noted.get(resource.name, ())

    def learn(self, resource: RenderedResource, told: RoleOrder) -> None:
        self.machine.learned[resource.name] = told

    async def notify(self, resource: RenderedResource, of: Notification) -> str:
        await asyncio.sleep(0)
        self.machine.notified.append(of)
        return ""

    def waits_for(self, resource: RenderedResource) -> str:
        return self.machine.scripts[identity(resource)].waits_for

    async def prepare(self, resource: RenderedResource) -> None:
        script = self.machine.scripts[identity(resource)]
        await asyncio.sleep(script.prepare_takes_s)
        if script.prepare_fails:
            raise StartFailed(script.prepare_fails)

    async def start(self, resource: RenderedResource, *, timeout_s: float) -> None:
        name = self.machine.note(resource)
        script = self.machine.scripts[name]
        if why := await self.not_ready(resource) if name in self.machine.pulls_in else None:
            raise StartFailed(why)
        self.machine.log.append(f"start {name}")
        self.machine.gates.add(name)
        # From the first moment on it may do harm: that is when it counts as running.
        self.machine.up(resource)
        await asyncio.sleep(min(script.start_takes_s, timeout_s))
        if script.start_takes_s > timeout_s:
            raise StartFailed(f"{name} was not up within {timeout_s:g} s")
        fatal = (self.machine.fatal.get(one.content or "", "") for one in self.machine.files.values())
        if why := script.start_fails or next(filter(None, fatal), ""):
            raise StartFailed(why, script.error_type)
        if name not in self.machine.running:
            raise StartFailed(f"{name} died while it was started")

    async def start_limit_s(self, resource: RenderedResource) -> float | None:
        await asyncio.sleep(0)
        return self.machine.scripts[identity(resource)].start_limit_s

    async def apply(self, resource: RenderedResource, before: RenderedResource, *, timeout_s: float) -> None:
        await asyncio.sleep(0)
        name = identity(resource)
        if why := self.machine.scripts[name].apply_fails:
            raise StartFailed(why)
        if why := self.machine.scripts[name].reload_fails:
            raise ReloadFailed(why)
        self.machine.log.append(f"apply {name}")

    async def stop(self, resource: RenderedResource, *, timeout_s: float) -> str | None:
        name = identity(resource)
        script = self.machine.scripts[name]
        self.machine.log.append(f"stop {name}")
        self.machine.stopped_as[name] = resource
        self.machine.gates.discard(name)
        await asyncio.sleep(min(script.stop_takes_s, timeout_s))
        if script.stop_fails or script.stop_takes_s > timeout_s:
            raise StopFailed(script.stop_fails or f"{name} was not down within {timeout_s:g} s")
        self.machine.down(name)
        for part in (*self.machine.pulls_in.get(name, ()), *_parts(self.machine, name)):
            self.machine.down(part)
        return script.stop_note or None

    async def permit(self, resource: RenderedResource) -> None:
        await asyncio.sleep(0)
        name = self.machine.note(resource)
        self.machine.permitted.add(name)
        self.machine.gates.add(name)

    async def check(self, resource: RenderedResource) -> Seen:
        await asyncio.sleep(0)
        name = identity(resource)
        runs = [one for one in (name, *self.machine.pulls_in.get(name, ())) if one in self.machine.running]
        return (
            Seen(State.RUNNING, reloadable=self.machine.scripts[name].reloadable)
            if name in runs
            else Seen(State.UNKNOWN, f"{runs[0]} runs", left=True)
            if runs
            else Seen(State.STOPPED)
        )

    async def changes(self, resource: RenderedResource) -> AsyncIterator[Seen]:
        queue: asyncio.Queue[Seen] = asyncio.Queue()
        listeners = self.machine.listeners[identity(resource)]
        self.machine.watched_as[identity(resource)] = resource
        listeners.append(queue)
        try:
            yield await self.check(resource)
            while True:
                yield await queue.get()
        finally:
            listeners.remove(queue)


def recognised(machine: FakeMachine, *, run_is_intact: bool) -> list[RenderedResource]:
    """What looks like ours and runs, or may be started by anybody, as on a real host: units by their mark, and with /run their open gates;
    the rest by its own marks."""
    ours = {name for name in machine.secured if not run_is_intact or name in machine.gates}
    open_ = sorted((machine.gates & machine.units.keys()) - machine.running.keys())
    return [
        *(found for name, found in machine.running.items() if name in ours or not units_of([found])),
        *(RenderedResource(name="leftover", systemd=Systemd(unit=machine.units[name])) for name in open_),
    ]


def _parts(machine: FakeMachine, name: str) -> list[str]:
    return [part for part, owner in machine.part_of.items() if owner == name]


class FakeHostSystem:
    """What one agent uses of a FakeMachine: `host_system.HostSystem`, as a fake."""

    def __init__(self, machine: FakeMachine) -> None:
        self.machine = machine
        self.detection = Detection()
        self._driver = FakeDriver(machine)
        self.policy = FakePolicy(machine)
        self.files = FakeInstaller(machine)
        self.why_nothing_exclusive = ""
        self.blind = False
        """Whatever would make our own things recognisable on the machine is gone too."""
        self.judges: dict[str, OnVerdict] = {}
        """By name of the resource: calls what a probe would call."""

    async def open(self) -> None:
        await asyncio.sleep(0)

    def driver(self, resource: RenderedResource) -> FakeDriver:
        return self._driver

    async def look(self, resource: RenderedPrerequisite, salt: str) -> Observed:
        await asyncio.sleep(0)
        return self.machine.looks.get(resource.name, Observed("", {"content": "as everywhere"}))

    async def parts(self, resource: RenderedPrerequisite, asked: AskedParts, key: bytes) -> Parts:
        path, lines = f"/etc/{resource.name}.conf", self.machine.texts.get(resource.name, ())
        return of_lines(path, [line.encode() for line in lines], asked, key, shows_words=True)

    async def probe(self, resource: RenderedResource, on_verdict: OnVerdict, *, starting: bool = False) -> None:
        self.judges[resource.name] = on_verdict
        wait_s = self.machine.works_in_s(identity(resource))
        if wait_s > 0:
            on_verdict(Verdict.FAILS, "probe alive: connection refused")
            await asyncio.sleep(wait_s)
        on_verdict(Verdict.WORKS, "")
        await asyncio.Event().wait()

    async def signs(self, resource: RenderedResource) -> Signs:
        await asyncio.sleep(0)
        return self.machine.signs

    async def leftovers(self, *, run_is_intact: bool) -> Sequence[RenderedResource]:
        await asyncio.sleep(0)
        return [] if self.blind else recognised(self.machine, run_is_intact=run_is_intact)

    def standbys(self, on_change: Callable[[], None]) -> Keeper:
        return Keeper(
            self.driver,
            self.obstacle,
            on_change,
            self._marked,
            policy=self.policy,
            score=self._score,
            probe=self.probe,
        )

    async def _score(self, command: Sequence[str]) -> Score:
        await asyncio.sleep(self.machine.scores_take_s)
        name = " ".join(command)
        return Score(self.machine.scores[name]) if name in self.machine.scores else Score(-1, f"{name} fails")

    def _marked(self) -> list[str]:
        owned = self.machine.secured - self.machine.part_of.keys()
        return sorted(self.machine.units[name] for name in owned & self.machine.units.keys())

    def obstacle(self) -> str:
        return self.why_nothing_exclusive
