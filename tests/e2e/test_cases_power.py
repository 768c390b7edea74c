"""Other people's bug reports about power: reboots that are clean, cuts that take the BMC along, a host that nobody could replace."""

import json

import pytest

from backstay_dev.lab.product import FENCING_NAMESPACE
from backstay_dev.show.fault_lab import Theatre
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


@pytest.mark.parametrize("verb", ["reboot", "poweroff"])
def test_15_a_clean_shutdown_releases_the_service_and_is_given_its_time(theatre: Theatre, verb: str) -> None:
    with case(theatre, f"case15-{verb}", on="n1") as play:
        n1 = theatre.lab["n1"]
        n1.install_unit("ledger.service", LEDGER)
        n1.path("/srv/ledger.ok").unlink(missing_ok=True)
        n1.run("systemctl", "start", "ledger.service")
        n1.run("systemctl", verb)
        play.until_running(other_than="n1", timeout_s=20)
        assert play.evidence == "Released", f"{play.evidence}, {presses(theatre, 'n1')}"
        theatre.until(n1.path("/srv/ledger.ok").exists, "the other unit to have had its time")
        if verb == "reboot":
            n1.wait_booted()
        else:
            theatre.until(lambda: not n1.is_on, "its end")
        assert "off" not in presses(theatre, "n1")


@pytest.mark.parametrize(
    ("name", "before"),
    [
        pytest.param("case15-socket", "", id="its socket is, as every socket"),
        pytest.param("case15-network", "[Unit]\nBefore=network.target\n", id="the unit itself is"),
    ],
)
def test_15_what_is_ordered_before_the_agent_is_released_too(theatre: Theatre, name: str, before: str) -> None:
    """systemd would stop it after the agent, which waits for it. As Debian's mariadb, whose sockets are enabled."""
    if name == "case15-socket":
        for host in theatre.lab.hosts.values():
            host.install_unit(f"{name}.socket", SOCKET.format(name=name))
            host.run("systemctl", "enable", f"{name}.socket")
    for host in theatre.lab.hosts.values():
        host.install_unit("case15-net.service", NETWORK)
        host.run("systemctl", "start", "case15-net.service")
    with case(theatre, name, unit=before + "[Service]\nExecStart={tick}\n", on="n1") as play:
        n1 = theatre.lab["n1"]
        n1.run("systemctl", "reboot")
        play.until_running(other_than="n1", timeout_s=20)
        assert play.evidence == "Released", f"{play.evidence}, {presses(theatre, 'n1')}"
        n1.wait_booted()
        assert "off" not in presses(theatre, "n1")


@pytest.mark.parametrize("alone", [pytest.param(True, id="only it"), pytest.param(False, id="any host")])
def test_32_power_and_bmc_are_lost_together_and_the_service_runs_after_the_boot_alone(
    theatre: Theatre, alone: bool
) -> None:
    with labelled(theatre, "n1", "32") as placement:
        name = "case32-alone" if alone else "case32"
        spec = {"placement": placement} if alone else {}
        with case(theatre, name, on="n1", **spec) as play:
            theatre.lab.bmcs["n1"].knobs.unreachable = True
            theatre.lab["n1"].power_off()
            play.until_says("Ready", "False", "n1")
            theatre.until(
                lambda: "Unproven" in str(theatre.fence_requests("n1")) or waits_for_proof(theatre),
                "proof to be missed",
            )
            assert len(play.lives) == 1, "nothing starts elsewhere without proof"
            theatre.lab["n1"].power_on()
            theatre.lab.bmcs["n1"].repair()
            theatre.until(
                lambda: play.epoch == 2 and play.is_running(), "its next epoch", also=lambda: play.condition("Ready")
            )
            assert play.evidence in ("Boot", "Device") and len(running_on(theatre, f"{name}.service")) == 1


def waits_for_proof(theatre: Theatre) -> bool:
    """Some request about n1 has been tried and has failed."""
    return any(one.get("status") for one in theatre.fence_requests("n1").values())


def test_34_a_host_that_nobody_could_replace_is_left_alone(theatre: Theatre) -> None:
    with labelled(theatre, "n1", "34") as placement, case(theatre, "case34", placement=placement) as play:
        theatre.lab["n1"].cut_api()
        play.until_says("Ready", "n1")
        theatre.until(lambda: not play.condition("Ready").startswith("True"), "its silence to be noticed")
        # Time in which a wrong press would be seen: the control run (test_faults_hosts) takes 3 s.
        play.let_live(1600)
        said = play.condition("Ready")
        assert presses(theatre, "n1") == [] and len(play.lives) == 1, said
        assert theatre.lab["n1"].is_on and holding(theatre, play.address) == ["n1"]
        theatre.lab["n1"].heal()
        play.until_running(on="n1")
        assert len(play.lives) == 1 and play.epoch == 1


def test_27_an_odd_password_and_a_misspelt_agent_are_told_within_seconds_and_forgotten_when_mended(
    theatre: Theatre,
) -> None:
    """One line break at the end is what `echo` leaves, and harmless; what Windows leaves is not."""
    right = theatre.lab.bmcs["n1"].credentials()
    try:
        point_at(theatre, "n1", secret(theatre, "odd", {**right, "password": f"{right['password']}\r\n"}))
        misspell(theatre, "n2", "fence_redfsh")
        says(theatre, "n2", "False", "fence_redfsh")
        says(theatre, "n1", "False")
        point_at(theatre, "n1", secret(theatre, "echoed", {**right, "password": f"{right['password']}\n"}))
        misspell(theatre, "n2", "fence_redfish")
        says(theatre, "n2", "True")
        says(theatre, "n1", "True")
    finally:
        misspell(theatre, "n2", "fence_redfish")
        point_at(theatre, "n1", "n1-bmc")


def says(theatre: Theatre, host: str, *words: str) -> None:
    theatre.until(
        lambda: all(word in theatre.host_says(host, "FencingReady") for word in words),
        f"FencingReady of {host} to say {words}",
        also=lambda: theatre.host_says(host, "FencingReady"),
        timeout_s=30,
    )


def secret(theatre: Theatre, name: str, credentials: dict[str, str]) -> str:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": credentials}
    theatre.lab.plane.request("POST", f"/api/v1/namespaces/{FENCING_NAMESPACE}/secrets", body)
    return name


def point_at(theatre: Theatre, host: str, name: str) -> None:
    replace(theatre, host, "/secretRef/name", name)


def misspell(theatre: Theatre, host: str, agent: str) -> None:
    replace(theatre, host, "/agent", agent)


def replace(theatre: Theatre, host: str, what: str, value: str) -> None:
    """One word of its only device."""
    patch = json.dumps([{"op": "replace", "path": f"/spec/fencing/levels/0/devices/0{what}", "value": value}])
    theatre.lab.plane.kubectl("patch", "host", host, "--type=json", "-p", patch)
