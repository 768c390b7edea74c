"""What is measured, case by case: each makes one fault, waits for the answer, and says how long it took and where the time went."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from backstay_api.objects.names import instance_name
from backstay_dev.lab.hosts import LabHost
from backstay_dev.lab.lab import AGENT_CODE, Lab
from backstay_dev.lab.poller import Poller
from backstay_dev.lab.product import AGENT_UNIT, Product
from backstay_dev.lab.services import install_web
from backstay_dev.lab.shell import PYTHONPATH, REPOSITORY, LabError, call, wait_until
from backstay_dev.show import ocf_cost
from backstay_dev.show.timeline import Timeline

ADDRESS: Final = "192.0.2.100"
URL: Final = f"http://{ADDRESS}/"
MANIFEST: Final = REPOSITORY / "examples" / "web.yaml"
IDLE_S: Final = 20.0
RESTARTS_ALLOWED: Final = 3
"""In ten minutes, in place; one more moves the service (backstay_agent.core.patience)."""
BACK_OFF_S: Final = 4.0
"""A failure soon after another is answered a while after it, on purpose; each of so few is answered at once when this has passed."""


@dataclass(frozen=True)
class Sample:
    """One run."""

    value: float
    breakdown: dict[str, float] = field(default_factory=dict)


@dataclass
class Bench:
    """A lab with the product, one web service, one client, one timeline."""

    lab: Lab
    product: Product
    client: Poller
    timeline: Timeline

    @property
    def holder(self) -> str:
        return str(self.product.get("haservices", "web", "default").get("status", {}).get("host", ""))

    def settle(self) -> None:
        """Everything well again before the next fault: hosts Ready, the service answering, standbys ready."""
        self.lab.tidy()
        for name in self.lab.hosts:
            self.product.start_agent(name)
        self.product.wait_ready(timeout_s=60)
        wait_until(lambda: self._is_calm(), timeout_s=60, what="a calm lab", every_s=0.1)
        self.client.wait_for_answer()
        time.sleep(1.0)  # the last announcements of the address and the standbys' looks are under way: let them end

    def _is_calm(self) -> bool:
        ready = self.product.condition("haservices", "web", "Ready", "default") == "True"
        return ready and self.product.condition("haservices", "web", "StandbyReady", "default") == "True"


@contextmanager
def bench(progress: Callable[[str], None]) -> Iterator[Bench]:
    """Bring it all up once; the fence budget is lifted, or the third failover of an hour would be the last."""
    with Lab(3, progress=progress) as lab:
        product = Product(lab)
        _install(lab, product)
        product.start_operator("operator", "--fence-budget", "100000", "--fence-pause", "0")
        product.start_fencer()
        for name in lab.hosts:
            product.start_agent(name)
        product.wait_ready()
        lab.plane.kubectl("apply", "-f", str(MANIFEST))
        client = lab.poller(URL)
        with client.polling(), Timeline(lab.plane.admin_kubeconfig, instance_name("web")) as timeline:
            client.wait_for_answer(timeout_s=30)
            yield Bench(lab, product, client, timeline)


def _install(lab: Lab, product: Product) -> None:
    product.install()
    product.enrol()
    for host in lab.hosts.values():
        install_web(host)


# --- the cases -------------------------------------------------------------------------------------------------------


def process_killed(b: Bench) -> Sample:
    """SIGKILL of the main process, until the first question asked after it is answered by the same host."""
    b.settle()
    time.sleep(BACK_OFF_S)
    if _restarts(b) >= RESTARTS_ALLOWED:
        _move(b)  # the next failure would count as one too many here
        b.settle()
    host = b.holder
    inside = int(b.lab[host].run("systemctl", "show", "-P", "MainPID", "web.service"))
    pid = outer_pid(b.lab[host], inside)
    killed_s = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    return _answered(b, killed_s, by=host)


def power_lost(b: Bench) -> Sample:
    """The power button, until another host answers at the address."""
    b.settle()
    host, lost_s = b.holder, time.monotonic()
    b.lab[host].power_off()
    return _answered(b, lost_s, not_by=host)


def cut_off(b: Bench) -> Sample:
    """All of the host's traffic is dropped while it runs on: it must be powered off before another host may answer."""
    b.settle()
    host, cut_s = b.holder, time.monotonic()
    b.lab[host].cut_all()
    return _answered(b, cut_s, not_by=host)


def planned_move(b: Bench) -> Sample:
    """`backstay move`: the longest gap that the client sees."""
    b.settle()
    begun_s = time.monotonic()
    _move(b)
    time.sleep(0.3)  # so that a late gap is inside what is judged
    gap = b.client.longest_gap(begun_s)
    return Sample(gap.length_s, b.timeline.breakdown(gap.begin_s, gap.end_s))


def cold_start(progress: Callable[[str], None]) -> Sample:
    """A lab of its own: control plane and hosts are up, the manifest is applied, then everything of ours starts at once."""
    with Lab(3, progress=progress) as lab:
        product = Product(lab)
        _install(lab, product)
        lab.plane.kubectl("apply", "-f", str(MANIFEST))
        client = lab.poller(URL)
        with client.polling(), Timeline(lab.plane.admin_kubeconfig, instance_name("web")) as timeline:
            begun_s = time.monotonic()
            product.start()
            answer = client.wait_for_answer(after_s=begun_s, timeout_s=60)
            return Sample(answer.answered_s - begun_s, timeline.breakdown(begun_s, answer.answered_s))


