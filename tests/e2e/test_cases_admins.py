"""Other people's bug reports about what administrators do beside the cluster: stop, restart, rename, edit, mend, reboot."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from backstay_agent.drivers.tools.units import gate_name
from backstay_api.objects.kinds import Raw
from backstay_dev.lab.product import AGENT_UNIT
from backstay_dev.show.fault_lab import NAMESPACE, FaultLab, Play
from backstay_testing.cases import (
    ALL,
    SLEEPER,
    case,
    has_address,
    host_status,
    is_active,
    main_pid,
    move,
    patient,
    presses,
    report_of,
    restarts,
    running_on,
    starts,
    until_ready,
    until_standby,
)

pytestmark = [pytest.mark.api, pytest.mark.hosts]


@contextmanager
def hands_off(fault_lab: FaultLab, host: str) -> Iterator[None]:
    """Until its agent knows; ended as an administrator ends it."""
    fault_lab.patch_host(host, {"maintenance": {"mode": "HandsOff", "reason": "upgrade of a package"}})
    fault_lab.until(
        lambda: host_status(fault_lab, host).get("handsOff") is True,
        f"the agent on {host} to know that it shall keep its hands off",
        also=lambda: host_status(fault_lab, host).get("handsOff"),
        timeout_s=20,
    )
    yield
    fault_lab.backstay("undrain", host)


def has_lived(play: Play, times: int) -> bool:
    return len(play.lives) == times


def test_13_hands_off_what_the_admin_stops_stays_stopped_until_the_admin_starts_it(fault_lab: FaultLab) -> None:
    with case(fault_lab, "case13", on="n1") as play:
        n1 = fault_lab.lab["n1"]
        with hands_off(fault_lab, "n1"):
            for number in range(4):
                n1.run("systemctl", "stop", "case13.service")
                fault_lab.until(
                    lambda: "admin" in report_of(play, "n1").get("byAdmin", ""),
                    "the host to say who stopped it",
                    also=lambda: report_of(play, "n1"),
                    timeout_s=20,
                )
                assert not is_active(n1, "case13.service") and len(play.lives) == number + 1
                n1.run("systemctl", "start", "case13.service")
                fault_lab.until(partial(has_lived, play, number + 2), "what the admin starts, to start")
                fault_lab.until(
                    lambda: not report_of(play, "n1").get("byAdmin", ""),
                    "the host to see it run",
                    also=lambda: report_of(play, "n1"),
                )
            assert "moves to" not in play.condition("Ready")
        pid = main_pid(n1, "case13.service")
        play.until_running(on="n1")
        assert (play.epoch, restarts(play, "n1"), main_pid(n1, "case13.service")) == (1, 0, pid)


def test_13_what_the_admin_left_stopped_is_started_when_maintenance_ends(fault_lab: FaultLab) -> None:
    with case(fault_lab, "case13-left", on="n1") as play:
        with hands_off(fault_lab, "n1"):
            fault_lab.lab["n1"].run("systemctl", "stop", "case13-left.service")
            fault_lab.until(lambda: report_of(play, "n1").get("byAdmin", "") != "", "the host to say who stopped it")
        fault_lab.until(lambda: len(play.lives) == 2 and play.is_running(on="n1"), "its start in place")
        assert play.epoch == 1


def test_14_hands_off_and_the_agent_away_for_longer_than_any_heartbeat_and_nothing_happens(fault_lab: FaultLab) -> None:
    with case(fault_lab, "case14", on="n1") as play:
        fault_lab.patch_host("n1", {"maintenance": {"mode": "HandsOff", "reason": "upgrade of the agent"}})
        fault_lab.until(
            lambda: fault_lab.product.get("hostassignments", "n1")["spec"].get("handsOff", "") != "", "its order"
        )
        fault_lab.product.stop_agent("n1")
        play.until_says("Ready", "n1", "HandsOff")
        # Time in which a wrong fence would be seen: many lives of a heartbeat.
        play.let_live(1200)
        assert presses(fault_lab, "n1") == [] and running_on(fault_lab, "case14.service") == ["n1"]
        fault_lab.product.start_agent("n1")
        fault_lab.backstay("undrain", "n1")
        play.until_says("Ready", "True")
        assert play.saw_nothing() and restarts(play, "n1") == 0


def test_20_edited_while_the_agent_is_away_the_old_one_is_stopped_before_the_new_one_starts(
    fault_lab: FaultLab,
) -> None:
    with case(fault_lab, "case20", on="n1") as play, patient(fault_lab, "n1"):
        n1 = fault_lab.lab["n1"]
        n1.install_unit("case20-new.service", n1.read_file("/etc/systemd/system/case20.service"))
        for other in ("n2", "n3"):
            fault_lab.lab[other].install_unit("case20-new.service", n1.read_file("/etc/systemd/system/case20.service"))
        n1.run("systemctl", "kill", "--signal=STOP", "--kill-who=main", AGENT_UNIT)
        edited = [
            {"name": "server", "systemd": {"unit": "case20-new.service"}},
            {"name": "address", "virtualIP": {"address": "192.0.2.98/24"}},
        ]
        fault_lab.apply("case20", {**play.object["spec"], "resources": edited})
        fault_lab.until(
            lambda: "case20-new" in str(fault_lab.product.get("hostassignments", "n1")["spec"]), "the new order"
        )
        fault_lab.kill_agent("n1")
        fault_lab.until(lambda: has_address(n1, "192.0.2.98"), "the new address", also=lambda: play.condition("Ready"))
        play.until_running(on="n1")
        assert not is_active(n1, "case20.service") and not has_address(n1, play.address)
        assert running_on(fault_lab, "case20-new.service") == ["n1"] and play.epoch == 1


def test_23_a_host_that_is_renamed_keeps_its_service_where_agent_json_names_it(fault_lab: FaultLab) -> None:
    with case(fault_lab, "case23", on="n1") as play, patient(fault_lab, "n1"), renamed(fault_lab, "n1", named=True):
        fault_lab.product.kill_agent("n1")
        play.let_live(400)
        until_ready(play, on="n1")
        assert (
            presses(fault_lab, "n1") == []
            and running_on(fault_lab, "case23.service") == ["n1"]
            and len(play.lives) == 1
        )


def test_23_a_host_that_is_renamed_says_so_where_agent_json_names_it_not(fault_lab: FaultLab) -> None:
    """The token is the Host's: what asks under another name is told 403, and that alone reached a log."""
    n1 = fault_lab.lab["n1"]
    with case(fault_lab, "case23-bare", on="n1") as play, renamed(fault_lab, "n1", named=False):
        n1.run("systemctl", "restart", "--no-block", AGENT_UNIT)
        fault_lab.until(
            lambda: any(
                "still the Host that it was enrolled as" in line and "host=n1" in line and "agent.json" in line
                for line in fault_lab.product.agent_log("n1", 40).splitlines()
            ),
            "the agent to say that the machine's name is no longer the Host's",
            also=lambda: fault_lab.product.agent_log("n1", 15),
            timeout_s=40,
        )
        assert play.host in ALL


