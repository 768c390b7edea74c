"""kopf as the watcher, and only that: it lists, watches, reconnects, and passes each event to the cache.

Nothing of kopf's state machine is used: `on.event` handlers write nothing, retry nothing and keep nothing (FACTS 1). It runs
in a thread with a loop of its own, for three reasons: when it ends it cancels every task of its loop; it wants the
process's signals; and importing it takes longer than a first plan, which would hold up the heartbeats.

So there is always a second watcher: our own informers watch the same kinds into the same cache until kopf is up, again
whenever kopf has died (it is started again), and for a while after each outage, since a stream that was cut off without
a word may stay silent for a minute before anybody can know. The cache takes what is newer, whoever says it.
"""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from backstay_api.client.informer import RetryPause
from backstay_api.client.transport import ApiConfig
from backstay_api.objects.kinds import Kind
from backstay_api.objects.object_kinds import OWN_KINDS
from backstay_api.process.waiting import clock_s, until
from backstay_operator.control.counters import Counters
from backstay_operator.control.watch.cache import Cache
from backstay_operator.control.watch.informers import Informers

if TYPE_CHECKING:
    import kopf

log = logging.getLogger(__name__)

OnEvent = Callable[[Kind[Any], Mapping[str, Any], bool], None]
"""Kind, raw object, and whether it was deleted. Called from kopf's thread."""

# The first plans are made before kopf's import takes the interpreter for half a second.
WARM_UP_S: Final = 3.0
# From "kopf knows its kinds" to "its lists are done": they are sent at once.
OVERLAP_S: Final = 5.0
# kopf takes a stream for dead after this much silence (bookmarks come every minute); so long both watch.
INACTIVITY_S: Final = 70.0
# Importing it and listing all kinds takes seconds; after so long nobody need wait to learn that it does not work.
SYNC_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 5.0
_CONNECT_TIMEOUT_S: Final = 3.0
_LIST_TIMEOUT_S: Final = 30.0
_RESTART: Final = RetryPause(0.5, 10.0)


class Endless:
    """Waits between kopf's attempts: short, and without an end. It must start anew for each request, so no generator."""

    def __iter__(self) -> Iterator[float]:
        yield 0.1
        yield 0.3
        while True:
            yield 1.0


class NotServed(Exception):
    """kopf cannot watch all our kinds; the message says which."""


class KopfWatch:
    """Keeps the cache by kopf, and by our own informers while kopf does not."""

    def __init__(
        self,
        config: ApiConfig,
        cache: Cache,
        own: Informers,
        counters: Counters,
        *,
        rng: random.Random,
        warm_up_s: float = WARM_UP_S,
    ) -> None:
        self._config = config
        self._cache = cache
        self._own = own
        self._counters = counters
        self._rng = rng
        self._warm_up_s = warm_up_s
        self._own_until_s = float("inf")
        self._changed = asyncio.Event()
        self._seen_s: dict[str, float] = {}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._run_informers(), name="own informers")
            if self._config.server_name:
                why = "the kubeconfig names a tls-server-name, which kopf cannot check"
                log.warning("kopf is not used", extra={"why": why})
            else:
                tasks.create_task(self._keep_kopf(), name="kopf")

    def recovered(self) -> None:
        """The way to the API server is back: for a while watch through new streams too."""
        self._own.recovered()
        if self._own_until_s != float("inf"):
            self._listen_until(clock_s() + INACTIVITY_S + OVERLAP_S)

    def seen_at_s(self) -> dict[str, float]:
        """By kind: when the server last told anything, by either way, on the loop's clock."""
        ours = self._own.seen_at_s()
        return {kind: max(self._seen_s.get(kind, 0.0), ours.get(kind, 0.0)) for kind in {*self._seen_s, *ours}}

    async def _keep_kopf(self) -> None:
        failures = 0
        await asyncio.sleep(self._warm_up_s)
        while True:
            # Kinds that are missing when kopf starts are never watched: our own first lists show that all are served.
            while self._cache.missing:
                await asyncio.sleep(1.0)
            began_s = clock_s()
            error = await self._run_kopf()
            failures = 1 if clock_s() - began_s > INACTIVITY_S else failures + 1
            self._listen_until(float("inf"))
            self._counters.kopf_restarts += 1
            wait_s = _RESTART.wait_s(failures, self._rng)
            if failures > 1:
                # Once may be the API server's doing; twice in a row is ours.
                self._counters.kopf_trouble = (
                    f"kopf does not run: it ended {failures} times in a row, last by {error!r:.300}"
                )
            log.warning("kopf ended", extra={"why": repr(error), "next_try_in_s": round(wait_s, 1)})
            await asyncio.sleep(wait_s)

    async def _run_kopf(self) -> BaseException | None:
        """One life of kopf, in a thread; what ended it."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[BaseException | None] = loop.create_future()

        def on_event(kind: Kind[Any], body: Mapping[str, Any], deleted: bool) -> None:
            loop.call_soon_threadsafe(self._observe, kind, body, deleted)

        def note_ready() -> None:
            too_late.cancel()
            self._counters.kopf_trouble = ""
            self._listen_until(clock_s() + OVERLAP_S)

        def ready() -> None:
            loop.call_soon_threadsafe(note_ready)

        def note_end(error: BaseException | None) -> None:
            if not ended.done():
                ended.set_result(error)

        def end(error: BaseException | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(note_end, error)

        too_late = loop.call_later(SYNC_S, self._note_late)
        life = KopfThread(self._config, on_event=on_event, ready=ready, end=end)
        life.start()
        try:
            return await asyncio.shield(ended)
        finally:
            too_late.cancel()
            life.stop()
            if not ended.done():
                try:
                    async with asyncio.timeout(_STOP_TIMEOUT_S):
                        await ended
                except TimeoutError:
                    log.warning("kopf did not stop in time", extra={"waited_s": _STOP_TIMEOUT_S})

    def _note_late(self) -> None:
        self._counters.kopf_trouble = f"kopf does not run: {SYNC_S:.0f} s after its start it has not listed our kinds"

    def _observe(self, kind: Kind[Any], body: Mapping[str, Any], deleted: bool) -> None:
        self._seen_s[kind.kind] = clock_s()
        self._cache.observe(kind, body, deleted=deleted)

    async def _run_informers(self) -> None:
        while True:
            self._changed.clear()
            if self._own_until_s <= clock_s():
                await self._changed.wait()
                continue
            async with asyncio.TaskGroup() as tasks:
                informers = tasks.create_task(self._own.run(), name="informers")
                await until(self._changed, self._own_until_s)
                informers.cancel()

    def _listen_until(self, at_s: float) -> None:
        self._own_until_s = at_s
        self._changed.set()


def name_ourselves() -> None:
    """kopf asks for the user's name at its start, and Python raises where the uid has none: so give it one."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = "backstay"


