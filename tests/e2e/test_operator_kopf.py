"""kopf as the watcher, on a real API server: it alone keeps the cache, through the death of the server and its own."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backstay_api.client.http import HttpApi
from backstay_api.client.kubeconfig import load
from backstay_api.objects.models import ALL_OBJECTS
from backstay_api.objects.object_kinds import ALL_KINDS, OWN_KINDS
from backstay_dev.lab.controlplane import ControlPlane, free_port
from backstay_dev.lab.shell import wait_until
from backstay_operator.control.counters import Counters
from backstay_operator.control.watch.cache import Cache
from backstay_operator.control.watch.informers import Informers, Resync
from backstay_operator.control.watch.kopf_watch import KopfWatch

pytestmark = pytest.mark.api

REPOSITORY = Path(__file__).parents[2]
NAMESPACE = "watch"


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> ControlPlane:
    files = [argument for kind in ALL_OBJECTS for argument in ("-f", str(REPOSITORY / f"crds/{kind.plural}.yaml"))]
    control_plane.kubectl("apply", "--server-side", *files)
    for kind in ALL_OBJECTS:
        control_plane.kubectl("wait", "--for=condition=Established", f"crd/{kind.plural}.backstay.dev")
    for name in (NAMESPACE, "backstay-system", "backstay-hosts"):
        if name not in control_plane.kubectl("get", "namespaces", "-o", "name"):
            control_plane.kubectl("create", "namespace", name)
    return control_plane


def apply(plane: ControlPlane, name: str, unit: str = "web.service", address: str = "") -> None:
    resources: list[dict[str, Any]] = [{"name": "unit", "systemd": {"unit": unit}}]
    if address:
        resources.append({"name": "address", "virtualIP": {"address": address}})
    spec = {"resources": resources}
    meta = {"name": name, "namespace": NAMESPACE}
    body = {"apiVersion": "backstay.dev/v1alpha1", "kind": "HAService", "metadata": meta, "spec": spec}
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))


@dataclass
class Listening:
    cache: Cache
    watch: KopfWatch
    counters: Counters

    def unit(self, name: str) -> str | None:
        service = self.cache.world.services.get(f"{NAMESPACE}/{name}")
        systemd = service.spec.resources[0].systemd if service else None
        return systemd.unit if systemd else None


@asynccontextmanager
async def by_kopf_alone(plane: ControlPlane) -> AsyncIterator[Listening]:
    """A watcher whose own informers watch nothing."""
    config, rng = load(path=str(plane.admin_kubeconfig)), random.Random(0)
    api = HttpApi(config, rng=rng)
    cache = Cache(clock=asyncio.get_running_loop().time, wall=lambda: "2026-03-01T12:00:00Z")
    resync = Resync(api, cache, rng=rng)
    for kind in OWN_KINDS:
        assert await resync.once(kind)
    cache.note_listed(ALL_KINDS[-1])
    counters = Counters()
    watch = KopfWatch(config, cache, Informers(api, cache, [], rng=rng), counters, rng=rng, warm_up_s=0)
    running = asyncio.create_task(watch.run())
    try:
        yield Listening(cache, watch, counters)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await api.close()


async def until(said: Callable[[], bool], *, limit_s: float = 20.0) -> float:
    clock = asyncio.get_running_loop()
    begun_s = clock.time()
    async with asyncio.timeout(limit_s):
        while not said():
            await asyncio.sleep(0.01)
    return clock.time() - begun_s


def test_kopf_tells_of_new_changed_and_deleted_objects_and_writes_nothing(plane: ControlPlane) -> None:
    async def story() -> None:
        async with by_kopf_alone(plane) as seen:
            apply(plane, "one")
            await until(lambda: seen.unit("one") == "web.service")
            apply(plane, "one", "other.service")
            await until(lambda: seen.unit("one") == "other.service")
            stored = json.loads(plane.kubectl("get", "haservice", "one", "-n", NAMESPACE, "-o", "json"))
            assert "finalizers" not in stored["metadata"] and "status" not in stored
            assert list(stored["metadata"]["annotations"]) == ["kubectl.kubernetes.io/last-applied-configuration"]
            plane.kubectl("delete", "haservice", "one", "-n", NAMESPACE)
            await until(lambda: seen.unit("one") is None)

    asyncio.run(story())


def test_kopf_tells_again_soon_after_the_api_server_has_been_away(plane: ControlPlane) -> None:
    async def story() -> None:
        async with by_kopf_alone(plane) as seen:
            apply(plane, "before")
            await until(lambda: seen.unit("before") is not None)
            plane.kill_apiserver()
            await asyncio.sleep(5)  # an outage is made of time
            await asyncio.to_thread(plane.start_apiserver)
            await asyncio.to_thread(apply, plane, "after")
            took_s = await until(lambda: seen.unit("after") is not None, limit_s=10)
            print(f"seen {took_s:.2f} s after it was written")
            assert seen.counters.kopf_restarts == 0, "it has waited, not died"

    asyncio.run(story())


# --- the process -----------------------------------------------------------------------------------------------------


def ask(port: int, path: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        text = error.read()
    except OSError as error:
        return {"ok": False, "why": str(error)}
    found: dict[str, Any] = json.loads(text)
    return found


def said(plane: ControlPlane) -> list[tuple[str, str]]:
    """What Events of the test's namespace are about, and their reasons."""
    events = json.loads(plane.kubectl("get", "events.v1.events.k8s.io", "-n", NAMESPACE, "-o", "json"))["items"]
    return [(each["regarding"]["name"], each["reason"]) for each in events]


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "backstay_operator.main", *options]


def environment() -> dict[str, str]:
    roots = ":".join(str(REPOSITORY / root) for root in ("crds", "operator"))
    return {**os.environ, "PYTHONPATH": roots}


def test_the_process_gets_ready_takes_care_of_a_new_service_and_ends_when_asked(plane: ControlPlane) -> None:
    port = free_port()
    options = ["--kubeconfig", str(plane.admin_kubeconfig), "--health-host", "127.0.0.1", "--health-port", str(port)]
    process = subprocess.Popen(command(*options), env=environment())
    try:
        wait_until(lambda: ask(port, "/readyz").get("ok") is True, what="the operator is ready", timeout_s=20)
        apply(plane, "mine", address="192.0.2.77/24")
        wait_until(
            lambda: "mine-0" in plane.kubectl("get", "hainstances", "-n", NAMESPACE, "-o", "name"),
            what="it has an instance",
            timeout_s=20,
        )
        holder = plane.kubectl(
            "get", "lease", "backstay-operator", "-n", "backstay-system", "-o", "jsonpath={.spec.holderIdentity}"
        )
        assert holder
        wait_until(lambda: said(plane) == [("mine", "Claimed")], what="an Event says what was claimed", timeout_s=10)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_without_a_usable_kubeconfig_it_says_what_is_missing() -> None:
    ended = subprocess.run(
        command("--kubeconfig", "/nonexistent/config"), env=environment(), capture_output=True, text=True, timeout=30
    )
    assert ended.returncode == 2 and "no usable kubeconfig" in ended.stderr
