"""The lab itself: hosts die and hang as real ones do, cuts cut, BMCs lie when told to, and nothing is left behind."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from backstay_dev.lab.bmc import Bmc, Knobs
from backstay_dev.lab.hosts import LabHost
from backstay_dev.lab.lab import LABS, Lab, sweep
from backstay_dev.lab.network import BRIDGE, BRIDGE_ADDRESS, Way
from backstay_dev.lab.shell import PYTHONPATH, call, wait_until

pytestmark = pytest.mark.hosts


def test_a_host_is_a_machine_of_its_own(tidy_lab: Lab) -> None:
    n1, n2 = tidy_lab["n1"], tidy_lab["n2"]
    assert n1.run("hostname").strip() == "n1"
    assert n1.boot_id != n2.boot_id
    assert n1.read_file("/etc/backstay/machine-uuid").strip() == n1.machine_uuid
    assert "systemd" in n1.run("cat", "/proc/1/comm")
    code = 'import sys; sys.path.insert(0, "/opt/backstay"); import backstay_agent, backstay_api, sdbus'
    n1.run("python3", "-c", code)
    n1.run("sh", "-c", "echo n1 > /shared/greeting")
    assert n2.run("cat", "/shared/greeting") == "n1\n"


def test_nothing_that_a_host_sends_can_leave_the_lab(tidy_lab: Lab) -> None:
    assert "default" not in tidy_lab["n1"].run("ip", "route")
    assert "default" not in tidy_lab["n1"].run("ip", "-6", "route")


def test_power_loss_takes_processes_addresses_and_run_but_not_the_disk(tidy_lab: Lab) -> None:
    n1, n2 = tidy_lab["n1"], tidy_lab["n2"]
    n1.write_file("/var/lib/kept", "kept")
    n1.write_file("/run/lost", "lost")
    n1.run("ip", "address", "add", "192.0.2.100/24", "dev", "eth0")
    assert _reaches(n2, "192.0.2.100")
    before = n1.boot_id
    n1.power_off()
    assert not n1.is_on
    assert not _reaches(n2, "192.0.2.100")
    n1.power_on()
    assert n1.boot_id != before
    assert n1.read_file("/var/lib/kept") == "kept"
    assert not n1.path("/run/lost").exists()
    assert not _reaches(n2, "192.0.2.100")


def test_a_host_without_power_takes_nobody_elses_network_along(tidy_lab: Lab) -> None:
    """A bridge has the lowest address of its ports, and another when that one goes: all others would look for it, for seconds."""

    def bridge() -> str:
        return call("ip", "-n", tidy_lab.network.namespace, "-o", "link", "show", BRIDGE).partition("link/ether")[2]

    before = bridge()
    for host in tidy_lab.hosts.values():
        host.power_off()
        assert bridge() == before
        host.power_on()


def test_a_host_that_reboots_itself_comes_back_without_its_addresses(tidy_lab: Lab) -> None:
    n1, n2 = tidy_lab["n1"], tidy_lab["n2"]
    before = n1.boot_id
    n1.run("ip", "address", "add", "192.0.2.100/24", "dev", "eth0")
    n1.run("systemctl", "reboot", check=False)
    n1.wait_booted(after=before)
    assert _reaches(n2, n1.address)
    assert not _reaches(n2, "192.0.2.100")


def test_a_frozen_host_does_nothing_while_its_kernel_still_answers(tidy_lab: Lab) -> None:
    n1, n2 = tidy_lab["n1"], tidy_lab["n2"]
    n1.install_unit(
        "ticker.service", "[Service]\nExecStart=/bin/sh -c 'while :; do date +%%N > /shared/tick; sleep 0.01; done'\n"
    )
    n1.run("systemctl", "start", "ticker")
    ticks = tidy_lab.shared / "tick"
    wait_until(ticks.exists, timeout_s=5, what="a tick")
    n1.freeze()
    seen = ticks.read_text()
    assert _reaches(n2, n1.address)
    assert ticks.read_text() == seen
    n1.thaw()
    wait_until(lambda: ticks.read_text() != seen, timeout_s=5, what="another tick")
    n1.run("systemctl", "stop", "ticker")


@pytest.mark.parametrize(
    ("way", "n1_to_api", "others_to_n1"),
    [
        pytest.param(Way.BOTH, False, True, id="cut from the API only"),
        pytest.param(Way.FROM_HOST, False, True, id="its questions are lost"),
        pytest.param(Way.TO_HOST, False, True, id="the answers are lost"),
    ],
)
def test_a_cut_from_the_api_leaves_other_traffic_alone(
    tidy_lab: Lab, way: Way, n1_to_api: bool, others_to_n1: bool
) -> None:
    n1 = tidy_lab["n1"]
    assert _connects(n1)
    n1.cut_api(way)
    assert _connects(n1) == n1_to_api
    assert _reaches(tidy_lab["n2"], n1.address) == others_to_n1
    assert _connects(tidy_lab["n2"])
    n1.heal()
    assert _connects(n1)


def test_a_cut_from_all_is_a_cut_from_all_and_heals(tidy_lab: Lab) -> None:
    n1, n2 = tidy_lab["n1"], tidy_lab["n2"]
    n1.cut_all()
    assert not _reaches(n2, n1.address)
    assert not _reaches(n1, BRIDGE_ADDRESS)
    n1.heal()
    assert _reaches(n2, n1.address)


@pytest.mark.parametrize("agent", ["fence_redfish", "fence_ipmilan"])
def test_the_real_fence_agents_read_and_press_the_power_button(tidy_lab: Lab, agent: str) -> None:
    bmc = tidy_lab.bmcs["n3"]
    assert _fence(bmc, agent, "status") == (0, "Status: ON")
    assert _fence(bmc, agent, "off")[0] == 0
    assert not tidy_lab["n3"].is_on
    assert _fence(bmc, agent, "status") == (2, "Status: OFF")
    assert _fence(bmc, agent, "on")[0] == 0
    assert tidy_lab["n3"].is_on


@pytest.mark.parametrize(
    ("knobs", "reads"),
    [
        pytest.param(Knobs(always_on=True), ["ON", "ON"], id="on for ever"),
        pytest.param(Knobs(off_then_on=True), ["OFF", "ON", "OFF"], id="off, then on"),
        pytest.param(Knobs(ignores_presses=True), ["ON"], id="it ignores the button"),
    ],
)
def test_a_bmc_lies_as_it_is_told(tidy_lab: Lab, knobs: Knobs, reads: list[str]) -> None:
    bmc = tidy_lab.bmcs["n3"]
    bmc.knobs = knobs
    if knobs.ignores_presses or knobs.always_on:
        bmc.press("off")
    assert [_fence(bmc, "fence_redfish", "status")[1] for _ in reads] == [f"Status: {read}" for read in reads]


def test_a_wrong_password_and_an_unreachable_bmc_are_failures_not_answers(tidy_lab: Lab) -> None:
    bmc = tidy_lab.bmcs["n3"]
    for agent in ("fence_redfish", "fence_ipmilan"):
        assert _fence(bmc, agent, "status", password="wrong")[0] == 1
    bmc.knobs.unreachable = True
    assert _fence(bmc, "fence_ipmilan", "status", power_timeout="1", timeout="1")[0] == 1
    with pytest.raises(subprocess.TimeoutExpired):
        _fence(bmc, "fence_redfish", "status")


def test_a_client_sees_who_answers_and_for_how_long_nobody_did(tidy_lab: Lab) -> None:
    n1 = tidy_lab["n1"]
    n1.write_file("/srv/www/who", "n1\n")
    n1.install_unit("who.service", "[Service]\nExecStart=/bin/busybox httpd -f -p 80 -h /srv/www\n")
    n1.run("systemctl", "start", "who")
    with tidy_lab.poller(f"http://{n1.address}/who").polling() as client:
        client.wait_for_answer(by="n1")
        n1.freeze()
        assert client.first_answer_after(client.answers[-1].answered_s, timeout_s=0.4) is None
        n1.thaw()
        client.wait_for_answer(by="n1")
    n1.run("systemctl", "stop", "who")
    assert client.answered_by() == ["n1"]
    assert client.longest_gap_s > 0.3


def test_two_labs_do_not_meet_and_a_dead_one_is_swept_away(tidy_lab: Lab) -> None:
    script = "import os\nfrom backstay_dev.lab.lab import Lab\nlab = Lab(1)\nlab.up()\nprint(lab.id)\nos._exit(9)\n"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 9, done.stderr
    dead = done.stdout.strip()
    assert (LABS / dead).exists()
    assert dead in sweep()
    assert not _traces(dead)
    assert _reaches(tidy_lab["n2"], tidy_lab["n1"].address)


@pytest.mark.parametrize("module", ["backstay_dev.lab.prerequisites", "backstay_dev.lab.__main__"])
def test_who_is_not_root_is_told_so_in_one_sentence(module: str) -> None:
    done = subprocess.run(
        ["unshare", "--user", sys.executable, "-m", module],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"[A-Z][^\n]* root [^\n]*\.\n", done.stderr)


def _traces(lab_id: str) -> list[str]:
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if lab_id in line]
    folders = [str(path) for path in (*LABS.glob(f"*{lab_id}*"), *Path("/run/netns").glob(f"*{lab_id}*"))]
    processes = [cmdline.parent.name for cmdline in Path("/proc").glob("[0-9]*/cmdline") if lab_id in _read(cmdline)]
    return mounts + folders + processes


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _reaches(host: LabHost, address: str) -> bool:
    return " 0% packet loss" in host.run("ping", "-c1", "-W1", address, check=False)


def _connects(host: LabHost) -> bool:
    code = f"import socket; socket.create_connection(('{BRIDGE_ADDRESS}', 6443), timeout=0.7); print('yes')"
    return host.run("python3", "-c", code, check=False).strip() == "yes"


def _fence(bmc: Bmc, agent: str, action: str, **changed: str) -> tuple[int, str]:
    words = {**bmc.parameters(agent), **bmc.secret(agent), "action": action, **changed}
    done = subprocess.run(
        [agent],
        input="".join(f"{key}={value}\n" for key, value in words.items()),
        capture_output=True,
        text=True,
        timeout=8,
        check=False,
    )
    status = re.search(r"Status: \w+", done.stdout)
    return done.returncode, status[0] if status else ""
