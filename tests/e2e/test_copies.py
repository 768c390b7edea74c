"""Services of several copies on real machines: on two of three hosts, one on each host with a label, and one that is promoted."""

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


WRITER = "pywriter.service"
POSITION = "/var/lib/position"
PROMOTABLE = {
    "mode": "Promotable",
    "replicas": 3,
    "promotion": {"scoreCommand": ["/bin/cat", POSITION]},
    "resources": [*RESOURCES, {"name": "writer", "role": "Promoted", "systemd": {"unit": WRITER}}],
}


def promoted(fault_lab: FaultLab) -> str:
    return str(fault_lab.product.get("haservices", "web", NAMESPACE).get("status", {}).get("promoted", ""))


def why_promoted(fault_lab: FaultLab) -> str:
    """Who was promoted in each epoch, and what was said of each host then."""
    return f"{told(fault_lab)} {fault_lab.product.get('hainstances', 'web-promoted', NAMESPACE)['spec'].get('grants')}"


def writers(fault_lab: FaultLab) -> set[str]:
    """Hosts that are on and where it runs, as systemd says."""
    machines = {name: host for name, host in fault_lab.lab.hosts.items() if host.is_on}
    return {
        name
        for name, host in machines.items()
        if host.run("systemctl", "is-active", WRITER, check=False).strip() == "active"
    }


def test_the_freshest_copy_is_promoted_and_when_its_host_is_proven_off_the_next(fault_lab: FaultLab) -> None:
    for name, position in {"n1": 5, "n2": 9, "n3": 7}.items():
        host = fault_lab.lab[name]
        host.install_unit(UNIT, SERVER)
        host.install_unit(WRITER, SERVER.replace("8080", "8081"))
        host.run("sh", "-c", f"echo {position} > {POSITION}")
    fault_lab.apply("web", PROMOTABLE)
    try:
        fault_lab.until(lambda: promoted(fault_lab) == "n2", "n2 is promoted", also=lambda: why_promoted(fault_lab))
        assert writers(fault_lab) == {"n2"} and counted(fault_lab) == "3/3"
        fault_lab.lab["n2"].power_off()
        fault_lab.until(
            lambda: promoted(fault_lab) == "n3", "n3 is promoted", also=lambda: why_promoted(fault_lab), timeout_s=90
        )
        assert writers(fault_lab) == {"n3"}
        closed = fault_lab.product.get("hainstances", "web-promoted", NAMESPACE)["spec"]["closed"]
        assert closed["evidence"] == "Device", "the promoted role waits for the proof"
        # The role leaves before its copy is touched, and n1 is the only other host with one that works.
        fault_lab.lab["n3"].run("systemctl", "kill", "-s", "KILL", UNIT)
        fault_lab.until(lambda: writers(fault_lab) == {"n3"}, "it is promoted again above the copy that was restarted")
    finally:
        fault_lab.take_off("web")


AGENT = "/usr/lib/ocf/resource.d/d-lab/plays"
ROLE = "/run/d-plays.promoted"
# It keeps what it is in files, and says that the data of n2 and then of n3 is the freshest.
PLAYS = f"""#!/bin/sh
S=/run/d-plays R={ROLE}
case $1 in
meta-data) echo '<resource-agent name="plays"><parameters/><actions><action name="start" timeout="20s"/><action name="stop" timeout="20s"/>'
    echo '<action name="promote" timeout="20s"/><action name="demote" timeout="20s"/>'
    echo '<action name="monitor" timeout="20s" interval="1s" depth="0"/></actions></resource-agent>'; exit 0;;
validate-all) exit 0;;
start) touch $S; crm_master -l reboot -v $(cat {POSITION}); exit 0;;
stop) rm -f $R $S; crm_master -l reboot -D; exit 0;;
promote) [ -e $S ] || exit 7; touch $R; exit 0;;
demote) rm -f $R; exit 0;;
monitor) [ -e $S ] || exit 7; [ -e $R ] && exit 8; exit 0;;
esac
exit 3
"""
BY_ITS_AGENT = {
    "mode": "Promotable",
    "replicas": 3,
    "resources": [
        {"name": "db", "ocf": {"agent": "d-lab:plays", "instance": "plays", "promotable": True}},
        {"name": "writer", "role": "Promoted", "systemd": {"unit": WRITER}},
    ],
}


def of_their_agents(fault_lab: FaultLab) -> set[str]:
    """Hosts that are on and whose agent has been promoted."""
    machines = {name: host for name, host in fault_lab.lab.hosts.items() if host.is_on}
    return {name for name, host in machines.items() if host.run("sh", "-c", f"ls {ROLE} 2>/dev/null || true").strip()}


def test_an_ocf_agent_with_roles_promotes_one_copy_and_when_its_host_is_proven_off_the_next(
    fault_lab: FaultLab,
) -> None:
    for name, position in {"n1": 5, "n2": 9, "n3": 7}.items():
        host = fault_lab.lab[name]
        host.write_file(AGENT, PLAYS)
        host.run("chmod", "755", AGENT)
        host.install_unit(WRITER, SERVER.replace("8080", "8081"))
        host.run("sh", "-c", f"echo {position} > {POSITION}")
    fault_lab.apply("web", BY_ITS_AGENT)
    seen: list[set[str]] = []

    def is_promoted(name: str) -> bool:
        seen.append(of_their_agents(fault_lab))
        return promoted(fault_lab) == name and seen[-1] == {name}

    try:
        fault_lab.until(lambda: is_promoted("n2"), "n2 is promoted", also=lambda: why_promoted(fault_lab))
        assert writers(fault_lab) == {"n2"} and counted(fault_lab) == "3/3"
        fault_lab.lab["n2"].power_off()
        fault_lab.until(lambda: is_promoted("n3"), "n3 is promoted", also=lambda: why_promoted(fault_lab), timeout_s=90)
        assert writers(fault_lab) == {"n3"}
        closed = fault_lab.product.get("hainstances", "web-promoted", NAMESPACE)["spec"]["closed"]
        assert closed["evidence"] == "Device", "the promoted role waits for the proof"
        # Promoted by hand, a copy is put right: nobody asked for that.
        fault_lab.lab["n1"].run("touch", ROLE)
        fault_lab.until(
            lambda: of_their_agents(fault_lab) == {"n3"}, "a copy that promotes itself is stopped and started"
        )
    finally:
        fault_lab.take_off("web")
    assert max(map(len, seen)) == 1, "two were promoted at once"