@contextmanager
def renamed(fault_lab: FaultLab, host: str, *, named: bool) -> Iterator[None]:
    """The machine's name is another one than its Host's; `named`: agent.json says which Host it is."""
    machine = fault_lab.lab[host]
    config = machine.read_file("/etc/backstay/agent.json")
    if named:
        machine.write_file("/etc/backstay/agent.json", json.dumps({**json.loads(config), "host": host}))
        machine.run("systemctl", "restart", AGENT_UNIT)
        fault_lab.until(lambda: fault_lab.host_says(host, "Ready").startswith("True"), "Ready")
    machine.write_file("/etc/hostname", "renamed\n")
    machine.run("hostname", "renamed")
    try:
        yield
    finally:
        fault_lab.lab.tidy()
        machine.write_file("/etc/hostname", f"{host}\n")
        machine.run("hostname", host)
        machine.write_file("/etc/backstay/agent.json", config)
        machine.run("systemctl", "restart", "--no-block", AGENT_UNIT)
        fault_lab.product.wait_ready(timeout_s=60)


def test_28_an_agent_that_is_stopped_without_maintenance_leaves_in_order_or_says_what_is_asked_for(
    fault_lab: FaultLab,
) -> None:
    with case(fault_lab, "case28", on="n1") as play:
        n1 = fault_lab.lab["n1"]
        said = n1.run("sh", "-c", f"systemctl stop {AGENT_UNIT} 2>&1", check=False)
        said += n1.run("journalctl", "--no-pager", "-o", "cat", "-u", AGENT_UNIT, "-n", "20") if n1.is_on else ""
        fault_lab.until(
            lambda: "maintenance" in said.lower() or play.evidence == "Released",
            "words about maintenance, or an orderly departure",
            also=lambda: f"{said}\n{play.condition('Ready')} {presses(fault_lab, 'n1')}",
            timeout_s=10,
        )
        fault_lab.lab.tidy()
        fault_lab.product.start_agent("n1")


