"""What deciding costs, in seconds of CPU: the planner by itself, in worlds of many hosts and services that live in memory alone.

Beside it stands what Pacemaker's scheduler needs for as many nodes and resources, where `crm_simulate` is installed (pacemaker-cli-utils).
"""

from __future__ import annotations

import gc
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAService, Host
from backstay_operator.planner import offline, whatif
from backstay_operator.planner.actions import WriteHostStatus, WriteServiceStatus
from backstay_operator.planner.know.world import World
from backstay_operator.planner.plan import Plan, plan

from .bench_many import Found

SIZES: Final = ((10, 100), (32, 1000))
POOLS: Final = ((200, 2000),)
"""The same where each service selects one pool of hosts."""
POOL: Final = 10
"""Hosts in one."""
RUNS: Final = 5
_DEVICE: Final = {"levels": [{"name": "power", "devices": [{"name": "bmc", "agent": "fence_redfish"}]}]}
_TESTED: Final = {"ready": True, "checkedAt": "2026-01-01T00:00:00Z"}


def hosts(count: int) -> Iterator[Host]:
    """Alike, with a device each, in eight racks."""
    for number in range(count):
        meta = {"name": f"n{number:04}", "labels": {"rack": f"r{number % 8}"}}
        yield Host.from_wire({"metadata": meta, "spec": {"fencing": _DEVICE}, "status": {"fencing": _TESTED}})


def services(count: int) -> Iterator[HAService]:
    """One unit each, that any host may run."""
    for number in range(count):
        name = f"s{number:05}"
        spec: Raw = {"resources": [{"name": "main", "systemd": {"unit": f"{name}.service"}}]}
        yield HAService.from_wire({"metadata": {"name": name, "namespace": "default"}, "spec": spec})


def empty(host_count: int, service_count: int) -> World:
    """Live hosts, and services that nobody has ever planned."""
    return offline.as_if_running(hosts(host_count), services(service_count), ())


