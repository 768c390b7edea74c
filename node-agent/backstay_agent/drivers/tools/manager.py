"""systemd as we use it: units by name, jobs, and a watch on a unit that survives a restart of systemd or of D-Bus.

Everything is level-triggered: a signal only wakes whoever waits, who then looks at the unit's properties. What was
missed while the connection was down is seen when it is back, because every watch looks anew then.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeVar

from backstay_agent.detection import Detection
from backstay_agent.drivers.tools.reloads import Reloads
from backstay_api.process.waiting import clock_s

from .bus import CONNECTION_GONE, RELOAD_LIMIT_S, SYSTEMD, Bus, BusError, Contents, Member, connect
from .jobs import JOB, UP, Acts, Asked
from .systemd_quota import MOST_PROGRAMS, MOST_STARTS, MOST_STOPS, Kept
from .watch import UNIT, Properties, Watch, plain, waits_for_pid_file

_ROOT: Final = "/org/freedesktop/systemd1"
_MANAGER: Final = "org.freedesktop.systemd1.Manager"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"
# A broken connection is tried again this often; D-Bus is back within a second of a restart.
_RETRY_S: Final = 0.25
_WENT_AWAY: Final = tuple(
    f"org.freedesktop.DBus.Error.{name}" for name in ("NoReply", "ServiceUnknown", "NameHasNoOwner")
)
_BACK_S: Final = 3.0
_LOOKS: Final = 3
_LOOK_AGAIN_S: Final = 0.1

T = TypeVar("T")
Connect = Callable[[Callable[[], None]], Coroutine[Any, Any, Bus]]

_FORGOTTEN_S: Final = 0.05
"""systemd forgets a unit as soon as nothing names it, and tells nobody."""


class Manager:
    """One connection to this host's systemd, shared by all drivers and made when first needed."""

    def __init__(self, connector: Connect = connect, detection: Detection | None = None) -> None:
        self._connector = connector
        self.detection = detection or Detection()
        self._bus: Bus | None = None
        self._connecting = asyncio.Lock()
        self._watches: set[Watch] = set()
        self._at: defaultdict[str, set[Watch]] = defaultdict(set)
        """The same, by object path."""
        self._kept: Kept | None = None
        self._reviving: asyncio.Task[None] | None = None
        self.reloads = Reloads(self._reload, self._waiting_for_pid_files)
        self.acts = Acts()
        """Wrap in `acts.on(units)` what asks systemd to start or stop something."""
        self.starts, self.programs, self.stops = map(asyncio.Semaphore, (MOST_STARTS, MOST_PROGRAMS, MOST_STOPS))
        """Turns: to be held by whoever starts, runs or stops something, from before it is watched (`systemd_quota.py`)."""
        self._asking: set[asyncio.Task[None]] = set()

    async def call(self, method: str, signature: str = "", *args: object, limit_s: float = 10.0) -> tuple[Any, ...]:
        """Call a method of systemd's manager. Raises BusError."""
        about = Member(_ROOT, _MANAGER, method)
        return await self._asked(lambda bus: bus.call(about, signature, *args, limit_s=limit_s))

    async def load(self, unit: str) -> str:
        """The unit's object path; systemd reads its files if it has not yet. Raises BusError."""
        (path,) = await self.call("LoadUnit", "s", unit)
        return str(path)

    async def properties(self, unit: str) -> Properties:
        """All properties of the unit, with those of its own type, as they are now. Raises BusError."""
        path = await self.load(unit)
        return await self._asked(lambda bus: self._read(bus, path))

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

    async def start_transient(
        self,
        unit: str,
        properties: list[tuple[str, tuple[str, Any]]],
        *,
        is_wanted: Callable[[Properties], bool] = lambda known: True,
    ) -> None:
        """Make a unit that lives only in memory, and queue its start. One that is there still is started as it is, if that is wanted;
        else this waits until systemd forgets it: the caller has a deadline. Raises BusError.
        """
        while True:
            try:
                await self.call("StartTransientUnit", "ssa(sv)a(sa(sv))", unit, "replace", properties, [])
                return
            except BusError as error:
                if error.name != f"{SYSTEMD}.UnitExists":
                    raise
            if is_wanted(await self.properties(unit)):
                await self.start(unit)
                return
            await asyncio.sleep(_FORGOTTEN_S)

    async def set_properties(self, unit: str, properties: list[tuple[str, tuple[str, Any]]]) -> None:
        """Bring these to a unit that runs, until it is forgotten. Raises BusError."""
        await self.call("SetUnitProperties", "sba(sv)", unit, True, properties)

    async def _reload(self) -> None:
        await self.call("Reload", limit_s=RELOAD_LIMIT_S)

    async def _waiting_for_pid_files(self) -> list[str]:
        (units,) = await self.call("ListUnitsFiltered", "as", ["activating"])
        services = [str(unit[0]) for unit in units if str(unit[0]).endswith(".service")]
        return [unit for unit in services if waits_for_pid_file(await self.properties(unit))]

    @asynccontextmanager
    async def watch(self, unit: str, *, for_long: bool = False) -> AsyncIterator[Watch]:
        """Follow one unit. Raises BusError if systemd cannot be reached at the start; later losses are only told."""
        watch = Watch(unit, for_long=for_long, detection=self.detection)
        self._watches.add(watch)
        try:
            await self._asked(lambda bus: self._attach(bus, watch))
            yield watch
        finally:
            self._watches.discard(watch)
            # What lives in memory only is made anew at each start, and cannot be while it is kept.
            self._detach(watch, at_once=watch.properties.get("Transient", True))

    async def refresh(self, watch: Watch) -> None:
        """Read the unit's properties now, whatever signals have said. Raises BusError."""
        await self._asked(lambda bus: self._look_at(bus, watch))

    async def close(self) -> None:
        ours = [*self._asking, *([self._reviving] if self._reviving is not None else [])]
        for task in ours:
            task.cancel()
        await asyncio.gather(*ours, return_exceptions=True)
        bus, self._bus = self._bus, None
        if bus is not None:
            bus.close()

    # Connection

    async def _asked(self, ask: Callable[[Bus], Awaitable[T]]) -> T:
        """Once more where systemd went away with the question: it restarts itself at an upgrade, and is back in a moment."""
        until_s = clock_s() + _BACK_S
        while True:
            try:
                return await ask(await self._connected())
            except BusError as error:
                if error.name not in _WENT_AWAY or clock_s() >= until_s:
                    raise
            await asyncio.sleep(_LOOK_AGAIN_S)

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
            # One rule for all units: the bus allows 512 a connection.
            await bus.listen(Member("", _PROPERTIES, "PropertiesChanged"), self._on_properties)
            await bus.call(Member(_ROOT, _MANAGER, "Subscribe"))
        except BaseException:
            bus.close()
            raise
        self._kept = Kept(lambda path, method: bus.post(Member(path, UNIT, method)))
        return bus

    def _lost(self) -> None:
        self._bus = None
        self._revive(CONNECTION_GONE)

    def _on_properties(self, path: str, contents: Contents) -> None:
        if path in self._at:
            signal = contents()
            for watch in self._at[path]:
                watch.on_signal(signal)

    def _on_owner(self, _path: str, contents: Contents) -> None:
        name, _old, new = contents()
        if name != SYSTEMD:
            return
        if not new:
            self._mark_lost("systemd is restarting itself")
        else:
            self._revive("systemd has restarted itself")

    def _on_reloading(self, _path: str, contents: Contents) -> None:
        (active,) = contents()
        if not active:
            self._revive("")

    def _on_job(self, _path: str, contents: Contents) -> None:
        _number, path, unit = contents()
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

    def _on_job_over(self, _path: str, contents: Contents) -> None:
        _number, _job, unit, *_ = contents()
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
                # Those first that nothing is known of: this may begin anew at any moment.
                for watch in sorted(self._watches, key=lambda one: not one.lost):
                    await self._attach(bus, watch)
                return
            except BusError as error:
                self._mark_lost(f"systemd cannot be reached: {error}")
                await asyncio.sleep(_RETRY_S)

    # Watches

    async def _attach(self, bus: Bus, watch: Watch) -> None:
        (path,) = await bus.call(Member(_ROOT, _MANAGER, "LoadUnit"), "s", watch.unit)
        if watch not in self._watches:
            return  # it has ended meanwhile
        if path != watch.path:
            self._detach(watch, at_once=True)
            watch.path = path
            self._at[path].add(watch)
        # Answered before whatever is asked next.
        if self._kept and watch.kept is not self._kept:
            watch.kept = self._kept if self._kept.keep(path, only_watched=watch.for_long) else None
        await self._look_at(bus, watch)
        watch.lost = ""
        watch.ring()

    def _detach(self, watch: Watch, *, at_once: bool) -> None:
        self._at[watch.path].discard(watch)
        if not self._at[watch.path]:
            del self._at[watch.path]
        if watch.kept is not None:
            watch.kept.release(watch.path, at_once=at_once)
            watch.kept = None

    async def _look_at(self, bus: Bus, watch: Watch) -> None:
        """What came while the answer was on its way may be newer than the answer: then it is asked once more."""
        for _ in range(_LOOKS):
            told = watch.signals
            watch.properties = await self._read(bus, watch.path)
            if watch.signals == told:
                return

    async def _get(self, path: str, interface: str, name: str) -> str:
        bus = await self._connected()
        (found,) = await bus.call(Member(path, _PROPERTIES, "Get"), "ss", interface, name)
        return str(found[1])

    async def _read(self, bus: Bus, path: str) -> Properties:
        # An empty interface name asks for all of them: the unit's and those of its type.
        (found,) = await bus.call(Member(path, _PROPERTIES, "GetAll"), "s", "")
        return plain(found)
