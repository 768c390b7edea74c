"""One real agent on one real systemd host against a real API server; the test plays the operator."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from backstay_api import lease as leases
from backstay_cli.enrol import wanted_for
from backstay_dev.lab import Lab
from backstay_dev.shell import LabError, wait_until

pytestmark = [pytest.mark.api, pytest.mark.hosts]

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
        return dict(self.status.get("instances", {}).get("u1", {}))

    def until(self, what: Callable[[dict[str, Any]], Any], words: str) -> None:
        wait_until(lambda: bool(what(self.status)), timeout_s=20, what=words)

    def until_report(self, words: str, **wanted: Any) -> None:
        wait_until(lambda: wanted.items() <= self.report.items(), timeout_s=20, what=f"{words}; now {self.report}")

    def order(self, want: str, epoch: int) -> None:
        session = self.status["session"]
        entry = {
            "namespace": "shop",
            "name": "web-0",
            "epoch": epoch,
            "session": {name: session[name] for name in ("bootID", "nonce", "seq")},
            "want": want,
            "exclusive": True,
            "revision": 1,
            "resources": [
                {"name": "server", "systemd": {"unit": "web.service"}},
                {"name": "address", "virtualIP": {"address": ADDRESS}},
            ],
        }
        patch = json.dumps({"spec": {"instances": {"u1": entry}}})
        self.plane.kubectl("patch", "hostassignment", "n1", "--type=merge", "-p", patch)

    def main_pid(self, unit: str = "web.service") -> int:
        return int(self.host.run("systemctl", "show", "-p", "MainPID", "--value", unit))

    def has_address(self) -> bool:
        return ADDRESS.replace("/24", "/32") in self.host.run("ip", "-br", "addr")

    def journal(self) -> str:
        return self.host.run("journalctl", "-u", "backstay-agent", "--no-pager", "-n", "100")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Lab(1, progress=print) as lab:
        yield Site(lab)


def test_an_order_is_carried_out_survives_its_agent_and_is_released(site: Site) -> None:
    site.order("Up", 1)
    site.until_report("the service is up", phase="Running", healthy=True)
    assert site.main_pid() and site.has_address()

    # Its main process is killed: restarted in place.
    before = site.main_pid()
    site.host.run("systemctl", "kill", "-s", "KILL", "web.service")
    site.until_report("restarted in place", restarts=1, healthy=True)
    assert site.main_pid() not in (0, before)

    # The agent is killed, or ends as it is told: nothing of the service is touched.
    before = site.main_pid()
    agent = site.main_pid("backstay-agent.service")
    site.host.run("systemctl", "kill", "-s", "KILL", "backstay-agent.service")
    wait_until(lambda: site.main_pid("backstay-agent.service") not in (0, agent), timeout_s=20, what="the next agent")
    site.host.run("systemctl", "restart", "backstay-agent.service")
    site.until_report("adopted", phase="Running", healthy=True, restarts=1)
    assert site.main_pid() == before and site.has_address()

    site.order("Down", 1)
    site.until_report("released", released=True)
    assert site.main_pid() == 0 and not site.has_address()


def test_an_agent_that_lost_run_stops_everything_before_it_opens_another_session(site: Site) -> None:
    site.order("Up", 2)
    site.until_report("the service is up", phase="Running", healthy=True)
    old = site.status["session"]["nonce"]
    site.host.run("systemctl", "stop", "backstay-agent.service")
    assert site.main_pid() and site.has_address()
    site.host.run("find", "/run/backstay", "-type", "f", "-delete")
    site.host.run("systemctl", "start", "backstay-agent.service")
    site.until(lambda status: old in status["session"].get("supersedes", ()), "the old session is superseded")
    assert site.main_pid() == 0 and not site.has_address()


def test_a_sealed_lease_ends_the_session_and_a_reopened_one_begins_the_next(site: Site) -> None:
    site.order("Up", 3)
    site.until_report("the service is up", phase="Running", healthy=True)
    old = site.status["session"]["nonce"]
    _change_lease(site, lambda lease: lease.sealed_())
    site.until(lambda status: old in status["session"].get("supersedes", ()), "the sealed session is superseded")
    assert site.main_pid() == 0 and not site.has_address()
    new = site.status["session"]
    _change_lease(site, lambda lease: lease.reopened(f"{new['bootID']}/{new['nonce']}", new["seq"]))
    wait_until(lambda: _lease(site).renewal > 0, timeout_s=20, what="the new session renews")
    site.order("Up", 4)
    site.until_report("the service is up again", phase="Running", healthy=True, epoch=4)
    site.order("Down", 4)
    site.until_report("released", released=True)


_LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{leases.NAMESPACE}/leases/n1"


def _lease(site: Site) -> leases.HostLease:
    return leases.read(site.plane.request("GET", _LEASE))


def _change_lease(site: Site, how: Callable[[leases.HostLease], leases.HostLease]) -> None:
    """By compare-and-swap; the agent renews beside us, so it may take a few tries."""

    def written() -> bool:
        try:
            site.plane.request("PUT", _LEASE, leases.write(how(_lease(site))))
        except Exception as error:
            if "409" not in str(error) and "modified" not in str(error):
                raise
            return False
        return True

    wait_until(written, timeout_s=20, what="the lease is written")


def test_a_removed_agent_leaves_no_drop_in_behind(site: Site) -> None:
    command = ("env", "PYTHONPATH=/opt/backstay", "python3", "-m", "backstay_agent.main", "--remove")
    drop_in = "/etc/systemd/system/web.service.d/zz-backstay.conf"
    secured = json.dumps({"spec": {"secured": ["web.service"]}})
    site.plane.kubectl("patch", "hostassignment", "n1", "--type=merge", "-p", secured)
    wait_until(lambda: site.host.path(drop_in).exists(), timeout_s=20, what="the drop-in of a candidate")
    with pytest.raises(LabError, match="the agent runs"):
        site.host.run(*command)
    site.host.run("systemctl", "stop", "backstay-agent.service")
    site.host.run(*command)
    assert not site.host.path(drop_in).exists()
    assert "zz-backstay" not in site.host.run("systemctl", "cat", "web.service")
