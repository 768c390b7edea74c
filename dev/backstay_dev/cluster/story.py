"""What is tried on the cluster, step after step, each going on where the one before has ended; and what was measured.

The words of a step are those of docs/how-to/install.md and uninstall.md, with the lab's ways for ssh and for the addresses of BMCs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from backstay_dev.lab.hosts import LabHost
from backstay_dev.lab.product import AGENT_UNIT, FENCING_NAMESPACE, RELEASE, SYSTEM_NAMESPACE
from backstay_dev.lab.shell import REPOSITORY, LabError, Progress, wait_until

from .images import REGISTRY
from .node import Node
from .site import Site
from .sources import Packages

SERVICE: Final = "http://192.0.2.100/"
_AGENT: Final = "fence_redfish"
_PARTS: Final = ("backstay-operator", "backstay-fencer")


class Story:
    """`figures` fills while the steps are gone through; times are seconds."""

    def __init__(self, site: Site, made: Packages, later: Packages, progress: Progress) -> None:
        """`made`: what is installed first, the release before; `later`: this one, to which it is upgraded, and goes back from."""
        self.site = site
        self.figures: dict[str, Any] = {}
        self._progress = progress
        self._commands = 0
        self._made = made
        self.later = later

    @property
    def steps(self) -> tuple[Callable[[], None], ...]:
        return (
            self.first_service,
            self.helm_test,
            self.pods_killed,
            self.chart_is_newer,
            self.agents_are_newer,
            self.upgraded_and_back,
            self.power_lost,
            self.uninstalled,
        )

    # The steps

    def first_service(self) -> None:
        """From a bare cluster and two bare machines to a service that answers."""
        begun_s = time.monotonic()
        with self._measured("helm_install_s"):
            self._install_chart()
        for host in self.site.hosts.values():
            self._add(host)
            with self._measured(f"join_{host.name}_s"):
                self._join(host)
        self._count("kubectl apply && kubectl wait")
        self._node.kubectl("apply", "-f", REPOSITORY / "examples/web.yaml")
        self._wait("hasvc/web", "Ready")
        with self.site.poller(SERVICE).polling() as client:
            client.wait_for_answer()
        self.figures["commands_to_first_service"] = self._commands
        self.figures["first_service_s"] = round(time.monotonic() - begun_s, 1)
        for name in self.site.hosts:
            self._wait(f"host/{name}", "FencingReady")
        self._wait("hasvc/web", "SurvivesHostLoss")

    def helm_test(self) -> None:
        with self._measured("helm_test_s"):
            self._node.helm("test", RELEASE, "--namespace", SYSTEM_NAMESPACE)

    def pods_killed(self) -> None:
        """Every Pod of ours at once, without a word to them: nobody who asks the service notices."""
        with self.site.poller(SERVICE).polling() as client:
            client.wait_for_answer()
            with self._measured("pods_killed_until_ready_s"):
                self._in_system("delete", "pods", "--all", "--force", "--grace-period=0", "--wait=true")
                for part in _PARTS:
                    self._node.wait_rolled_out(SYSTEM_NAMESPACE, f"deployment/{part}")
            client.wait_for_answer()
        self.figures["pods_killed_longest_gap_s"] = round(client.longest_gap_s, 3)
        if len(client.answered_by()) != 1:
            raise LabError(f"the service moved while Pods were killed: {client.answered_by()}")
        self._wait("hasvc/web", "SurvivesHostLoss")

    def upgraded_and_back(self) -> None:
        """Chart, then agents, to the later release; and back: the service runs on as the same process, and nobody who asks it notices."""
        self._changes_release("upgrade", lambda: self._helm_upgrade(self.later), self.later)
        self._changes_release("rollback", self._helm_rollback, self._made)

    def _helm_upgrade(self, to: Packages) -> None:
        values = ("--reset-then-reuse-values", "--wait", "--timeout", "120s")
        self._node.helm("upgrade", RELEASE, to.chart, "--namespace", SYSTEM_NAMESPACE, *values)

    def _helm_rollback(self) -> None:
        self._node.helm("rollback", RELEASE, "--namespace", SYSTEM_NAMESPACE, "--wait", "--timeout", "120s")

    def _install_agents(self, of: Packages) -> None:
        for host in self.site.hosts.values():
            _install(host, of.agent)
            self._wait_for_agent(host, of.version)

    def chart_is_newer(self) -> None:
        """Operator and fencer of this release, agents of the one before: a service is taken over as ever. And back."""
        self._helm_upgrade(self.later)
        self._wait("hasvc/web", "SurvivesHostLoss")
        self._loses_power("newer_chart_power_lost")
        self._helm_rollback()

    def agents_are_newer(self) -> None:
        """As after a rollback of the chart alone: agents of this release obey the operator of the one before."""
        self._install_agents(self.later)
        self._wait("hasvc/web", "SurvivesHostLoss")
        self._loses_power("newer_agents_power_lost")
        self._install_agents(self._made)
        self._wait("hasvc/web", "SurvivesHostLoss")

    def power_lost(self) -> None:
        """Once everything is as it was."""
        self._loses_power("power_lost")

    def _loses_power(self, what: str) -> None:
        """The holder is gone from one moment to the next: its BMC says so to the fencer's Pod, and the other host takes over."""
        holder = self.site[self._holder()]
        with self.site.poller(SERVICE).polling() as client:
            client.wait_for_answer(by=holder.name)
            off_s = time.monotonic()
            holder.power_off()
            answer = client.wait_for_answer(after_s=off_s + 0.01, timeout_s=120)
            self.figures[f"{what}_gap_s"] = round(client.longest_gap(off_s).length_s, 2)
        self.figures[f"{what}_moved"] = [holder.name, answer.text.strip()]
        if answer.text.strip() == holder.name:
            raise LabError(f"{holder.name} has no power and answers")
        holder.power_on()
        self._wait(f"host/{holder.name}", "Ready")
        self._wait("hasvc/web", "SurvivesHostLoss")

    def uninstalled(self) -> None:
        """As docs/how-to/uninstall.md has it; nothing of ours is on a host or in the cluster then but what the page says."""
        with self._measured("uninstall_s"):
            self._node.kubectl("delete", "haservices", "--all", "-A", "--timeout=60s", timeout_s=70)
            for host in self.site.hosts.values():
                self._backstay("host", "remove", host.name)
                host.run("sh", "-c", "dpkg -P backstay-agent 2>&1", timeout_s=60)
            self._backstay("uninstall", "--check")
            self._node.helm("uninstall", RELEASE, "--namespace", SYSTEM_NAMESPACE, "--wait")
            # Helm waits for what it deletes, which is their Deployments.
            wait_until(lambda: not self._left(), timeout_s=60, what="the end of our Pods", every_s=0.2)
        for host in self.site.hosts.values():
            _is_given_back(host)

    # How

    @property
    def _node(self) -> Node:
        return self.site.node

    def _install_chart(self) -> None:
        self._count("helm install")
        values = f"image.registry={REGISTRY}"
        self._node.helm(
            *("install", RELEASE, self._made.chart, "--namespace", SYSTEM_NAMESPACE, "--create-namespace"),
            *("--set", values, "--wait", "--timeout", "120s"),
        )
        self._count("kubectl apply -f bmcs.yaml")
        for name, bmc in self.site.bmcs.items():
            secret = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": f"{name}-bmc", "namespace": FENCING_NAMESPACE},
                "stringData": bmc.secret(_AGENT),
            }
            self._node.kubectl("apply", "-f", "-", stdin=json.dumps(secret))

    def _add(self, host: LabHost) -> None:
        parameters = self.site.bmcs[host.name].parameters(_AGENT)
        given = [word for pair in parameters.items() for word in ("--bmc-parameter", "=".join(pair))]
        self._count("backstay host add")
        self._backstay("host", "add", host.name, "--bmc", _AGENT, *given, "--bmc-secret", f"{host.name}-bmc")

    def _join(self, host: LabHost) -> None:
        self._count("apt install ./backstay-agent")
        _install(host, self._made.agent)
        self._count("join-token | join")
        line = self._backstay("host", "join-token", host.name)
        said = host.run(
            *("sh", "-c", "backstay-agent join --machine-uuid-file /root/machine-uuid - 2>&1"),
            stdin=line,
            timeout_s=60,
            check=False,
        )
        if "lease held" not in said:
            raise LabError(f"{host.name} did not join: {said}")

    def _changes_release(self, what: str, helm: Callable[[], None], to: Packages) -> None:
        before = self._served_by()
        with self.site.poller(SERVICE).polling() as client:
            client.wait_for_answer()
            with self._measured(f"{what}_s"):
                helm()
                self._install_agents(to)
            self._wait("hasvc/web", "SurvivesHostLoss")
            client.wait_for_answer()
        self.figures[f"{what}_longest_gap_s"] = round(client.longest_gap_s, 3)
        if self._served_by() != before:
            raise LabError(f"the service was {before} and is {self._served_by()}")
        images = self._in_system("get", "pods", "-o", "jsonpath={.items[*].spec.containers[*].image}").split()
        if {image.rpartition(":")[2] for image in images} != {to.version}:
            raise LabError(f"Pods of another release run: {', '.join(images)}")

    def _served_by(self) -> tuple[str, str]:
        """The host that holds the service, and its main process there."""
        holder = self._holder()
        shown = self.site[holder].run("systemctl", "show", "--property=MainPID", "--value", "web.service")
        return holder, shown.strip()

    def _wait_for_agent(self, host: LabHost, version: str) -> None:
        words = ("get", "host", host.name, "-o", "jsonpath={.status.agentVersion}")
        what = f"the word of agent {version} on {host.name}"
        wait_until(lambda: self._node.kubectl(*words).strip() == version, timeout_s=30, what=what, every_s=0.2)

    def _backstay(self, *words: str) -> str:
        """The CLI of its package, with this Python, which has Debian's two packages; nothing of ours is on its path but what it carries."""
        clean = [f"--unset={name}" for name in os.environ if name.startswith("PYTHON")]
        program = [sys.executable, "-IB", str(self._made.tools / "usr/bin/backstay")]
        return self._node.call("env", *clean, f"KUBECONFIG={self._node.kubeconfig}", *program, *words)

    def _left(self) -> list[str]:
        return self._in_system("get", "pods,deployments,services", "-o", "name").split()

    def _in_system(self, *words: str) -> str:
        return self._node.kubectl("-n", SYSTEM_NAMESPACE, *words)

    def _wait(self, what: str, condition: str) -> None:
        self._node.kubectl("wait", what, f"--for=condition={condition}", "--timeout=90s", timeout_s=100)

    def _holder(self) -> str:
        words = ("get", "hainstances", "-n", "default", "-o", "jsonpath={.items[0].spec.grant.host}")
        return self._node.kubectl(*words).strip()

    def _count(self, command: str) -> None:
        self._commands += 1
        self._progress(f"{self._commands}: {command}")

    @contextmanager
    def _measured(self, figure: str) -> Iterator[None]:
        begun_s = time.monotonic()
        yield
        self.figures[figure] = round(time.monotonic() - begun_s, 1)
        self._progress(f"{figure}: {self.figures[figure]}")


