"""Other people's bug reports about units, put to real hosts: starts that take long, daemons that die unseen, work that is done elsewhere."""

import pytest

from backstay_dev.show.fault_lab import FaultLab, Play
from backstay_testing.cases import (
    ALL,
    applied,
    case,
    kill_main,
    main_pid,
    move,
    presses,
    report_of,
    restarts,
    running_on,
    tick,
    unit_of,
    until_not_ready,
    until_ready,
)

pytestmark = [pytest.mark.api, pytest.mark.hosts]

FORKING = "[Service]\nType=forking\nPIDFile=/run/{name}.pid\nExecStart=/usr/local/bin/{name}\n"
SYSV = """[Service]
Type=forking
RemainAfterExit=yes
GuessMainPID=no
KillMode=process
ExecStart=/usr/local/bin/{name} start
ExecStop=/usr/local/bin/{name} stop
"""
ONESHOT = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/local/bin/{name} start\nExecStop=/usr/local/bin/{name} stop\n"


def daemon(name: str) -> str:
    """An init script whose daemon the unit's main process does not wait for."""
    return f"""#!/bin/sh
case $1 in
  start) {tick(name)} & echo $! >/run/{name}.pid ;;
  stop) kill "$(cat /run/{name}.pid)" ;;
esac
"""


def kill_daemon(fault_lab: FaultLab, host: str, name: str) -> None:
    fault_lab.lab[host].run("sh", "-c", f"kill -9 $(cat /run/{name}.pid)")


def test_01_a_start_that_waits_for_its_pid_file_outlives_another_services_arrival(fault_lab: FaultLab) -> None:
    """systemd forgets the PID file of a unit that is starting when it is reloaded, and we are who reloads it."""
    fork = f"#!/bin/sh\nsh -c 'sleep 4; echo $$ >/run/case01.pid; exec {tick('case01')}' &\n"
    for host in fault_lab.lab.hosts.values():
        host.install_unit("case01-other.service", unit_of("case01-other"))
    other = {"resources": [{"name": "server", "systemd": {"unit": "case01-other.service"}}]}
    with case(fault_lab, "case01", unit=FORKING, programs={"/usr/local/bin/case01": fork}, wait=False) as slow:
        fault_lab.until(
            lambda: slow.epoch == 1 and starting_on(fault_lab, "case01.service") != [], "its start to begin"
        )
        first = starting_on(fault_lab, "case01.service")
        with applied(fault_lab, "case01-other", other):
            Play("case01-other", fault_lab, "").until_running()
            slow.until_running()
            assert ([slow.host], slow.epoch, len(slow.lives)) == (first, 1, 1)


def starting_on(fault_lab: FaultLab, unit: str) -> list[str]:
    hosts = fault_lab.lab.hosts.values()
    return [one.name for one in hosts if one.run("systemctl", "is-active", unit, check=False).strip() == "activating"]


def test_a_part_that_another_service_names_runs_on_no_two_hosts(fault_lab: FaultLab) -> None:
    """Claims know names only: each of the two could be granted to another host, and the part would run on both."""
    hosts = fault_lab.lab.hosts.values()
    for host in hosts:
        part = f"[Unit]\nPartOf=common.service\n{unit_of('common-part')}[Install]\nWantedBy=common.service\n"
        host.install_unit("common-part.service", part)
        host.run("systemctl", "enable", "common-part.service")
    other = {"resources": [{"name": "part", "systemd": {"unit": "common-part.service"}}]}
    with case(fault_lab, "common") as whole, applied(fault_lab, "common-part", other):
        others = [name for name in ALL if name != whole.host]
        until_not_ready(whole, others, "common-part.service starts and stops with common.service", "common-part names")
        part_alone = Play("common-part", fault_lab, "")
        until_not_ready(part_alone, others, "starts and stops with common.service", "/common names common.service")
        until_not_ready(part_alone, [whole.host], "common-part.service")
        running = [
            one.name
            for one in hosts
            if one.run("systemctl", "is-active", "common-part.service", check=False).strip() == "active"
        ]
        assert (running, part_alone.instance["spec"].get("grant")) == ([whole.host], None)


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        pytest.param("case10", "StopWhenUnneeded=yes", id="stopped when nobody needs it"),
        pytest.param("case10-bound", "BindsTo=nowhere.service", id="bound to a unit that is not there"),
    ],
)
def test_10_a_unit_that_systemd_would_stop_at_once_is_refused_in_its_setting_s_name(
    fault_lab: FaultLab, name: str, setting: str
) -> None:
    word = setting.partition("=")[0] if "Unneeded" in setting else "nowhere.service"
    with case(fault_lab, name, unit=f"[Unit]\n{setting}\n" + "[Service]\nExecStart={tick}\n", wait=False) as play:
        until_not_ready(play, ALL, word)
        play.until_says("Ready", "False", word)
        assert play.lives == [], "nobody tried"