def test_31_a_tool_that_restarts_the_unit_again_and_again_is_no_failure(fault_lab: FaultLab) -> None:
    with case(fault_lab, "case31", on="n1") as play:
        n1 = fault_lab.lab["n1"]
        before = starts(n1, "case31.service")

        def lives_again(number: int) -> bool:
            return len(play.lives) >= number + 2 and play.is_running(on="n1")

        for number in range(4):
            n1.run("systemctl", "restart", "case31.service")
            assert is_active(n1, "case31.service")
            fault_lab.until(partial(lives_again, number), "its next life")
            play.let_live(40)
        assert starts(n1, "case31.service") == before + 4, "systemd's own restart each time, and nothing on top"
        assert (play.epoch, restarts(play, "n1"), len(play.lives)) == (1, 0, 5)
        assert play.condition("Ready").startswith("True")


def test_31_a_stop_by_hand_is_answered_once_and_told(fault_lab: FaultLab) -> None:
    with case(fault_lab, "case31-stop", on="n1") as play:
        fault_lab.lab["n1"].run("systemctl", "stop", "case31-stop.service")
        fault_lab.until(lambda: len(play.lives) == 2 and play.is_running(on="n1"), "its start in place")
        fault_lab.until(
            lambda: any("admin" in event for event in fault_lab.events("HAService", "case31-stop")),
            "an Event that says who stopped it",
            also=lambda: f"{fault_lab.events('HAService', 'case31-stop')} {report_of(play, 'n1')}",
            timeout_s=10,
        )
        assert (play.epoch, restarts(play, "n1")) == (1, 0)


TWICE = """[Service]
Type=notify
NotifyAccess=all
ExecStartPre=/usr/bin/test ! -e /srv/case33.broken
ExecStart=/bin/sh -c 'sleep 1; systemd-notify --ready; exec {tick}'
"""


def test_33_mended_and_moved_back_it_comes_and_the_old_failure_is_not_told_again(fault_lab: FaultLab) -> None:
    broken = fault_lab.lab["n1"].path("/srv/case33.broken")
    broken.touch()
    with case(fault_lab, "case33", unit=TWICE, wait=False, on="n1") as play:
        play.until_running(other_than="n1")
        broken.unlink()
        reports = Reports(fault_lab, "n1")
        for _ in range(3):
            away = play.host
            epoch = play.epoch
            move(play, "n1")
            play.until_running(on="n1")
            assert play.epoch == epoch + 1, "the first try"
            move(play, away)
            play.until_running(on=away)
        told = [one for one in reports.end() if one["name"] == "case33-0" and one["epoch"] > 1]
        assert told and not [one for one in told if one["phase"] == "Failed"], "what was said of an earlier epoch"


