"""Other people's bug reports about power: reboots that are clean, cuts that take the BMC along, a host that nobody could replace."""

import json
import re

import pytest

from backstay_dev.show.fault_lab import FaultLab
from backstay_testing.cases import case, holding, labelled, presses, running_on

pytestmark = [pytest.mark.api, pytest.mark.hosts]

LEDGER = """[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/sh -c 'sleep 6; date >/srv/ledger.ok; sync'
TimeoutStopSec=60
"""
SOCKET = "[Socket]\nListenStream=/run/{name}.sock\n[Install]\nWantedBy=sockets.target\n"
NETWORK = "[Unit]\nWants=network.target\nBefore=network.target\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("reboot", ("systemctl", "reboot")),
        ("poweroff", ("systemctl", "poweroff")),
        # What a machine's manager sends PID 1 for the button: it is to power off in order.
        ("button", ("sh", "-c", "kill -s RTMIN+4 1")),
    ],
)
def test_15_a_clean_shutdown_releases_the_service_and_is_given_its_time(
    fault_lab: FaultLab, verb: str, words: tuple[str, ...]
) -> None:
    with case(fault_lab, f"case15-{verb}", on="n1") as play:
        n1 = fault_lab.lab["n1"]
        n1.install_unit("ledger.service", LEDGER)
        n1.path("/srv/ledger.ok").unlink(missing_ok=True)
        n1.run("systemctl", "start", "ledger.service")
        before = n1.boot_id
        n1.run(*words)
        play.until_running(other_than="n1", timeout_s=20)
        assert play.evidence == "Released", f"{play.evidence}, {presses(fault_lab, 'n1')}"
        fault_lab.until(n1.path("/srv/ledger.ok").exists, "the other unit to have had its time")
        if verb == "reboot":
            n1.wait_booted(after=before)
        else:
            fault_lab.until(lambda: not n1.is_on, "its end")
        assert "off" not in presses(fault_lab, "n1")


@pytest.mark.parametrize(
    ("name", "before"),
    [
        pytest.param("case15-socket", "", id="its socket is, as every socket"),
        pytest.param("case15-network", "[Unit]\nBefore=network.target\n", id="the unit itself is"),
    ],
)
def test_15_what_is_ordered_before_the_agent_is_released_too(fault_lab: FaultLab, name: str, before: str) -> None:
    """systemd would stop it after the agent, which waits for it. As Debian's mariadb, whose sockets are enabled."""
    if name == "case15-socket":
        for host in fault_lab.lab.hosts.values():
            host.install_unit(f"{name}.socket", SOCKET.format(name=name))
            host.run("systemctl", "enable", f"{name}.socket")
    for host in fault_lab.lab.hosts.values():
        host.install_unit("case15-net.service", NETWORK)
        host.run("systemctl", "start", "case15-net.service")
    with case(fault_lab, name, unit=before + "[Service]\nExecStart={tick}\n", on="n1") as play:
        n1 = fault_lab.lab["n1"]
        before = n1.boot_id
        n1.run("systemctl", "reboot")
        play.until_running(other_than="n1", timeout_s=20)
        assert play.evidence == "Released", f"{play.evidence}, {presses(fault_lab, 'n1')}"
        n1.wait_booted(after=before)
        assert "off" not in presses(fault_lab, "n1")


@pytest.mark.parametrize("alone", [pytest.param(True, id="only it"), pytest.param(False, id="any host")])
def test_32_power_and_bmc_are_lost_together_and_the_service_runs_after_the_boot_alone(
    fault_lab: FaultLab, alone: bool
) -> None:
    with labelled(fault_lab, "n1", "32") as placement:
        name = "case32-alone" if alone else "case32"
        with case(fault_lab, name, on="n1", placement=placement if alone else {}) as play:
            fault_lab.lab.bmcs["n1"].knobs.unreachable = True
            fault_lab.lab["n1"].power_off()
            play.until_says("Ready", "False", "n1")
            fault_lab.until(
                lambda: "Unproven" in str(fault_lab.fence_requests("n1")) or waits_for_proof(fault_lab),
                "proof to be missed",
            )
            assert len(play.lives) == 1, "nothing starts elsewhere without proof"
            fault_lab.lab["n1"].power_on()
            fault_lab.lab.bmcs["n1"].repair()
            fault_lab.until(
                lambda: play.epoch == 2 and play.is_running(), "its next epoch", also=lambda: play.condition("Ready")
            )
            assert play.evidence in ("Boot", "Device") and len(running_on(fault_lab, f"{name}.service")) == 1


