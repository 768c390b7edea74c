"""Operator and fencer as processes with exactly the chart's identities, policies on, real agents on fake hosts: nothing is forbidden.

A service starts, its host is lost, a person confirms, it runs elsewhere, it is deleted. What each program asked the API
server for is held against its roles.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backstay_agent.agent import Agent, Machine, Settings
from backstay_agent.fake import FakeHostSystem, FakeMachine
from backstay_agent.join import exchange
from backstay_agent.store.disk import MemoryDisk
from backstay_api.client.api import Api
from backstay_api.client.http import ApiConfig, HttpApi
from backstay_api.generate.files import CHART, REPOSITORY
from backstay_api.objects import lease as leases
from backstay_api.objects.join_tokens import JoinToken
from backstay_api.objects.names import SYSTEM_NAMESPACE, join_secret
from backstay_api.objects.promise import PROFILES
from backstay_api.objects.rbac import FENCING_NAMESPACE, JOIN_TYPE, agent_account
from backstay_cli.enrol import wanted_for
from backstay_dev.lab.controlplane import ControlPlane
from backstay_dev.lab.shell import Child, LabError, spawn_python
from backstay_dev.rights.audit import Tally

pytestmark = pytest.mark.api

SERVICE = {
    "apiVersion": "backstay.dev/v1alpha1",
    "kind": "HAService",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "resources": [
            {"name": "server", "systemd": {"unit": "web.service"}},
            {"name": "address", "virtualIP": {"address": "192.0.2.10/24"}},
        ]
    },
}


CLASS = {
    "apiVersion": "backstay.dev/v1alpha1",
    "kind": "ServiceClass",
    "metadata": {"name": "all"},
    "spec": {"namespaces": ["*"], "allow": [{"units": ["web.service"]}, {"networks": ["192.0.2.0/24"]}]},
}


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    with ControlPlane(tmp_path) as plane:
        registry = ("--set", "image.registry=registry.example")
        plane.helm(
            "install", "backstay", REPOSITORY / CHART, "--namespace", SYSTEM_NAMESPACE, "--create-namespace", *registry
        )
        yield plane


@pytest.fixture
def programs(plane: ControlPlane, tmp_path: Path) -> Iterator[list[Child]]:
    def start(name: str, *arguments: str) -> Child:
        identity = plane.kubeconfig_for(SYSTEM_NAMESPACE, f"backstay-{name}")
        options = ["--kubeconfig", str(identity), *arguments]
        return spawn_python(name, f"backstay_{name}.main", options, tmp_path)

    running = [start("operator", "--health-port", "0"), start("fencer")]
    yield running
    for child in running:
        child.kill()


def test_a_service_lives_and_moves_and_nothing_is_forbidden(plane: ControlPlane, programs: list[Child]) -> None:
    asyncio.run(story(plane))
    tally = Tally()
    tally.take(plane)
    report = tally.report()
    assert report.missing == (), report.text()
    # Not in this story: a BMC that can be asked for `off`, an agent that has joined, which asks the server for its cluster, one that is asked
    # what a unit uses (`e2e/test_discover.py`), and a file that comes from a ConfigMap or a Secret (`contract/test_chart_on_server.py`, and
    # `e2e/test_editions.py`).
    expected = {
        "agent: get namespaces",
        "agent: list hostsurveys.backstay.dev",
        "agent: update hostsurveys/status.backstay.dev",
        "agent: watch hostsurveys.backstay.dev",
        "fencer: get fencerequests.backstay.dev",
        "fencer: get leases.coordination.k8s.io in backstay-hosts",
        "operator: get configmaps",
        "operator: get secrets in backstay-hosts",
        "operator: get secrets in backstay-system",
        "operator: patch secrets in backstay-hosts",
        "operator: patch secrets in backstay-system",
    }
    assert {str(need) for need in report.excess} <= expected, report.text()
    assert all(child.running for child in programs)


async def story(plane: ControlPlane) -> None:
    plane.kubectl(
        *("create", "secret", "generic", "bmc", "--namespace", FENCING_NAMESPACE),
        *("--from-literal=ip=127.0.0.1", "--from-literal=ipport=1"),
        *("--from-literal=username=u", "--from-literal=password=p"),
    )
    for name in ("n1", "n2"):
        enrol(plane, name)
    hosts = {name: FakeMachine() for name in ("n1", "n2")}
    apis = {name: api_of(plane, name) for name in hosts}
    await join(plane, apis["n1"], "n1")
    tasks = {name: asyncio.create_task(agent_of(apis[name], name, host).run()) for name, host in hosts.items()}
    await until("both hosts are ready", lambda: told(plane, "hosts", "Ready") == {"n1": "True", "n2": "True"})
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(CLASS))
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(SERVICE))
    await until("its class counts it", lambda: counted(plane) == {"all": (1, 0)})
    await until("it runs", lambda: told(plane, "haservices", "Ready").get("web") == "True")
    first = next(name for name, host in hosts.items() if host.running)
    other = "n2" if first == "n1" else "n1"

    tasks[first].cancel()
    await until("its host is to be fenced", lambda: fences(plane, "Off"))
    confirm(plane)
    await until("it runs elsewhere", lambda: hosts[other].running)

    plane.kubectl("delete", "haservice", "web", "--wait=false")
    await until("it is gone, with all that belonged to it", lambda: is_gone(plane))
    plane.kubectl("delete", "host", first)
    await until("nothing is left of a removed host", lambda: first not in told_of(plane))
    for task in tasks.values():
        task.cancel()
    await asyncio.wait(tasks.values())
    for api in apis.values():
        await api.close()


def counted(plane: ControlPlane) -> dict[str, tuple[int | None, int | None]]:
    """By class: its services, and how many it refuses."""
    found = {one["metadata"]["name"]: one.get("status", {}) for one in items(plane, "serviceclasses")}
    return {name: (status.get("services"), status.get("refused")) for name, status in found.items()}


def told_of(plane: ControlPlane) -> set[str]:
    """Hosts of which anything is left."""
    leases = json.loads(plane.kubectl("get", "leases", "--namespace", "backstay-hosts", "-o", "json"))["items"]
    left = [*leases, *items(plane, "hostassignments")]
    return {one["metadata"]["name"] for one in left}


# Nobody listens where its Secret says: this BMC never answers, so a person must say what they have seen.
BMC = {"name": "bmc", "agent": "fence_redfish", "secretRef": {"name": "bmc"}}


def enrol(plane: ControlPlane, name: str) -> None:
    for one in wanted_for(name, heartbeat="lab", fencing={"levels": [{"name": "bmc", "devices": [BMC]}]}):
        plane.kubectl("create", "-f", "-", stdin=json.dumps(one.kind.to_wire(one.body)))


async def join(plane: ControlPlane, api: Api, host: str) -> None:
    """As `backstay-agent join` does it: one machine claims the line, and ends it."""
    name, marks = join_secret(host), {"app.kubernetes.io/managed-by": "backstay"}
    secret = {"apiVersion": "v1", "kind": "Secret", "type": JOIN_TYPE, "metadata": {"name": name, "labels": marks}}
    plane.kubectl("create", "--namespace", leases.NAMESPACE, "-f", "-", stdin=json.dumps(secret))
    line = JoinToken(host, (plane.url,), plane.ca_file.read_text(), "the agent's own, here", "")
    await exchange.claim(api, line, f"machine-{host}")
    assert await exchange.own_token(api, host)
    assert await exchange.spend(api, host) == ""


def api_of(plane: ControlPlane, host: str) -> HttpApi:
    token = plane.token_for("backstay-hosts", agent_account(host))
    return HttpApi(
        ApiConfig(servers=(plane.url,), ca_file=str(plane.ca_file), token=lambda: token), rng=random.Random(1)
    )


def agent_of(api: Api, host: str, machine: FakeMachine) -> Agent:
    """The real agent. Nothing real runs on its host; cancelled, it is lost with it."""
    return Agent(
        api,
        MemoryDisk(),
        FakeHostSystem(machine),
        Machine(host=host, boot_id=f"boot-{host}", uuid=f"machine-{host}"),
        rng=random.Random(1),
        settings=Settings(contract=PROFILES["lab"], wall=lambda: "2026-01-01T00:00:00.000000Z"),
    )


async def until(what: str, holds: Callable[[], Any], *, timeout_s: float = 30.0) -> None:
    """Wait for a fact that a real server brings about."""
    try:
        async with asyncio.timeout(timeout_s):
            while not holds():
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"not within {timeout_s:g} s: {what}") from None


def items(plane: ControlPlane, plural: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = plane.request("GET", f"/apis/backstay.dev/v1alpha1/{plural}")["items"]
    return found


def told(plane: ControlPlane, plural: str, type_: str) -> dict[str, str]:
    """The status of one condition, by name of the object."""
    return {
        one["metadata"]["name"]: condition["status"]
        for one in items(plane, plural)
        for condition in one.get("status", {}).get("conditions", ())
        if condition["type"] == type_
    }


def fences(plane: ControlPlane, want: str) -> list[str]:
    return [one["metadata"]["name"] for one in items(plane, "fencerequests") if one["spec"]["want"] == want]


def confirm(plane: ControlPlane) -> None:
    (name,) = fences(plane, "Off")
    word = {"spec": {"confirm": {"by": "ann", "at": "2026-01-01T00:00:00Z", "reason": "pulled the plug"}}}
    patch = ("patch", "fencerequest", name, "--type=merge", f"--patch={json.dumps(word)}", "--as=ann")
    with pytest.raises(LabError, match="forbidden"):
        plane.kubectl(*patch, "--as-group=developers")
    plane.kubectl(*patch, "--as-group=backstay:fence-confirmers")


def is_gone(plane: ControlPlane) -> bool:
    return not any(items(plane, plural) for plural in ("haservices", "hainstances", "resourceclaims"))