@pytest.mark.parametrize(
    ("name", "unit"),
    [pytest.param("case16", SYSV, id="forking"), pytest.param("case16-oneshot", ONESHOT, id="oneshot")],
)
def test_16_a_daemon_that_died_in_a_unit_that_stays_active_is_noticed(
    fault_lab: FaultLab, name: str, unit: str
) -> None:
    program = {f"/usr/local/bin/{name}": daemon(name)}
    with case(fault_lab, name, unit=unit, programs=program, wait=False) as play:
        fault_lab.until(
            lambda: play.is_running() or "probe" in play.condition("Ready"),
            "it to run, or a sentence that asks for a probe",
            also=lambda: play.condition("Ready"),
        )
        if play.condition("Ready").startswith("True"):
            kill_daemon(fault_lab, play.host, name)
            fault_lab.until(
                lambda: len(play.lives) >= 2 and play.is_running(),
                "another life of the daemon",
                also=lambda: f"{play.condition('Ready')}; {len(play.lives)} lives",
                timeout_s=20,
            )


def test_18_all_hosts_where_the_package_has_started_it_already_are_named_at_once_with_the_unit(
    fault_lab: FaultLab,
) -> None:
    unit = "[Service]\nExecStart=/usr/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
    for host in fault_lab.lab.hosts.values():
        host.install_unit("case18.service", unit)
        host.run("systemctl", "enable", "--now", "case18.service")
    with case(fault_lab, "case18", unit=unit, wait=False) as play:
        said = play.until_says("Ready", "False", "n1", "n2", "n3", "case18.service")
        assert play.instance["spec"].get("epoch", 0) == 0 and running_on(fault_lab, "case18.service") == [*ALL], said
        for host in fault_lab.lab.hosts.values():
            host.run("systemctl", "stop", "case18.service")
        until_ready(play)
        assert running_on(fault_lab, "case18.service") == [play.host]
    for host in fault_lab.lab.hosts.values():
        host.run("systemctl", "disable", "case18.service")


def test_25_a_reload_is_no_failure_and_a_death_during_it_is_noticed(fault_lab: FaultLab) -> None:
    unit = "[Service]\nExecStart={tick}\nExecReload=/usr/bin/sleep 2\n"
    with case(fault_lab, "case25", unit=unit) as play:
        host = fault_lab.lab[play.host]
        before = main_pid(host, "case25.service")
        host.run("systemctl", "reload", "case25.service")
        assert main_pid(host, "case25.service") == before and play.saw_nothing() and restarts(play, host.name) == 0
        host.run("systemctl", "reload", "--no-block", "case25.service")
        fault_lab.until(
            lambda: host.run("systemctl", "is-active", "case25.service", check=False).strip() == "reloading", "a reload"
        )
        kill_main(host, "case25.service")
        fault_lab.until(lambda: len(play.lives) == 2 and play.is_running(on=host.name), "its restart in place")
        assert play.epoch == 1


SCOPE = "systemd-run --quiet --scope --unit={name}-payload {tick}"
TRANSIENT = "systemd-run --quiet --unit={name}-payload {tick}"


