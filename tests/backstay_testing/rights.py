"""Objects as a person with every right reads and writes them in the simulator's world, and what can befall them past all rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from backstay_api.client.api import EventType
from backstay_api.memory.server import Change
from backstay_api.objects.kinds import Kind, Raw
from backstay_api.objects.object_kinds import HOST_LEASES
from backstay_dev.simulator.processes import SimulationLoop
from backstay_dev.simulator.shapes import NAMESPACE
from backstay_dev.simulator.world import World

T = TypeVar("T")

PERSON = "a person"


class Rights:
    """Everything that may be done to an object, now: no time passes."""

    loop: SimulationLoop
    real: World

    def do(self, call: Callable[[], T]) -> T:
        """Now, whoever is in the middle of what."""

        async def now() -> T:
            return call()

        return self.loop.run_until_complete(now())

    def get(self, kind: Kind[Any], name: str) -> Raw | None:
        return self.real.get(kind, self._key(kind, name))

    def must(self, kind: Kind[Any], name: str) -> Raw:
        found = self.get(kind, name)
        assert found is not None, f"there is no {kind.kind} {name}"
        return found

    def create(self, kind: Kind[Any], body: Raw) -> None:
        body = {"apiVersion": kind.api_version, "kind": kind.kind, **body}
        self.do(lambda: self.real.cluster.create(kind, body["metadata"].get("namespace", ""), body, actor=PERSON))

    def edit(self, kind: Kind[Any], name: str, *, status: Raw | None = None, **parts: Any) -> None:
        """A merge patch of the object, or of its status."""
        key, cluster = self._key(kind, name), self.real.cluster
        if parts:
            self.do(lambda: cluster.patch(kind, key, parts, actor=PERSON))
        if status is not None:
            self.do(lambda: cluster.patch(kind, key, {"status": status}, subresource="status", actor=PERSON))

    def delete(self, kind: Kind[Any], name: str) -> None:
        self.do(lambda: self.real.cluster.delete(kind, self._key(kind, name), actor=PERSON))

    def _key(self, kind: Kind[Any], name: str) -> tuple[str, str]:
        return ("backstay-hosts" if kind is HOST_LEASES else NAMESPACE if kind.namespaced else "", name)

    # --- past all rules ---------------------------------------------------------------------------------------------------

    def strip(self, kind: Kind[Any], name: str) -> None:
        """Somebody takes our finalizer away, or restores the object without it."""
        self.real.monitor.stripped.add(self.must(kind, name)["metadata"]["uid"])
        self.edit(kind, name, metadata={"finalizers": None})

    def delete_by_force(self, kind: Kind[Any], name: str) -> None:
        self.strip(kind, name)
        self.delete(kind, name)

    def when(self, kind: Kind[Any], is_so: Callable[[Raw], object], call: Callable[[], object]) -> None:
        """At the very write with which something is so for the first time, before anybody learns of it."""

        def note(change: Change) -> None:
            if is_so(change.body):
                self.real.cluster.ignore(note, kind)
                call()

        self.real.cluster.observe(note, kind)

    def restore(self, kind: Kind[Any], body: Raw) -> None:
        """etcd is restored, and no rule is asked."""
        name, cluster = body["metadata"]["name"], self.real.cluster
        self.do(lambda: cluster._commit(kind, EventType.MODIFIED, body, self.must(kind, name), PERSON))

    def upgrade(self, kind: Kind[Any]) -> None:
        """The CRD of this kind is of a later version: it takes what we know nothing of."""
        self.real.cluster._tables[kind.resource].rules.clear()
