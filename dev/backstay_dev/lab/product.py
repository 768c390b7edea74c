"""The product in a lab: chart installed, hosts enrolled, operator, fencer and agents running as processes.

    product = Product(lab)
    product.install()                    # helm install of charts/backstay
    product.enrol()                      # what `backstay host add` makes, and each BMC's Secret
    product.start()                      # all at once
    product.operators["operator"].kill() # each is a Child: kill(), pause(), resume(), running, log
    product.start_operator("operator-b") # another replica, through a door of its own

Everything runs with exactly the identity that the chart, or `backstay host add`, gives it: a missing verb fails here. The
ServiceAccounts are read from the chart's own Deployments, so they cannot drift from it.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from backstay_api.objects.kinds import Raw
from backstay_api.objects.lease import NAMESPACE as HOSTS_NAMESPACE
from backstay_api.objects.object_kinds import OWN_KINDS
from backstay_cli.enrol import wanted_for
from backstay_dev.lab.controlplane import free_port
from backstay_dev.lab.hosts import MACHINE_UUID_FILE, LabHost
from backstay_dev.lab.lab import AGENT_CODE, Lab
from backstay_dev.lab.shell import REPOSITORY, Child, LabError, wait_until

CHART: Final = REPOSITORY / "charts" / "backstay"
RELEASE: Final = "backstay"
SYSTEM_NAMESPACE: Final = "backstay-system"
FENCING_NAMESPACE: Final = "backstay-fencing"
AGENT_UNIT: Final = "backstay-agent.service"
_UNIT_FILE: Final = REPOSITORY / "node-agent" / "install" / AGENT_UNIT
# A package would put the code where Python finds it; the lab binds it read-only somewhere else.
_DROP_IN: Final = f"[Service]\nEnvironment=PYTHONPATH={AGENT_CODE}\n"


@dataclass(frozen=True)
class Enrolment:
    """How a host is made known."""

    profile: str = "lab"
    agent: str = "fence_redfish"
    """The fence agent; empty: the host has no device."""
    read_gap: str = "0s"
    """The emulators tell the truth at once, unless a knob says otherwise."""
    labels: Mapping[str, str] = field(default_factory=dict)


class Product:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.operators: dict[str, Child] = {}
        self.fencers: dict[str, Child] = {}
        self.health_ports: dict[str, int] = {}
        self._accounts: dict[str, tuple[str, str]] = {}
        self._kubeconfigs: dict[str, Path] = {}

    # Installing

    def install(self, values: Mapping[str, Any] | None = None) -> None:
        """`helm install` of our chart, and the ServiceAccounts that its Deployments name."""
        if not CHART.exists():
            raise LabError(f"There is no chart at {CHART}: this checkout is not whole.")
        file = self.lab.state / "values.yaml"
        # Nothing is pulled here; the chart wants a name that is somebody's.
        file.write_text(yaml.safe_dump({"image": {"registry": "lab.invalid"}, **(values or {})}))
        self.lab.plane.helm(
            "install", RELEASE, CHART, "--namespace", SYSTEM_NAMESPACE, "--create-namespace", "-f", file
        )
        for namespace in (HOSTS_NAMESPACE, FENCING_NAMESPACE):
            self._create("/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": namespace}})
        self._read_accounts()
        self._wait_for_kinds()

    def enrol(self, names: Sequence[str] = (), how: Enrolment | None = None) -> None:
        """Make these hosts (all) known, with a BMC's Secret and an agent that is ready to be started on each."""
        for name in names or list(self.lab.hosts):
            self._enrol(self.lab[name], how or Enrolment())

    # Running

    def start(self, *, operators: Sequence[str] = ("operator",)) -> None:
        """Operator, fencer and all agents that are enrolled, at once. `wait_ready` says when they work."""
        for name in operators:
            self.start_operator(name)
        self.start_fencer()
        for host in self.lab.hosts.values():
            if host.is_on and host.path(f"/etc/systemd/system/{AGENT_UNIT}").exists():
                self.start_agent(host.name)

    def start_operator(self, name: str = "operator", *arguments: str) -> Child:
        """A replica; `name` is its door at the relay (`operator`, `operator-b`)."""
        port = self.health_ports[name] = free_port()
        health = ["--identity", name, "--health-host", "127.0.0.1", "--health-port", str(port)]
        self.operators[name] = self._run("operator", name, "backstay_operator.main", [*health, *arguments])
        return self.operators[name]

    def start_fencer(self, name: str = "fencer", *arguments: str) -> Child:
        self.fencers[name] = self._run("fencer", name, "backstay_fencer.main", arguments)
        return self.fencers[name]

    def start_agent(self, host: str) -> None:
        self.lab[host].run("systemctl", "start", "--no-block", AGENT_UNIT)

    def stop_agent(self, host: str) -> None:
        """As an admin would; services go on running."""
        self.lab[host].run("systemctl", "stop", AGENT_UNIT)

    def kill_agent(self, host: str) -> None:
        """SIGKILL to its main process; systemd starts it again."""
        self.lab[host].run("systemctl", "kill", "--kill-who=main", "--signal=KILL", AGENT_UNIT)

    def stop(self) -> None:
        for child in (*self.operators.values(), *self.fencers.values()):
            child.stop()

    def wait_ready(self, *, timeout_s: float = 30.0) -> None:
        """Until the operator says of every host that it is Ready."""
        for name in self.lab.hosts:
            wait_until(
                lambda name=name: self.condition("hosts", name, "Ready") == "True",  # type: ignore[misc]
                timeout_s=timeout_s,
                what=f"Ready of host {name} ({self.condition_words('hosts', name, 'Ready')})",
                every_s=0.05,
            )

    # Looking

    def get(self, plural: str, name: str, namespace: str = "") -> dict[str, Any]:
        """One of our objects, as the administrator sees it."""
        return self.lab.plane.request("GET", _path(plural, namespace, name))

    def condition(self, plural: str, name: str, kind: str, namespace: str = "") -> str:
        """True, False or Unknown."""
        return str(self._condition(plural, name, kind, namespace).get("status", "Unknown"))

    def condition_words(self, plural: str, name: str, kind: str, namespace: str = "") -> str:
        """Reason and message, for people."""
        found = self._condition(plural, name, kind, namespace)
        return f"{found.get('reason', 'no condition yet')}: {found.get('message', '')}"

    def agent_log(self, host: str, lines: int = 200) -> str:
        return self.lab[host].run("journalctl", "--no-pager", "-u", AGENT_UNIT, "-n", str(lines), check=False)

    def give_secret(self, name: str, told: Mapping[str, str]) -> str:
        """Give the fencer a device's address and password; its name."""
        body = {"kind": "Secret", "metadata": {"name": name}, "stringData": dict(told)}
        self._create(f"/api/v1/namespaces/{FENCING_NAMESPACE}/secrets", body)
        return name

    # Below: how.

    def _run(self, role: str, name: str, module: str, arguments: Sequence[str]) -> Child:
        kubeconfig = self._kubeconfig(role, name)
        environment = {"KUBECONFIG": str(kubeconfig), "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
        return self.lab.run_outside(name, module, ["--kubeconfig", kubeconfig, *arguments], env=environment)

    def _kubeconfig(self, role: str, name: str) -> Path:
        """Made once for each door: a process that starts again finds what it had, also while the API server is away."""
        if name not in self._kubeconfigs:
            made = self.lab.kubeconfig(*self._accounts[role], door=name)
            self._kubeconfigs[name] = made.rename(made.with_name(f"{name}.kubeconfig"))
        return self._kubeconfigs[name]

    def _wait_for_kinds(self) -> None:
        """A CRD is accepted some time before its objects are."""

        def served() -> bool:
            try:
                found = self.lab.plane.request("GET", "/apis/backstay.dev/v1alpha1")["resources"]
            except LabError:
                return False
            return len([one for one in found if "/" not in one["name"]]) >= len(OWN_KINDS)

        wait_until(served, timeout_s=30, what="our kinds at the API server", every_s=0.05)

    def _read_accounts(self) -> None:
        deployments = self.lab.plane.request("GET", "/apis/apps/v1/deployments")["items"]
        for role in ("operator", "fencer"):
            mine = [one for one in deployments if role in one["metadata"]["name"].removeprefix(f"{RELEASE}-")]
            if len(mine) != 1:
                names = ", ".join(one["metadata"]["name"] for one in deployments)
                raise LabError(f"The chart should have one Deployment for the {role}; it has: {names or 'none'}.")
            spec = mine[0]["spec"]["template"]["spec"]
            self._accounts[role] = (mine[0]["metadata"]["namespace"], spec["serviceAccountName"])

    def _enrol(self, host: LabHost, how: Enrolment) -> None:
        fencing = self._fencing(host, how) if how.agent else None
        for wanted in wanted_for(host.name, labels=dict(how.labels), fencing=fencing):
            body = wanted.kind.to_wire(wanted.body)
            if body["kind"] == "Host":
                body["spec"] = {**body["spec"], "heartbeat": {"profile": how.profile}}
            self._create(wanted.kind.path(body["metadata"].get("namespace", "")), body)
        self._install_agent(host)

    def _fencing(self, host: LabHost, how: Enrolment) -> Raw:
        bmc = self.lab.bmcs[host.name]
        secret = self.give_secret(f"{host.name}-bmc", bmc.secret(how.agent))
        device = {
            "name": "bmc",
            "agent": how.agent,
            "parameters": bmc.parameters(how.agent),
            "secretRef": {"name": secret},
            "readGap": how.read_gap,
        }
        return {"levels": [{"name": "bmc", "devices": [device]}]}

    def _install_agent(self, host: LabHost) -> None:
        """What `host add` tells a person to put on the host, and the unit."""
        account = f"backstay-host-{host.name}"
        token = self.lab.plane.token_for(HOSTS_NAMESPACE, account, secret=account)
        config = {
            "servers": [self.lab.relay.hosts_url],
            "ca_file": "/etc/backstay/ca.crt",
            "token_file": "/etc/backstay/token",
            "machine_uuid_file": MACHINE_UUID_FILE,
        }
        host.write_file("/etc/backstay/token", token, mode=0o600)
        host.write_file("/etc/backstay/agent.json", json.dumps(config))
        host.write_file(f"/etc/systemd/system/{AGENT_UNIT}.d/lab.conf", _DROP_IN)
        host.install_unit(AGENT_UNIT, _UNIT_FILE.read_text())
        # After a power cycle the agent comes back with the host.
        host.run("systemctl", "enable", AGENT_UNIT)

    def _create(self, path: str, body: Raw) -> None:
        try:
            self.lab.plane.request("POST", path, {"apiVersion": "v1", **body})
        except LabError as error:
            if "AlreadyExists" not in str(error):
                raise

    def _condition(self, plural: str, name: str, kind: str, namespace: str) -> dict[str, Any]:
        try:
            conditions = self.get(plural, name, namespace).get("status", {}).get("conditions", [])
        except LabError:
            return {}
        return next((dict(one) for one in conditions if one["type"] == kind), {})


def _path(plural: str, namespace: str, name: str) -> str:
    inside = f"namespaces/{namespace}/" if namespace else ""
    return f"/apis/backstay.dev/v1alpha1/{inside}{plural}/{name}"