@pytest.mark.parametrize(
    ("name", "work"),
    [pytest.param("case26", SCOPE, id="scope"), pytest.param("case26-service", TRANSIENT, id="service")],
)
def test_26_work_that_a_unit_does_in_another_control_group_never_runs_twice(
    fault_lab: FaultLab, name: str, work: str
) -> None:
    """As podman does: the payload in a scope of its own, a watcher in the unit, and a stop that hangs."""
    program = f"#!/bin/sh\n{unit_of(name, work)} &\nexec sleep infinity\n"
    unit = "[Service]\nExecStart=/usr/local/bin/{name}\nExecStop=/usr/bin/sleep 60\n"
    stop = {"timeouts": {"stop": "2s"}}
    with case(
        fault_lab, name, unit=unit, programs={f"/usr/local/bin/{name}": program}, server=stop, on="n1", wait=False
    ) as play:
        refusal = "outside of its control group"
        fault_lab.until(
            lambda: play.is_running(on="n1") or refusal in play.condition("Ready"), "it to run, or a refusal"
        )
        if play.lives:
            move(play, "n2")
            fault_lab.until(
                lambda: play.is_running(on="n2") or (play.host == "n1" and "payload" in str(report_of(play, "n1"))),
                "it to run on n2, or the host to name what still runs",
                also=lambda: f"{play.condition('Ready')} {report_of(play, 'n1')}",
            )
        assert fault_lab.judge() == []
    fault_lab.until(lambda: not any_ticker(fault_lab, name), "nothing of it to be left")


def any_ticker(fault_lab: FaultLab, name: str) -> bool:
    return any(any_ticker_on(fault_lab, host.name, name) for host in fault_lab.lab.hosts.values() if host.is_on)


def any_ticker_on(fault_lab: FaultLab, host: str, name: str) -> bool:
    return f"{name}-0 /shared" in fault_lab.lab[host].run("ps", "axo", "args")


FAILING_STOP = """[Service]
KillMode=process
ExecStart=/bin/sh -c '{tick} & exec sleep infinity'
ExecStop=/bin/false
ExecStopPost=/bin/false
"""


def test_37_stop_commands_that_fail_do_not_hold_up_a_move_and_nothing_is_left(fault_lab: FaultLab) -> None:
    with case(fault_lab, "case37", unit=FAILING_STOP, on="n1") as play:
        move(play, "n2")
        play.until_running(on="n2")
        assert play.evidence == "Released" and not any(presses(fault_lab, host) for host in ALL)
        assert [life.host for life in play.lives] == ["n1", "n2"]
        assert not any_ticker_on(fault_lab, "n1", "case37")


FAILING_ONESHOT = """[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/touch /run/case37
ExecStop=/bin/false
"""


def test_37_a_oneshot_whose_stop_failed_is_not_called_stopped(fault_lab: FaultLab) -> None:
    """Nothing of it lives by which one could tell: what `systemctl stop` says is all there is."""
    probe = {"name": "done", "exec": {"command": ["/usr/bin/test", "-e", "/run/case37"]}, "period": "500ms"}
    with case(fault_lab, "case37-oneshot", unit=FAILING_ONESHOT, server={"probes": [probe]}, on="n1") as play:
        move(play, "n2")
        fault_lab.until(
            lambda: "stop failed" in play.condition("Ready") + str(report_of(play, "n1")),
            "n1 to say that its stop failed",
            also=lambda: f"{play.condition('Ready')} {report_of(play, 'n1')}",
            timeout_s=20,
        )
        assert running_on(fault_lab, "case37-oneshot.service") in ([], ["n1"]), "nobody else has it"
        fault_lab.lab["n1"].power_off()
        until_ready(play, on="n2", epoch=2)
        assert play.evidence in ("Boot", "Device")
        fault_lab.lab["n1"].power_on()
        # Mended, or it could be deleted only by another reboot.
        for host in fault_lab.lab.hosts.values():
            host.install_unit(
                "case37-oneshot.service", FAILING_ONESHOT.replace("/bin/false", "/usr/bin/rm /run/case37")
            )