@dataclass
class KopfThread:
    """One kopf operator in a thread of its own."""

    config: ApiConfig
    on_event: OnEvent
    ready: Callable[[], None]
    end: Callable[[BaseException | None], None]
    _loop: asyncio.AbstractEventLoop | None = None
    _stop: asyncio.Event | None = None
    _is_stopped: bool = False

    def start(self) -> None:
        # A daemon: should kopf hang, it must not keep the process from ending.
        threading.Thread(target=self._live, name="kopf", daemon=True).start()

    def stop(self) -> None:
        """Ask it to end; may be called before it has begun, and again."""
        self._is_stopped = True
        if self._loop is not None and self._stop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)

    def _live(self) -> None:
        try:
            asyncio.run(self._operate())
        except BaseException as error:
            self.end(error)
        else:
            self.end(None)

    async def _operate(self) -> None:
        name_ourselves()
        import kopf
        from kopf._cogs.structs.references import Insights

        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        if self._is_stopped:
            return
        insights = Insights()
        watcher = asyncio.create_task(self._tell_when_ready(insights), name="ready")
        operator = kopf.operator(
            registry=make_registry(self.config, self.on_event),
            settings=make_settings(),
            insights=insights,
            clusterwide=True,
            standalone=True,
            stop_flag=self._stop,
        )
        try:
            await operator
            if watcher.done() and not watcher.cancelled():
                watcher.result()
        finally:
            watcher.cancel()

    async def _tell_when_ready(self, insights: Any) -> None:
        await insights.ready_resources.wait()
        watched = {resource.plural for resource in insights.watched_resources}
        if unserved := sorted({kind.plural for kind in OWN_KINDS} - watched):
            assert self._stop is not None
            self._stop.set()
            raise NotServed(f"not served by the API server when kopf started: {', '.join(unserved)}")
        self.ready()


def make_registry(config: ApiConfig, on_event: OnEvent) -> kopf.OperatorRegistry:
    """Our handlers, and no others: nothing is registered by import."""
    import kopf

    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def log_in(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(
            server=config.servers[0],
            ca_path=config.ca_file or None,
            token=config.authorization().removeprefix("Bearer ") or None,
            certificate_path=config.cert_file or None,
            private_key_path=config.key_file or None,
        )

    for kind in OWN_KINDS:
        kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id=f"watch-{kind.plural}")(
            _handler(kind, on_event)
        )
    return registry


def make_settings() -> kopf.OperatorSettings:
    """kopf without peers, Events, scans and give-ups."""
    import kopf

    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.networking.error_backoffs = Endless()
    settings.networking.connect_timeout = _CONNECT_TIMEOUT_S
    settings.networking.request_timeout = _LIST_TIMEOUT_S
    settings.watching.connect_timeout = _CONNECT_TIMEOUT_S
    settings.watching.inactivity_timeout = INACTIVITY_S
    # It would kill the process ten minutes after an unplanned end; we start it again instead.
    settings.process.ultimate_exiting_timeout = None
    return settings


def _handler(kind: Kind[Any], on_event: OnEvent) -> Callable[..., Any]:
    async def observe(event: Mapping[str, Any], **_: Any) -> None:
        on_event(kind, event["object"], event["type"] == "DELETED")

    return observe