class Reports:
    """Every report of an agent about its instances, from now on."""

    def __init__(self, fault_lab: FaultLab, host: str) -> None:
        import subprocess

        plane = fault_lab.lab.plane
        command = [str(plane.assets.kubectl), "--kubeconfig", str(plane.admin_kubeconfig)]
        words = ["get", "hostassignment", host, "-o", "json", "--watch", "--output-watch-events"]
        self._file = fault_lab.lab.state / "reports.json"
        with self._file.open("wb") as sink:
            self._watch = subprocess.Popen([*command, *words], stdout=sink)

    def end(self) -> list[Raw]:
        self._watch.terminate()
        self._watch.wait(10)
        text, found, decoder = self._file.read_text(), [], json.JSONDecoder()
        while text.strip():
            try:
                event, end = decoder.raw_decode(text.lstrip())
            except json.JSONDecodeError:
                break
            text = text.lstrip()[end:]
            found += event["object"].get("status", {}).get("instances", {}).values()
        return found


def set_state(play: Play, state: str) -> None:
    patch = json.dumps({"spec": {"state": state}})
    play.fault_lab.lab.plane.kubectl("patch", "haservice", play.name, "-n", NAMESPACE, "--type=merge", "-p", patch)
    wanted = state == "Unmanaged"
    play.fault_lab.until(
        lambda: bool(report_of(play, play.host).get("handsOff")) is wanted,
        f"{play.host} to know that {play.name} is {state}",
        also=lambda: report_of(play, play.host),
    )


def test_what_was_unmanaged_is_taken_back_as_it_runs(fault_lab: FaultLab) -> None:
    with case(fault_lab, "left", on="n1") as play:
        n1 = fault_lab.lab["n1"]
        set_state(play, "Unmanaged")
        n1.run("systemctl", "restart", "left.service")
        fault_lab.until(lambda: has_lived(play, 2), "what the admin has restarted", also=lambda: play.lives)
        pid = main_pid(n1, "left.service")
        play.let_live(200)
        set_state(play, "Running")
        play.until_says("SurvivesHostLoss", "True")
        play.let_live(400)
        assert main_pid(n1, "left.service") == pid and has_lived(play, 2), play.lives
        assert has_address(n1, play.address) and play.epoch == 1 and restarts(play, "n1") == 0


def test_what_was_stopped_while_it_was_unmanaged_stays_so_until_it_is_taken_back(fault_lab: FaultLab) -> None:
    with case(fault_lab, "halted", on="n1") as play:
        n1 = fault_lab.lab["n1"]
        set_state(play, "Unmanaged")
        n1.run("systemctl", "stop", "halted.service")
        play.until_says("Ready", "False", "spec.state is Unmanaged")
        before = starts(n1, "halted.service")
        fault_lab.lab.plane.kubectl("annotate", "haservice", "halted", "-n", NAMESPACE, "story=halted")
        assert starts(n1, "halted.service") == before and not is_active(n1, "halted.service")
        set_state(play, "Running")
        play.until_running(on="n1")
        assert play.epoch == 1 and has_address(n1, play.address)


def test_a_second_copy_that_is_started_by_hand_is_named_and_so_is_its_end(fault_lab: FaultLab) -> None:
    """Its gate is opened by hand: it stands for whatever way somebody finds past it."""
    with case(fault_lab, "twice", unit=SLEEPER, on="n1") as play:
        until_standby(play, "n2")
        n2 = fault_lab.lab["n2"]
        gate = f"/run/backstay/gates/{gate_name('twice.service')}"
        n2.run("mkdir", "-p", "/run/backstay/gates")
        n2.run("touch", gate)
        n2.run("systemctl", "start", "twice.service")
        assert is_active(n2, "twice.service")
        said = "A second copy beside n1's: n2 runs twice.service already, not started by Backstay"
        # The standby looks every 10 s, which is a probe's period where the manifest does not say.
        play.until_says(
            "Degraded", "True", "SecondCopy", said, "systemctl stop twice.service there (seen since 20", timeout_s=20
        )
        assert (
            said in fault_lab.backstay("status")
            and play.host == "n1"
            and is_active(fault_lab.lab["n1"], "twice.service")
        )
        n2.run("systemctl", "stop", "twice.service")
        n2.run("rm", "-f", gate)
        play.until_says("Degraded", "False")
        told = fault_lab.events("HAService", "twice")
        assert any(f"SecondCopy: {said}" in each for each in told) and any(
            f"No longer: {said}" in each for each in told
        ), told
