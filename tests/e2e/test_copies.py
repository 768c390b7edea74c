"""Services of several copies on real machines: a web server on two of three hosts, and one on each host with a label."""

import pytest

from backstay_dev.show.fault_lab import NAMESPACE, FaultLab

pytestmark = [pytest.mark.api, pytest.mark.hosts]

UNIT = "pyweb.service"
SERVER = "[Service]\nExecStart=/usr/bin/python3 -m http.server 8080 --directory /etc\n"
PROBE = {"name": "http", "httpGet": {"port": 8080, "path": "/hostname"}}
RESOURCES = [{"name": "server", "systemd": {"unit": UNIT}, "probes": [PROBE]}]


def told(fault_lab: FaultLab) -> dict[str, str]:
    """By instance: its host, as the status says."""
    status = fault_lab.product.get("haservices", "web", NAMESPACE).get("status", {})
    return {one["name"]: one.get("host", "") for one in status.get("instances", ())}


def counted(fault_lab: FaultLab) -> str:
    return str(fault_lab.product.get("haservices", "web", NAMESPACE).get("status", {}).get("copies"))


def serve(fault_lab: FaultLab, **spec: object) -> None:
    for host in fault_lab.lab.hosts.values():
        host.install_unit(UNIT, SERVER)
    fault_lab.apply("web", {"resources": RESOURCES, **spec})


def until(fault_lab: FaultLab, copies: str, hosts: set[str]) -> None:
    """Wait until so many work, on these hosts; and ask each host itself."""

    def answered() -> bool:
        return counted(fault_lab) == copies and {*told(fault_lab).values()} == hosts

    fault_lab.until(answered, f"{copies} on {sorted(hosts)}", also=lambda: told(fault_lab), timeout_s=90)
    machines = {name: host for name, host in fault_lab.lab.hosts.items() if host.is_on}
    states = {name: host.run("systemctl", "is-active", UNIT, check=False).strip() for name, host in machines.items()}
    assert {name for name, state in states.items() if state == "active"} == hosts


def test_a_third_host_takes_the_place_of_one_that_lost_its_power_and_the_other_copy_lives_on(
    fault_lab: FaultLab,
) -> None:
    serve(fault_lab, mode="Replicated", replicas=2)
    try:
        fault_lab.until(lambda: counted(fault_lab) == "2/2", "two copies")
        before = told(fault_lab)
        assert len(set(before.values())) == 2
        lost, stays = before["web-0"], before["web-1"]
        (spare,) = {*fault_lab.lab.hosts} - {lost, stays}
        pid = fault_lab.lab[stays].run("systemctl", "show", "-P", "MainPID", UNIT)
        fault_lab.lab[lost].power_off()
        until(fault_lab, "2/2", {spare, stays})
        assert told(fault_lab) == {"web-0": spare, "web-1": stays}
        assert fault_lab.lab[stays].run("systemctl", "show", "-P", "MainPID", UNIT) == pid, "nothing was restarted"
        closed = fault_lab.product.get("hainstances", "web-0", NAMESPACE)["spec"]["closed"]
        assert closed["evidence"] == "NotExclusive", "no proof was waited for"
    finally:
        fault_lab.take_off("web")


def test_a_copy_on_every_host_follows_the_label(fault_lab: FaultLab) -> None:
    kubectl = fault_lab.lab.plane.kubectl
    for name in ("n1", "n2"):
        kubectl("label", "host", name, "web=yes", "--overwrite")
    serve(fault_lab, mode="EveryHost", placement={"hosts": {"matchLabels": {"web": "yes"}}})
    try:
        until(fault_lab, "2/2", {"n1", "n2"})
        kubectl("label", "host", "n3", "web=yes", "--overwrite")
        until(fault_lab, "3/3", {"n1", "n2", "n3"})
        kubectl("label", "host", "n1", "web-")
        until(fault_lab, "2/2", {"n2", "n3"})
        assert "COPIES" in (shown := kubectl("get", "hasvc", "-n", NAMESPACE)) and "2/2" in shown
    finally:
        fault_lab.take_off("web")
        for name in fault_lab.lab.hosts:
            kubectl("label", "host", name, "web-")
