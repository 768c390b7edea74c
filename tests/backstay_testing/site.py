"""One real host with a real agent against a real API server; the test plays the operator."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from backstay_api.objects import lease as leases
from backstay_cli.enrol import wanted_for
from backstay_dev.lab.lab import Lab
from backstay_dev.lab.shell import wait_until

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "backstay-host-n1"
ADDRESS = "192.0.2.200/24"
WEB = "[Service]\nExecStart=/usr/bin/python3 -m http.server 80\n"


def _enrolment() -> list[dict[str, Any]]:
    """What `backstay host add` and the operator make for a host."""
    assignment = {"metadata": {"name": "n1"}, "spec": {"heartbeat": {"profile": "lab"}}}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": leases.NAMESPACE}},
        *(wanted.kind.to_wire(wanted.body) for wanted in wanted_for("n1")),
        leases.write(leases.new("n1")),
        {"apiVersion": "backstay.dev/v1alpha1", "kind": "HostAssignment", **assignment},
    ]


class Site:
    """A lab of one host whose agent runs."""

    def __init__(self, lab: Lab) -> None:
        self.plane, self.host = lab.plane, lab["n1"]
        self.plane.kubectl("apply", "-f", ROOT / "crds")
        self.plane.kubectl("wait", "--for=condition=Established", "crd", "--all")
        self.plane.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(_enrolment()))
        self.host.write_file("/etc/backstay/token", self.plane.token_for(leases.NAMESPACE, ACCOUNT), 0o600)
        config = {
            "host": "n1",
            "servers": [lab.relay.hosts_url],
            "ca_file": "/etc/backstay/ca.crt",
            "token_file": "/etc/backstay/token",
            "machine_uuid_file": "/etc/backstay/machine-uuid",
        }
        self.host.write_file("/etc/backstay/agent.json", json.dumps(config))
        unit = (ROOT / "node-agent/install/backstay-agent.service").read_text()
        path = "[Service]\nEnvironment=PYTHONPATH=/opt/backstay"
        self.host.install_unit("backstay-agent.service", unit.replace("[Service]", path))
        self.host.install_unit("web.service", WEB)
        self.host.run("systemctl", "start", "backstay-agent.service")
        self.until(lambda status: status.get("session"), "a session")

    @property
    def status(self) -> dict[str, Any]:
        found = self.plane.request("GET", "/apis/backstay.dev/v1alpha1/hostassignments/n1")
        return dict(found.get("status", {}))

    @property
    def report(self) -> dict[str, Any]:
        return self.report_of("u1")

    def report_of(self, uid: str) -> dict[str, Any]:
        return dict(self.status.get("instances", {}).get(uid, {}))

    def until(self, what: Callable[[dict[str, Any]], Any], words: str, *, timeout_s: float = 20) -> None:
        wait_until(lambda: bool(what(self.status)), timeout_s=timeout_s, what=words)

    def until_report(self, words: str, uid: str = "u1", **wanted: Any) -> None:
        wait_until(
            lambda: wanted.items() <= self.report_of(uid).items(),
            timeout_s=20,
            what=f"{words}; now {self.report_of(uid)}",
        )

    def order(
        self, want: str, epoch: int, *, uid: str = "u1", revision: int = 1, resources: Sequence[Any] = ()
    ) -> None:
        session = self.status["session"]
        entry = {
            "namespace": "shop",
            "name": "web-0" if uid == "u1" else uid,
            "service": "web" if uid == "u1" else "another",
            "epoch": epoch,
            "session": {name: session[name] for name in ("bootID", "nonce", "seq")},
            "want": want,
            "exclusive": True,
            "revision": revision,
            "resources": list(resources)
            or [
                {"name": "server", "systemd": {"unit": "web.service"}},
                {"name": "address", "virtualIP": {"address": ADDRESS}},
            ],
        }
        self.say({"instances": {uid: entry}})

    def say(self, spec: dict[str, Any]) -> None:
        """What the operator writes."""
        patch = json.dumps({"spec": spec})
        self.plane.kubectl("patch", "hostassignment", "n1", "--type=merge", "-p", patch)

    def starts(self, unit: str) -> int:
        """How often systemd has started it in this boot."""
        said = self.host.run("journalctl", "-b", "-u", unit, "--no-pager", "-o", "cat")
        return sum(line.startswith("Started ") for line in said.splitlines())

    def main_pid(self, unit: str = "web.service") -> int:
        return int(self.host.run("systemctl", "show", "-p", "MainPID", "--value", unit))

    def has_address(self) -> bool:
        return ADDRESS.replace("/24", "/32") in self.host.run("ip", "-br", "addr")

    def journal(self) -> str:
        return self.host.run("journalctl", "-u", "backstay-agent", "--no-pager", "-n", "100")