def agent_memory(b: Bench) -> Sample:
    """PSS in MiB of the agent of the host that runs the service (one service, no probes)."""
    return Sample(pss_mib(_agent_pid(b)))


def agent_cpu(b: Bench) -> Sample:
    """CPU of the same agent while nothing happens, in per cent of a core."""
    pid = _agent_pid(b)
    return Sample(cpu_percent(pid))


def operator_memory(b: Bench) -> Sample:
    return Sample(pss_mib(b.product.operators["operator"].pid))


def operator_cpu(b: Bench) -> Sample:
    return Sample(cpu_percent(b.product.operators["operator"].pid))


def fencer_memory(b: Bench) -> Sample:
    return Sample(pss_mib(b.product.fencers["fencer"].pid))


def fencer_cpu(b: Bench) -> Sample:
    return Sample(cpu_percent(b.product.fencers["fencer"].pid))


# --- floors, measured in the same run ------------------------------------------------------------------------------------


def floor_unit_restart(b: Bench) -> Sample:
    """What systemd alone needs from SIGKILL by hand to a started unit: `systemctl restart` of a unit like it."""
    host = b.lab[b.holder]
    host.install_unit("floor.service", "[Service]\nExecStart=/bin/busybox httpd -f -p 81 -h /srv/www\n")
    host.run("systemctl", "start", "floor.service")
    begun_s = time.monotonic()
    host.run("systemctl", "restart", "floor.service")
    return Sample(time.monotonic() - begun_s)


def floor_fence_read(b: Bench) -> Sample:
    """One status read by the unchanged fence_redfish; a failover needs two of them, one after the other."""
    bmc = b.lab.bmcs["n3"]
    agent = "fence_redfish"
    told = {**bmc.parameters(agent), **bmc.secret(agent), "action": "status"}
    stdin = "".join(f"{key}={value}\n" for key, value in told.items())
    begun_s = time.monotonic()
    call(agent, stdin=stdin)
    return Sample(time.monotonic() - begun_s)


def ocf_monitor(b: Bench) -> Sample:
    """What we add to an OCF agent's monitor."""
    cost = _ocf_cost(b)
    return Sample(cost["by us"] - cost["by hand"], cost)


def floor_ocf_monitor(b: Bench) -> Sample:
    """The same agent, asked by hand in turn with us."""
    return Sample(_ocf_cost(b)["by hand"])


def _ocf_cost(b: Bench) -> dict[str, float]:
    """On a host where nothing of the service runs, in a unit as the agent's own one is."""
    host = b.lab[next(name for name in sorted(b.lab.hosts) if name != b.holder)]
    host.write_file("/opt/ocf_cost.py", Path(ocf_cost.__file__).read_text())
    unit = ("systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--property=Delegate=yes")
    found = host.run(*unit, f"--setenv=PYTHONPATH={AGENT_CODE}", "python3", "/opt/ocf_cost.py")
    return {name: float(value) for name, value in json.loads(found).items()}


# --- small tools -----------------------------------------------------------------------------------------------------


def _answered(b: Bench, since_s: float, *, by: str = "", not_by: str = "") -> Sample:
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        for answer in b.client.answers:
            name = answer.text.strip()
            if answer.asked_s > since_s and name and (not by or name == by) and name != not_by:
                return Sample(answer.answered_s - since_s, b.timeline.breakdown(since_s, answer.answered_s))
        time.sleep(0.02)
    raise LabError("nobody answered within 60 s")


def _move(b: Bench) -> None:
    host = b.holder
    _backstay(b, "move", "web", "-n", "default")
    wait_until(lambda: b.holder not in ("", host), timeout_s=30, what="the service elsewhere", every_s=0.05)
    b.client.wait_for_answer(by=b.holder)


def _restarts(b: Bench) -> int:
    reports = b.product.get("hostassignments", b.holder).get("status", {}).get("instances", {})
    return max((int(report.get("restarts", 0)) for report in reports.values()), default=0)


def _backstay(b: Bench, *arguments: str) -> None:
    environment = f"PYTHONPATH={PYTHONPATH}"
    kubeconfig = ("--kubeconfig", str(b.lab.plane.admin_kubeconfig))
    call("env", environment, sys.executable, "-m", "backstay_cli.main", *arguments, *kubeconfig)


def _agent_pid(b: Bench) -> int:
    host = b.lab[b.holder]
    return outer_pid(host, int(host.run("systemctl", "show", "-P", "MainPID", AGENT_UNIT)))


def outer_pid(host: LabHost, inside: int) -> int:
    """A process of a host, as the outer machine numbers it."""
    root = host.pid
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal() and _is_inside(int(entry.name), inside, root):
            return int(entry.name)
    raise LabError(f"process {inside} of {host.name} is not to be found")


def _is_inside(pid: int, inside: int, root: int | None) -> bool:
    try:
        same = os.stat(f"/proc/{pid}/ns/pid").st_ino == os.stat(f"/proc/{root}/ns/pid").st_ino
        with open(f"/proc/{pid}/status") as status:
            numbers = next(line for line in status if line.startswith("NSpid:")).split()[1:]
    except (OSError, StopIteration):
        return False
    return same and numbers[-1] == str(inside)


def pss_mib(pid: int) -> float:
    """What the process would take if each shared page were divided among those that share it."""
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        kib = next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return kib / 1024


def cpu_percent(pid: int) -> float:
    """Of one core, while nothing is asked of it."""
    before = cpu_s(pid)
    time.sleep(IDLE_S)
    return 100 * (cpu_s(pid) - before) / IDLE_S


def cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
