"""All that is real: etcd and kube-apiserver, the chart in them, operator and fencer as processes; and beside them the fleet, which is not."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from backstay_api.client.errors import AlreadyExists
from backstay_api.client.http import HttpApi
from backstay_api.client.transport import ApiConfig
from backstay_api.objects.kinds import Raw, unread
from backstay_api.objects.lease import NAMESPACE as HOSTS_NAMESPACE
from backstay_api.objects.models import ALL_OBJECTS
from backstay_api.objects.names import SYSTEM_NAMESPACE, agent_account
from backstay_api.objects.object_kinds import HA_SERVICES
from backstay_cli.enrol import wanted_for
from backstay_dev.lab.controlplane import ControlPlane, free_port
from backstay_dev.lab.product import CHART, RELEASE
from backstay_dev.lab.shell import PYTHONPATH, REPOSITORY, Child, Progress, spawn_python

from . import lives, power
from .lives import Line
from .power import Power

AT_ONCE: Final = 16
"""Requests of the bench side by side, while it puts hosts and services there."""
POOL: Final = "pool"
"""Label of a host by which services select it."""


@dataclass(frozen=True)
class Size:
    """How much there is of everything."""

    hosts: int = 200
    services: int = 2000
    pool: int = 10
    """Hosts that one service may run on."""
    profile: str = "default"
    """Heartbeat of the hosts."""
    losses: int = 3
    """Hosts that lose their power, one after another."""
    idle_s: float = 30.0
    quiet_s: float = 5.0
    """No status has changed for so long: what was begun is over."""

    @property
    def title(self) -> str:
        return f"{self.hosts} hosts x {self.services} services"

    @property
    def host_names(self) -> list[str]:
        return [f"n{number:04}" for number in range(self.hosts)]

    @property
    def pools(self) -> int:
        return -(-self.hosts // self.pool)


@dataclass
class Site:
    """The control plane, and what runs against it."""

    plane: ControlPlane
    state: Path
    size: Size
    children: dict[str, Child] = field(default_factory=dict)
    health_port: int = 0

    @property
    def power(self) -> Power:
        return Power(self.state / "power")

    @property
    def pids(self) -> dict[str, int]:
        """Of everything whose costs are of interest."""
        return {name: child.pid for name, child in {**self.plane.children, **self.children}.items()}

    @property
    def lives(self) -> list[Line]:
        return lives.read(self.state / "lives")

    def api(self) -> HttpApi:
        """As the administrator."""
        return HttpApi(
            ApiConfig(servers=(self.plane.url,), ca_file=str(self.plane.ca_file), token=lambda: self.plane.admin_token),
            rng=random.Random(),
        )

    def operator_says(self) -> str:
        """Its metrics."""
        with urlopen(f"http://127.0.0.1:{self.health_port}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    # Putting it up

    def install(self) -> None:
        self.plane.helm(
            *("install", RELEASE, CHART, "--namespace", SYSTEM_NAMESPACE, "--create-namespace"),
            *("--set", "image.registry=scale.invalid"),
        )
        names = [f"crd/{kind.plural}.backstay.dev" for kind in ALL_OBJECTS]
        self.plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", *names)
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOSTS_NAMESPACE}}
        with suppress(Exception):
            self.plane.request("POST", "/api/v1/namespaces", body)

    async def enrol(self, api: HttpApi) -> None:
        """What `backstay host add` makes, for each; and its token, as an admin would put it on the host."""
        await side_by_side(_enrolling(api, number, name, self.size) for number, name in enumerate(self.size.host_names))
        tokens = {}
        for name in self.size.host_names:
            account = agent_account(name)
            tokens[name] = await asyncio.to_thread(self.plane.token_for, HOSTS_NAMESPACE, account, secret=account)
        told = {"server": self.plane.url, "ca_file": str(self.plane.ca_file), "power": str(self.power.folder)}
        file = self.state / "fleet.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps({**told, "tokens": tokens}))

    def start(self) -> None:
        """Operator, fencer, and all agents."""
        self.power.folder.mkdir()
        (self.state / "lives").touch()
        self.health_port = free_port()
        health = ("--health-host", "127.0.0.1", "--health-port", str(self.health_port))
        often = ("--identity", "operator", "--fence-budget", "1000", "--fence-pause", "0")
        self._run("operator", "backstay_operator.main", *self._as("operator"), *health, *often)
        self._run("fencer", "backstay_dev.scale.fake_fencer", *self._as("fencer"), "--power", str(self.power.folder))
        self._run("fleet", "backstay_dev.scale.fleet", str(self.state / "fleet.json"), str(self.state / "lives"))

    def stop(self) -> None:
        for child in reversed(self.children.values()):
            with suppress(OSError):
                child.kill()

    def _as(self, role: str) -> tuple[str, str]:
        return "--kubeconfig", str(self.plane.kubeconfig_for(SYSTEM_NAMESPACE, f"{RELEASE}-{role}"))

    def _run(self, name: str, module: str, *arguments: str) -> None:
        roots = os.pathsep.join((PYTHONPATH, str(REPOSITORY / "node-agent")))
        self.children[name] = spawn_python(name, module, arguments, self.state, env={"PYTHONPATH": roots})


@contextmanager
def site(size: Size, state: Path, progress: Progress) -> Iterator[Site]:
    """Everything up, and hosts known; nothing is left of it but the files in `state`."""
    with ControlPlane(state / "control-plane", progress=progress) as plane:
        found = Site(plane, state, size)
        try:
            found.install()
            yield found
        finally:
            found.stop()


async def side_by_side(steps: Iterable[Awaitable[object]]) -> None:
    """All, some at once."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(step: Awaitable[object]) -> None:
        async with room:
            await step

    async with asyncio.TaskGroup() as tasks:
        for step in steps:
            tasks.create_task(one(step))


async def _enrolling(api: HttpApi, number: int, name: str, size: Size) -> None:
    labels = {POOL: f"p{number // size.pool}"}
    for wanted in wanted_for(name, labels=labels, fencing=power.device(name), heartbeat=size.profile):
        body = wanted.kind.to_wire(wanted.body)
        with suppress(AlreadyExists):
            await api.create(wanted.kind, body, body["metadata"].get("namespace", ""))


async def load(api: HttpApi, size: Size) -> None:
    """All services, a unit each, every pool as many."""
    await side_by_side(_creating(api, body) for body in services(size))


async def _creating(api: HttpApi, service: Raw) -> None:
    await api.create(unread(HA_SERVICES), service, "default")


def services(size: Size) -> Sequence[dict[str, Any]]:
    """Their manifests."""
    return [_service(number, f"p{number % size.pools}") for number in range(size.services)]


def _service(number: int, pool: str) -> Raw:
    name = f"s{number:05}"
    return {
        "apiVersion": "backstay.dev/v1alpha1",
        "kind": "HAService",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "placement": {"hosts": {"matchLabels": {POOL: pool}}},
            "resources": [{"name": "main", "systemd": {"unit": f"{name}.service"}}],
        },
    }
