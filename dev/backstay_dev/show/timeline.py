"""When did what become true? Watches the objects of a failover as an administrator would and stamps each step.

The steps of one failover, in order: suspected (a FenceRequest exists), sealed (the Lease says so), proven (the request carries evidence),
granted (the HAInstance has a new epoch), ordered (the host's assignment says Up), started (the host reports Running). Times are
CLOCK_MONOTONIC, as the poller's: one kernel, one clock. Each stamp is late by the watch's own few milliseconds.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from backstay_api.client import kubeconfig
from backstay_api.client.api import Event
from backstay_api.client.http import HttpApi
from backstay_api.client.informer import Informer
from backstay_api.objects import kinds

STEPS: Final = ("suspected", "sealed", "proven", "granted", "ordered", "started")
_GROUP: Final = ("backstay.dev", "v1alpha1")


class Timeline:
    """Stamps for one instance, in a thread of its own."""

    def __init__(self, admin_kubeconfig: Path, instance: str) -> None:
        self._config = kubeconfig.from_kubeconfig(path=str(admin_kubeconfig), user_agent="backstay-bench")
        self._instance = instance
        self._stamps: list[tuple[str, float, str]] = []
        """Step, time, and what it was about (host, epoch)."""
        self._ready, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._watch()), daemon=True, name="timeline")

    def __enter__(self) -> Timeline:
        self._thread.start()
        self._ready.wait(20)
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(5)

    def breakdown(self, since_s: float, answered_s: float) -> dict[str, float]:
        """Seconds from the fault to each step that happened, and to the answer."""
        found: dict[str, float] = {}
        for step in STEPS:
            at_s = next((at for name, at, _ in self._stamps if name == step and since_s <= at <= answered_s + 1), None)
            if at_s is not None:
                found[step] = round(at_s - since_s, 4)
        return {**found, "answered": round(answered_s - since_s, 4)}

    async def _watch(self) -> None:
        api = HttpApi(self._config, rng=random.Random())
        watched: list[tuple[kinds.Kind[kinds.Raw], Callable[[Mapping[str, Any]], None]]] = [
            (kinds.raw(*_GROUP, "fencerequests", "FenceRequest", False), self._request),
            (kinds.LEASES, self._lease),
            (kinds.raw(*_GROUP, "hainstances", "HAInstance", True), self._grant),
            (kinds.raw(*_GROUP, "hostassignments", "HostAssignment", False), self._assignment),
        ]
        async with asyncio.TaskGroup() as tasks:
            running = []
            for kind, look in watched:
                informer = Informer(api, kind, rng=random.Random())
                running.append(tasks.create_task(informer.run(lambda event, look=look: _tell(look, event))))  # type: ignore[misc]
                await informer.synced.wait()
            self._ready.set()
            await asyncio.to_thread(self._stop.wait)
            for task in running:
                task.cancel()
        await api.close()

    def _stamp(self, step: str, about: str) -> None:
        if not any(name == step and what == about for name, _, what in self._stamps):
            self._stamps.append((step, asyncio.get_running_loop().time(), about))

    def _request(self, body: Mapping[str, Any]) -> None:
        about = body["metadata"]["uid"]
        self._stamp("suspected", about)
        if body.get("status", {}).get("evidence"):
            self._stamp("proven", about)

    def _lease(self, body: Mapping[str, Any]) -> None:
        if (body["metadata"].get("annotations") or {}).get("backstay.dev/sealed") == "true":
            self._stamp("sealed", f"{body['metadata']['name']} {body['spec'].get('holderIdentity')}")

    def _grant(self, body: Mapping[str, Any]) -> None:
        if body["metadata"]["name"] == self._instance and body["spec"].get("grant"):
            self._stamp("granted", f"{body['metadata']['uid']} {body['spec']['epoch']}")

    def _assignment(self, body: Mapping[str, Any]) -> None:
        host = body["metadata"]["name"]
        for entry in (body.get("spec", {}).get("instances") or {}).values():
            if entry["name"] == self._instance and entry["want"] == "Up":
                self._stamp("ordered", f"{host} {entry['epoch']}")
        for report in (body.get("status", {}).get("instances") or {}).values():
            if report["name"] == self._instance and report["phase"] == "Running":
                self._stamp("started", f"{host} {report['epoch']}")


def _tell(look: Callable[[Mapping[str, Any]], None], event: Event[kinds.Raw]) -> None:
    if event.type != "DELETED":
        look(event.object)