def in_pools(world: World, size: int = POOL) -> World:
    """The same, but each service may run on one pool of hosts alone, every pool as many."""
    pools = max(1, len(world.hosts) // size)
    for number, host in enumerate(list(world.hosts.values())):
        meta = host.metadata.model_copy(update={"labels": {"pool": f"p{number % pools}"}})
        world.put_host(host.model_copy(update={"metadata": meta}))
    for number, service in enumerate(list(world.services.values())):
        raw = service.wire()
        placement = {"hosts": {"matchLabels": {"pool": f"p{number % pools}"}}}
        world.put_service(HAService.from_wire({**raw, "spec": {**raw["spec"], "placement": placement}}))
    return world


def settled(world: World) -> World:
    """The same when all runs and everything is told: a plan has nothing to do."""
    whatif.outcome(world, {})
    while told := [one for one in plan(world).actions if isinstance(one, WriteServiceStatus | WriteHostStatus)]:
        for action in told:
            tell(world, action)
    return world


def tell(world: World, action: WriteServiceStatus | WriteHostStatus) -> None:
    """As if the API server had taken it."""
    if isinstance(action, WriteServiceStatus):
        world.put_service(action.before.model_copy(update={"status": action.status}))
        return
    raw = action.before.wire()
    read = Host.from_wire({**raw, "status": {**raw.get("status", {}), **action.status}})
    world.put_host(action.before.model_copy(update={"status": read.status}))


def figures(progress: Callable[[str], None]) -> Iterator[Found]:
    """All of them. As in the operator, no full search for garbage falls into a plan."""
    gc.collect()
    gc.disable()
    try:
        for host_count, service_count in SIZES:
            progress(f"{host_count} hosts, {service_count} services")
            yield from _figures(f"{host_count} hosts x {service_count} services", empty(host_count, service_count))
            if (alone_s := pacemaker_s(host_count, service_count)) is not None:
                title = f"floor: crm_simulate, {host_count} nodes x {service_count} resources"
                yield Found(title, "s of CPU", [alone_s])
        for host_count, service_count in POOLS:
            progress(f"{host_count} hosts, {service_count} services in pools of {POOL}")
            title = f"{host_count} hosts x {service_count} services in pools of {POOL}"
            yield from _figures(title, in_pools(empty(host_count, service_count)))
        yield Found("planner: memory of the process, at most", "MiB", [_peak_mib()], aim=400)
    finally:
        gc.enable()


def _figures(size: str, world: World) -> Iterator[Found]:
    title = f"planner, {size}"
    yield Found(
        f"{title}: from empty, all plans until all run", "s of CPU", [_cpu_s(lambda: whatif.outcome(world, {}))]
    )
    settled(world)
    yield Found(f"{title}: nothing is kept", "s of CPU", [_cpu_s(lambda: _from_nothing(world)) for _ in range(RUNS)])
    yield Found(f"{title}: nothing has changed", "s of CPU", [_cpu_s(lambda: plan(world)) for _ in range(RUNS)])
    after = [_cpu_s(lambda: plan(world)) for number in range(RUNS) if _edit(world, number)]
    yield Found(f"{title}: one service was edited", "s of CPU", after)
    lost = [_cpu_s(lambda: plan(world)) for number in range(RUNS) if _fall_silent(world, number)]
    yield Found(f"{title}: one more host fell silent", "s of CPU", lost)


def _from_nothing(world: World) -> Plan:
    world.kept.clear()
    return plan(world)


def _edit(world: World, number: int) -> bool:
    known = world.services[f"default/s{number:05}"]
    meta = known.metadata.model_copy(update={"generation": (known.metadata.generation or 0) + 1})
    spec = known.spec.model_copy(update={"placement": known.spec.placement.model_copy(update={"priority": 1})})
    world.put_service(known.model_copy(update={"metadata": meta, "spec": spec}))
    return True


def _fall_silent(world: World, number: int) -> bool:
    name = f"n{number:04}"
    world.leases[name] = replace(world.leases[name], first_seen_s=world.now_s - 60)
    return True


def _cpu_s(what: Callable[[], object]) -> float:
    begun_s = time.process_time()
    what()
    return time.process_time() - begun_s


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# --- Pacemaker -------------------------------------------------------------------------------------------------------


def pacemaker_s(nodes: int, resources: int) -> float | None:
    """CPU seconds of one run of its scheduler over a cluster in which nothing runs yet; None where it is not installed."""
    program = shutil.which("crm_simulate", path="/usr/sbin:/usr/bin")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        cib = Path(folder) / "cib.xml"
        cib.write_text(_cib(nodes, resources))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([program, "--run", "--xml-file", cib], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _cib(nodes: int, resources: int) -> str:
    named = "".join(f'<node id="{n}" uname="n{n:04}"/>' for n in range(1, nodes + 1))
    primitives = "".join(
        f'<primitive id="s{n:05}" class="ocf" provider="heartbeat" type="Dummy"/>' for n in range(resources)
    )
    states = "".join(
        f'<node_state id="{n}" uname="n{n:04}" in_ccm="true" crmd="online" join="member" expected="member">'
        f'<lrm id="{n}"><lrm_resources/></lrm></node_state>'
        for n in range(1, nodes + 1)
    )
    said = {
        "stonith-enabled": "false",
        "enable-startup-probes": "false",
    }  # a probe of each on each node is not deciding
    options = "".join(f'<nvpair id="{name}" name="{name}" value="{value}"/>' for name, value in said.items())
    return (
        '<cib validate-with="pacemaker-3.0" admin_epoch="0" epoch="1" num_updates="0" have-quorum="1">'
        f'<configuration><crm_config><cluster_property_set id="o">{options}</cluster_property_set></crm_config>'
        f"<nodes>{named}</nodes><resources>{primitives}</resources><constraints/></configuration><status>{states}</status></cib>"
    )