def waits_for_proof(fault_lab: FaultLab) -> bool:
    """Some request about n1 has been tried and has failed."""
    return any(one.get("status") for one in fault_lab.fence_requests("n1").values())


def test_34_a_host_that_nobody_could_replace_is_left_alone(fault_lab: FaultLab) -> None:
    with labelled(fault_lab, "n1", "34") as placement, case(fault_lab, "case34", placement=placement) as play:
        fault_lab.lab["n1"].cut_api()
        play.until_says("Ready", "n1")
        fault_lab.until(lambda: not play.condition("Ready").startswith("True"), "its silence to be noticed")
        # Time in which a wrong press would be seen: the control run (test_faults_hosts) takes 3 s.
        play.let_live(1600)
        said = play.condition("Ready")
        assert presses(fault_lab, "n1") == [] and len(play.lives) == 1, said
        assert fault_lab.lab["n1"].is_on and holding(fault_lab, play.address) == ["n1"]
        fault_lab.lab["n1"].heal()
        play.until_running(on="n1")
        assert len(play.lives) == 1 and play.epoch == 1


def test_27_an_odd_password_and_a_misspelt_agent_are_told_within_seconds_and_forgotten_when_mended(
    fault_lab: FaultLab,
) -> None:
    """One line break at the end is what `echo` leaves, and harmless; what Windows leaves is not."""
    right, give = fault_lab.lab.bmcs["n1"].secret("fence_redfish"), fault_lab.product.give_secret
    try:
        point_at(fault_lab, "n1", give("odd", {**right, "password": f"{right['password']}\r\n"}))
        misspell(fault_lab, "n2", "fence_redfsh")
        says(fault_lab, "n2", "False", "fence_redfsh")
        says(fault_lab, "n1", "False")
        point_at(fault_lab, "n1", give("echoed", {**right, "password": f"{right['password']}\n"}))
        misspell(fault_lab, "n2", "fence_redfish")
        says(fault_lab, "n2", "True")
        says(fault_lab, "n1", "True")
    finally:
        misspell(fault_lab, "n2", "fence_redfish")
        point_at(fault_lab, "n1", "n1-bmc")


def test_a_secret_without_its_address_is_refused_in_words_that_a_host_admin_can_follow(fault_lab: FaultLab) -> None:
    right = fault_lab.lab.bmcs["n1"].secret("fence_redfish")
    try:
        told = {key: value for key, value in right.items() if key != "ip"}
        point_at(fault_lab, "n1", fault_lab.product.give_secret("bare", told))
        says(fault_lab, "n1", "False", "does not say where its password goes: add the device's address as ip: kubectl")
        say_address(fault_lab, fault_lab.host_says("n1", "FencingReady"), right["ip"])
        says(fault_lab, "n1", "True")
    finally:
        point_at(fault_lab, "n1", "n1-bmc")


def say_address(fault_lab: FaultLab, said: str, ip: str) -> None:
    """Type the commands of the sentence."""
    make, give = (command.split()[1:] for command in re.findall(r"kubectl [^|]*[^|\s]", said))
    kubectl = fault_lab.lab.plane.kubectl
    made = kubectl(*(word.replace("…", ip) for word in make))
    kubectl(*give, "--as=ann", "--as-group=backstay:host-admins", stdin=made)


def says(fault_lab: FaultLab, host: str, *words: str) -> None:
    fault_lab.until(
        lambda: all(word in fault_lab.host_says(host, "FencingReady") for word in words),
        f"FencingReady of {host} to say {words}",
        also=lambda: fault_lab.host_says(host, "FencingReady"),
        timeout_s=30,
    )


def point_at(fault_lab: FaultLab, host: str, name: str) -> None:
    replace(fault_lab, host, "/secretRef/name", name)


def misspell(fault_lab: FaultLab, host: str, agent: str) -> None:
    replace(fault_lab, host, "/agent", agent)


def replace(fault_lab: FaultLab, host: str, what: str, value: str) -> None:
    """One word of its only device."""
    patch = json.dumps([{"op": "replace", "path": f"/spec/fencing/levels/0/devices/0{what}", "value": value}])
    fault_lab.lab.plane.kubectl("patch", "host", host, "--type=json", "-p", patch)
