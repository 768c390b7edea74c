"""systemd as we use it: units by name, jobs, and a watch on a unit that survives a restart of systemd or of D-Bus.

Everything is level-triggered: a signal only wakes whoever waits, who then looks at the unit's properties. What was
missed while the connection was down is seen when it is back, because every watch looks anew then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from backstay_agent.drivers.tools.reloads import Reloads

from .bus import RELOAD_LIMIT_S, SYSTEMD, Bus, BusError, Member, connect
from .jobs import JOB, UP, Acts, Asked

_ROOT: Final = "/org/freedesktop/systemd1"
_MANAGER: Final = "org.freedesktop.systemd1.Manager"
UNIT: Final = "org.freedesktop.systemd1.Unit"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"
# A broken connection is tried again this often; D-Bus is back within a second of a restart.
_RETRY_S: Final = 0.25

Properties = dict[str, Any]
Connect = Callable[[Callable[[], None]], Coroutine[Any, Any, Bus]]


@dataclass(eq=False)
class Watch:
    """What is known of one unit, and an event for when that may have changed."""

    unit: str
    path: str = ""
    properties: Properties = field(default_factory=dict)
    lost: str = ""
    """Why nothing is known at present; empty while it is."""
    asked: Asked | None = None
    """The last job on it that somebody else has queued, and that may explain its state."""
    referenced_on: Bus | None = None
    """The connection that keeps the unit in systemd's memory for us."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _unlisten: Callable[[], None] | None = None

    async def changed(self) -> None:
        """Wait until something may have changed since this was last awaited."""
        await self._news.wait()
        self._news.clear()

    async def changed_within(self, wait_s: float | None) -> None:
        """The same, but not longer; None waits for ever."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self.changed()

    def ring(self) -> None:
        self._news.set()

    def follow(self, unlisten: Callable[[], None], properties: Properties) -> None:
        """For the manager: signals come in again, and this is the state to begin with."""
        self._unlisten, self.properties, self.lost = unlisten, properties, ""
        self.ring()

    def detach(self) -> None:
        """For the manager: no more signals."""
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None

    def on_signal(self, signal: tuple[Any, ...]) -> None:
        """For the manager: some properties have changed."""
        interface, changed, _invalidated = signal
        self.properties.update({name: value for name, (_signature, value) in changed.items()})
        # systemd tells the type's properties first and the unit's last, so that now all of one change is there.
        if interface == UNIT:
            self.ring()

    @property
    def active(self) -> str:
        return str(self.properties.get("ActiveState", ""))

    @property
    def has_job(self) -> bool:
        return bool(self.properties.get("Job", (0, "/"))[0])


def waits_for_pid_file(properties: Properties) -> bool:
    """Whether its start has forked, and only the PID file is still missing."""
    is_waiting = properties.get("SubState") == "start" and not properties.get("ControlPID")
    return properties.get("Type") == "forking" and bool(properties.get("PIDFile")) and is_waiting


class Manager:
    """One connection to this host's systemd, shared by all drivers and made when first needed."""

    def __init__(self, connector: Connect = connect) -> None:
        self._connector = connector
        self._bus: Bus | None = None
        self._connecting = asyncio.Lock()
        self._watches: set[Watch] = set()
        self._reviving: asyncio.Task[None] | None = None
        self.reloads = Reloads(self._reload, self._waiting_for_pid_files)
        self.acts = Acts()
        """Wrap in `acts.on(units)` what asks systemd to start or stop something."""
        self._asking: set[asyncio.Task[None]] = set()

    async def call(self, method: str, signature: str = "", *args: object, limit_s: float = 10.0) -> tuple[Any, ...]:
        """Call a method of systemd's manager. Raises BusError."""
        bus = await self._connected()
        return await bus.call(Member(_ROOT, _MANAGER, method), signature, *args, limit_s=limit_s)

    async def load(self, unit: str) -> str:
        """The unit's object path; systemd reads its files if it has not yet. Raises BusError."""
        (path,) = await self.call("LoadUnit", "s", unit)
        return str(path)

    async def properties(self, unit: str) -> Properties:
        """All properties of the unit, with those of its own type, as they are now. Raises BusError."""
        return await self._read(await self._connected(), await self.load(unit))

    async def is_shutting_down(self) -> bool:
        """Whether systemd is stopping the machine. Raises BusError."""
        return await self._get(_ROOT, _MANAGER, "SystemState") == "stopping"

    async def start(self, unit: str) -> None:
        """Queue a start. From its answer on the unit's `Job` tells whether it is still under way. Raises BusError."""
        await self.call("StartUnit", "ss", unit, "replace")

    async def reload_unit(self, unit: str) -> None:
        """Queue a reload of the unit itself, as `start`. Raises BusError."""
        await self.call("ReloadUnit", "ss", unit, "replace")

    async def stop(self, unit: str, *, in_turn: bool = True) -> None:
        """Queue a stop, as `start`; it cancels a start that is queued. A unit that is not loaded is fine. Raises BusError.

        Not `in_turn`: it waits for no other job.
        """
        try:
            await self.call("StopUnit", "ss", unit, "replace" if in_turn else "ignore-dependencies")
        except BusError as error:
            if error.name != f"{SYSTEMD}.NoSuchUnit":
                raise

    async def jobs_ahead(self, job: str) -> list[tuple[Any, ...]]:
        """The jobs that must be over before this one begins: number, unit, kind, state, path, path of the unit. Raises BusError."""
        bus = await self._connected()
        (found,) = await bus.call(Member(job, JOB, "GetBefore"))
        return list(found)

    async def own_unit_that_stops(self) -> str:
        """The unit that this process runs in, if systemd is stopping it; else nothing. Raises BusError."""
        with suppress(BusError):  # started by hand, as in a test
            (path,) = await self.call("GetUnitByPID", "u", 0)
            own = await self._read(await self._connected(), str(path))
            return str(own.get("Id", "")) if own.get("ActiveState") == "deactivating" else ""
        return ""

    async def kill(self, unit: str) -> None:
        """SIGKILL every process of the unit; none there is fine."""
        with suppress(BusError):
            await self.call("KillUnit", "ssi", unit, "all", 9)

    async def terminate(self, unit: str) -> None:
        """SIGTERM to every process of the unit; none there is fine."""
        with suppress(BusError):
            await self.call("KillUnit", "ssi", unit, "all", 15)

    def kill_soon(self, unit: str) -> None:
        """As `kill`, for those who are being cancelled and cannot wait."""
        if self._bus is not None:
            self._bus.post(Member(_ROOT, _MANAGER, "KillUnit"), "ssi", unit, "all", 9)

    async def loaded(self, pattern: str) -> list[str]:
        """Names of the units in memory that fit the pattern. Raises BusError."""
        (found,) = await self.call("ListUnitsByPatterns", "asas", [], [pattern])
        return [str(unit[0]) for unit in found]

    async def reset_failed(self, unit: str) -> None:
        """Forget that the unit failed; not failed is fine."""
        with suppress(BusError):
            await self.call("ResetFailedUnit", "s", unit)

    def reset_failed_before(self, unit: str) -> None:
        """As `reset_failed`, before whatever is asked next."""
        if self._bus is not None:
            self._bus.post(Member(_ROOT, _MANAGER, "ResetFailedUnit"), "s", unit)

    async def start_transient(self, unit: str, properties: list[tuple[str, tuple[str, Any]]]) -> None:
        """Make a unit that lives only in memory, and queue its start; one that is there still is started as it is.

        Raises BusError.
        """
        try:
            await self.call("StartTransientUnit", "ssa(sv)a(sa(sv))", unit, "replace", properties, [])
        except BusError as error:
            if error.name != f"{SYSTEMD}.UnitExists":
                raise
            await self.start(unit)

    async def _reload(self) -> None:
        await self.call("Reload", limit_s=RELOAD_LIMIT_S)

    async def _waiting_for_pid_files(self) -> list[str]:
        (units,) = await self.call("ListUnitsFiltered", "as", ["activating"])
        services = [str(unit[0]) for unit in units if str(unit[0]).endswith(".service")]
        return [unit for unit in services if waits_for_pid_file(await self.properties(unit))]

    @asynccontextmanager
    async def watch(self, unit: str) -> AsyncIterator[Watch]:
        """Follow one unit. Raises BusError if systemd cannot be reached at the start; later losses are only told."""
        watch = Watch(unit)
        self._watches.add(watch)
        try:
            await self._attach(await self._connected(), watch)
            yield watch
        finally:
            self._watches.discard(watch)
            watch.detach()
            if self._bus is not None and watch.referenced_on is self._bus:
                self._bus.post(Member(watch.path, UNIT, "Unref"))

    async def refresh(self, watch: Watch) -> None:
        """Read the unit's properties now, whatever signals have said. Raises BusError."""
        watch.properties = await self._read(await self._connected(), watch.path)

    async def close(self) -> None:
        ours = [*self._asking, *([self._reviving] if self._reviving is not None else [])]
        for task in ours:
            task.cancel()
        await asyncio.gather(*ours, return_exceptions=True)
        bus, self._bus = self._bus, None
        if bus is not None:
            bus.close()

    # Connection

    async def _connected(self) -> Bus:
        async with self._connecting:
            if self._bus is None:
                self._bus = await self._open()
            return self._bus

    async def _open(self) -> Bus:
        bus = await self._connector(self._lost)
        try:
            await bus.listen(Member(_ROOT, _MANAGER, "Reloading"), self._on_reloading)
            await bus.listen(Member(_ROOT, _MANAGER, "JobNew"), self._on_job)
            await bus.listen(Member(_ROOT, _MANAGER, "JobRemoved"), self._on_job_over)
            dbus = Member("/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged")
            await bus.listen(dbus, self._on_owner, sender="org.freedesktop.DBus")
            await bus.call(Member(_ROOT, _MANAGER, "Subscribe"))
        except BaseException:
            bus.close()
            raise
        return bus

    def _lost(self) -> None:
        self._bus = None
        self._revive("the connection to D-Bus is gone")

    def _on_owner(self, signal: tuple[Any, ...]) -> None:
        name, _old, new = signal
        if name != SYSTEMD:
            return
        if not new:
            self._mark_lost("systemd is restarting itself")
        else:
            self._revive("systemd has restarted itself")

    def _on_reloading(self, signal: tuple[Any, ...]) -> None:
        (active,) = signal
        if not active:
            self._revive("")

    def _on_job(self, signal: tuple[Any, ...]) -> None:
        _number, path, unit = signal
        theirs = [watch for watch in self._watches if watch.unit == unit] if unit not in self.acts else []
        if theirs:
            asked = Asked()
            for watch in theirs:
                watch.asked = asked
            task = asyncio.get_running_loop().create_task(
                self._ask_kind(asked, str(path), theirs), name=f"job of {unit}"
            )
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _ask_kind(self, asked: Asked, path: str, watches: list[Watch]) -> None:
        with suppress(BusError):  # it is over already: what came of it tells
            asked.kind = await self._get(path, JOB, "JobType")
        for watch in watches:
            watch.ring()

    def _on_job_over(self, signal: tuple[Any, ...]) -> None:
        _number, _path, unit, *_ = signal
        for watch in self._watches:
            # By now the unit's own change was told: up again, or still, nothing explains what comes later.
            if watch.unit == unit and watch.active in UP:
                watch.asked = None
                watch.ring()

    def _mark_lost(self, why: str) -> None:
        for watch in self._watches:
            watch.lost = why
            watch.ring()

    def _revive(self, why: str) -> None:
        """Every watch must look anew. Runs once at a time; started again it begins again."""
        if why:
            self._mark_lost(why)
        if self._reviving is not None:
            self._reviving.cancel()
        self._reviving = asyncio.get_running_loop().create_task(self._look_anew(), name="systemd: look anew")

    async def _look_anew(self) -> None:
        while True:
            try:
                bus = await self._connected()
                try:
                    await bus.call(Member(_ROOT, _MANAGER, "Subscribe"))
                except BusError as error:
                    if error.name != f"{SYSTEMD}.AlreadySubscribed":
                        raise
                for watch in list(self._watches):
                    watch.detach()
                    await self._attach(bus, watch)
                return
            except BusError as error:
                self._mark_lost(f"systemd cannot be reached: {error}")
                await asyncio.sleep(_RETRY_S)

    # Watches

    async def _attach(self, bus: Bus, watch: Watch) -> None:
        (watch.path,) = await bus.call(Member(_ROOT, _MANAGER, "LoadUnit"), "s", watch.unit)
        # While we look at it systemd must not forget why it failed, nor read it from disk again for each question.
        if watch.referenced_on is not bus:
            watch.referenced_on = bus
            bus.post(Member(watch.path, UNIT, "Ref"))  # answered before whatever is asked next
        changed = Member(watch.path, _PROPERTIES, "PropertiesChanged")
        unlisten = await bus.listen(changed, watch.on_signal)
        try:
            watch.follow(unlisten, await self._read(bus, watch.path))
        except BaseException:
            unlisten()
            raise

    async def _get(self, path: str, interface: str, name: str) -> str:
        bus = await self._connected()
        (found,) = await bus.call(Member(path, _PROPERTIES, "Get"), "ss", interface, name)
        return str(found[1])

    async def _read(self, bus: Bus, path: str) -> Properties:
        # An empty interface name asks for all of them: the unit's and those of its type.
        (found,) = await bus.call(Member(path, _PROPERTIES, "GetAll"), "s", "")
        return {name: value for name, (_signature, value) in found.items()}