def _install(host: LabHost, file: Path) -> None:
    """As apt does it once it has the file."""
    host.path(f"/root/{file.name}").write_bytes(file.read_bytes())
    host.run("sh", "-c", f"dpkg -i /root/{file.name} 2>&1", timeout_s=60)


def _is_given_back(host: LabHost) -> None:
    """Its units are its admin's again, and there is no agent."""
    host.run("systemctl", "start", "web.service")
    places = "/etc/backstay* /var/lib/backstay* /run/backstay* /usr/lib/backstay* /usr/sbin/backstay*"
    left = host.run("sh", "-c", f"ls -d {places} 2>/dev/null; true")
    wait_until(
        lambda: host.run("systemctl", "is-active", "web.service", check=False).strip() == "active",
        timeout_s=5,
        what=f"web.service, started by hand on {host.name}",
    )
    known = host.run("systemctl", "show", "--property=LoadState", "--value", AGENT_UNIT).strip()
    if left or known != "not-found":
        raise LabError(f"left on {host.name}: {left.strip() or AGENT_UNIT}")


def pods(node: Node) -> str:
    """For whoever asks why a step went wrong."""
    try:
        return node.kubectl("get", "pods", "-A", "-o", "wide") + node.kubectl(
            "-n", SYSTEM_NAMESPACE, "logs", "--tail=20", "--prefix", "-l", "app.kubernetes.io/name=backstay"
        )
    except (LabError, subprocess.SubprocessError) as error:
        return str(error)
