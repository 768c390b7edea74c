"""Other people's bug reports about checks: programs that are missing, exit codes that mean something else, answers that come late."""

import pytest

from backstay_dev.show.fault_lab import FaultLab, Play
from backstay_testing.cases import (
    ALL,
    OTHERS,
    applied,
    case,
    explain,
    free_address,
    holding,
    main_pid,
    restarts,
    second_interface,
    tick,
    until_not_ready,
    until_ready,
    until_standby,
)

pytestmark = [pytest.mark.api, pytest.mark.hosts]

WELL = "/usr/local/bin/is-well"


def exec_probe(program: str, **more: object) -> dict[str, object]:
    probe = {"name": "well", "exec": {"command": [program]}, "period": "500ms", "timeout": "400ms", **more}
    return {"probes": [probe]}


@pytest.mark.parametrize(
    ("name", "elsewhere", "word"),
    [
        pytest.param("case05", None, "is-well", id="no program"),
        pytest.param("case05-interpreter", "#!/opt/none/python3\n", "/opt/none/python3", id="no interpreter"),
    ],
)
def test_05_a_host_without_the_probes_program_is_not_ready_and_says_which(
    fault_lab: FaultLab, name: str, elsewhere: str | None, word: str
) -> None:
    fault_lab.lab["n1"].write_file(WELL, "#!/bin/sh\nexit 0\n", mode=0o755)
    for other in OTHERS:
        fault_lab.lab[other].path(WELL).unlink(missing_ok=True)
        if elsewhere is not None:
            fault_lab.lab[other].write_file(WELL, elsewhere, mode=0o755)
    with case(fault_lab, name, server=exec_probe(WELL, failureThreshold=3)) as play:
        until_not_ready(play, OTHERS, word)
        play.until_says("StandbyReady", "False")
        assert play.host == "n1" and word in explain(play)
        fault_lab.lab["n1"].power_off()
        # Until it is proven off: one that comes back before that is switched off as it boots.
        fault_lab.until(
            lambda: play.evidence == "Device", "the proof that n1 is off", also=lambda: play.condition("Ready")
        )
        assert [life.host for life in play.lives] == ["n1"], "nobody starts what could never be well there"
        fault_lab.lab["n1"].power_on()
        play.until_running(on="n1")


LEGACY = """#!/bin/sh
# Exit codes of status as LSB wants them: 0 runs, 1 dead with a PID file, 3 stopped.
pid=/run/case17.pid
running() { [ -s $pid ] && kill -0 "$(cat $pid)" 2>/dev/null; }
case $1 in
  start) running || { sleep infinity & echo $! >$pid; } ;;
  stop) running && kill "$(cat $pid)"; rm -f $pid ;;
  status) running && exit 0; [ -e $pid ] && exit 1; exit 3 ;;
esac
"""


def test_17_a_check_that_exits_with_3_is_told_as_that_and_not_as_something_that_runs(fault_lab: FaultLab) -> None:
    for host in fault_lab.lab.hosts.values():
        host.write_file("/etc/init.d/case17", LEGACY, mode=0o755)
    verbs = {"start": "start", "stop": "stop", "check": "status"}
    command = {verb: ["/etc/init.d/case17", word] for verb, word in verbs.items()}
    with applied(fault_lab, "case17", {"resources": [{"name": "server", "command": command}]}):
        play = Play("case17", fault_lab, "")
        wrong: list[str] = []

        def told() -> bool:
            said = play.condition("Ready")
            if "stop it there" in said or "some of it" in said or "something of it" in said:
                wrong.append(said)
            return "cannot say whether it runs there" in said and "exited with 3" in said

        fault_lab.until(told, "the exit code", also=lambda: play.condition("Ready"), timeout_s=20)
        assert "wanted 0" in play.condition("Ready") and "7" in play.condition("Ready")
        assert not wrong, "nothing is said to run, at no time"


def test_29_a_check_that_prints_an_error_and_exits_with_0_is_a_good_one(fault_lab: FaultLab) -> None:
    program = {"/usr/local/bin/case29": "#!/bin/sh\ndate >>/run/case29\necho CRITICAL: 1\nexit 0\n"}
    with case(fault_lab, "case29", programs=program, server=exec_probe("/usr/local/bin/case29")) as play:
        host = fault_lab.lab[play.host]
        fault_lab.until(lambda: len(host.read_file("/run/case29").splitlines()) >= 4, "some checks")
        assert play.saw_nothing() and restarts(play, play.host) == 0


LAZY = "#!/bin/sh\nsleep 4\nexec /bin/busybox httpd -f -p 8036 -h /srv\n"


@pytest.mark.parametrize(
    ("name", "delay"),
    [
        pytest.param("case36", {"initialDelay": "10s"}, id="initialDelay"),
        pytest.param("case36-bare", {}, id="no initialDelay"),
    ],
)
def test_36_ready_and_the_address_come_after_the_first_good_answer(
    fault_lab: FaultLab, name: str, delay: dict[str, str]
) -> None:
    """Type=simple: systemd calls it active at once, and it listens four seconds later."""
    probe = {
        "name": "alive",
        "httpGet": {"port": 8036, "path": "/lazy"},
        "period": "500ms",
        "timeout": "400ms",
        **delay,
    }
    for host in fault_lab.lab.hosts.values():
        host.write_file("/srv/lazy", "here\n")
    unit = "[Service]\nExecStart=/usr/local/bin/{name}\n"
    server = {"timeouts": {"start": "30s"}, "probes": [probe]}
    with case(fault_lab, name, unit=unit, programs={f"/usr/local/bin/{name}": LAZY}, server=server, wait=False) as play:
        early: list[str] = []

        def ready() -> bool:
            held, listening = holding(fault_lab, play.address), listens(fault_lab)
            if held and not listening:
                early.append(f"{held} held the address and nobody listened")
            return play.condition("Ready").startswith("True")

        fault_lab.until(ready, "Ready", also=lambda: play.condition("Ready"))
        assert listens(fault_lab) == [play.host] and not early
        assert play.epoch == 1 and restarts(play, play.host) == 0
        until_ready(play, on=play.host)


def listens(fault_lab: FaultLab) -> list[str]:
    """Hosts on which somebody listens on the port, by the kernel's table."""
    return [name for name in ALL if fault_lab.lab[name].is_on and ":8036 " in fault_lab.lab[name].run("ss", "-ltnH")]


def test_a_page_that_says_something_else_degrades_and_restarts_nothing(fault_lab: FaultLab) -> None:
    page = {"port": 8037, "path": "/state", "expectedStatus": ["200"], "expectedBody": {"matches": "^(ready|idle)$"}}
    probes = [
        {"name": "alive", "httpGet": {"port": 8037, "path": "/state"}, "period": "500ms", "timeout": "400ms"},
        {"name": "page", "httpGet": page, "period": "500ms", "timeout": "400ms", "onFailure": "Degrade"},
    ]
    for host in fault_lab.lab.hosts.values():
        host.write_file("/srv/partly/state", "ready\n")
    unit = "[Service]\nExecStart=/bin/busybox httpd -f -p 8037 -h /srv/partly\n"
    with case(fault_lab, "partly", unit=unit, server={"probes": probes}) as play:
        play.until_says("Degraded", "False")
        host, before = fault_lab.lab[play.host], main_pid(fault_lab.lab[play.host], "partly.service")
        host.write_file("/srv/partly/state", "rebuilding\n")
        play.until_says("Degraded", "True", "WorksPartly", "probe page: no line of the answer matches", "rebuilding")
        assert play.condition("Ready").startswith("True")
        host.write_file("/srv/partly/state", "idle\n")
        play.until_says("Degraded", "False")
        assert main_pid(host, "partly.service") == before and restarts(play, play.host) == 0 and play.epoch == 1
        told = fault_lab.events("HAService", "partly")
        assert any("WorksPartly" in each for each in told) and any("WorksFully" in each for each in told), told


def test_whom_no_other_host_reaches_is_told_and_left_where_it_works(fault_lab: FaultLab) -> None:
    """A route of n2's own leads nowhere: n1 and n3 see nothing of it."""
    address = free_address(fault_lab)
    asked = {"port": 8038, "path": "/page", "host": address}
    eye = {"name": "eye", "from": "Standby", "httpGet": asked, "period": "500ms", "timeout": "400ms"}
    shown = {"name": "address", "virtualIP": {"address": f"{address}/24"}, "probes": [eye]}
    for host in fault_lab.lab.hosts.values():
        host.write_file("/srv/reached/page", "here\n")
    unit, other = "[Service]\nExecStart=/bin/busybox httpd -f -p 8038 -h /srv/reached\n", fault_lab.lab["n2"]
    with case(fault_lab, "reached", unit=unit, resources=[shown], on="n1") as play:
        play.until_says("Degraded", "False")
        before = main_pid(fault_lab.lab["n1"], "reached.service")
        other.run("ip", "route", "add", "blackhole", f"{address}/32", "metric", "1")
        try:
            play.until_says(
                "Degraded", "True", "NotReachable", "It works on n1", "n2: address: probe eye:", "n3 does not say so"
            )
            assert play.condition("Ready").startswith("True") and "NotReachable" in explain(play)
        finally:
            other.run("ip", "route", "del", "blackhole", f"{address}/32", "metric", "1")
        play.until_says("Degraded", "False")
        assert main_pid(fault_lab.lab["n1"], "reached.service") == before and play.epoch == 1
        assert any("NotReachable" in each for each in fault_lab.events("HAService", "reached"))


PACE = "/srv/slow-pace"
AT_A_PACE = f'#!/bin/sh\nexec sleep "$(cat {PACE})"\n'


def test_answers_that_come_ever_later_are_suspected_and_nothing_is_restarted(fault_lab: FaultLab) -> None:
    probe = {
        "name": "pace",
        "exec": {"command": ["/usr/local/bin/pace"]},
        "period": "500ms",
        "timeout": "2s",
        "failureThreshold": 2,
    }
    for host in fault_lab.lab.hosts.values():
        host.write_file(PACE, "0\n")
    with case(fault_lab, "slow", programs={"/usr/local/bin/pace": AT_A_PACE}, server={"probes": [probe]}) as play:
        play.until_says("Degraded", "False")
        host, before = fault_lab.lab[play.host], main_pid(fault_lab.lab[play.host], "slow.service")
        host.write_file(PACE, "1.2\n")
        play.let_live(800)  # two answers at least
        host.write_file(PACE, "60\n")
        play.until_says("Degraded", "True", "Suspect", "probe pace: answers slowly", "waiting up to 10 s more")
        assert play.condition("Ready").startswith("True Suspect") and "answers slowly" in explain(play)
        host.write_file(PACE, "0\n")
        play.until_says("Degraded", "False")
        assert main_pid(host, "slow.service") == before and restarts(play, play.host) == 0 and play.epoch == 1
        told = fault_lab.events("HAService", "slow")
        assert any("Suspect" in each for each in told) and any("WorksFully" in each for each in told), told


HANGS = """#!/usr/bin/python3
# Leaves traces until it is told to hang, then waits in the kernel, as one does whose disk is gone.
import ctypes, os, runpy, sys, threading, time

def hang():
    while not os.path.exists("/srv/hang-now"):
        time.sleep(0.05)
    number = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
    ctypes.CDLL(None).syscall(number, 0x4000 | 17, 0, 0, 0, 0)  # clone: CLONE_VFORK without CLONE_VM
    time.sleep(1e6)

threading.Thread(target=hang).start()
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_what_hangs_in_the_kernel_is_named_where_no_answer_comes(fault_lab: FaultLab) -> None:
    answer = "#!/bin/sh\n[ -e /srv/hang-now ] && exec sleep 60\nexit 0\n"
    probe = {"name": "answers", "exec": {"command": ["/usr/local/bin/answers"]}, "period": "500ms", "timeout": "400ms"}
    alive = {"name": "alive", "exec": {"command": ["/bin/true"]}, "period": "500ms", "timeout": "20s"}
    programs = {"/usr/local/bin/answers": answer, "/usr/local/bin/hangs": HANGS}
    unit = "[Service]\nExecStart=/usr/local/bin/hangs " + " ".join(tick("hangs").split()[3:]) + "\n"
    server = {"probes": [alive, {**probe, "onFailure": "Degrade", "failureThreshold": 2}]}
    for host in fault_lab.lab.hosts.values():
        host.path("/srv/hang-now").unlink(missing_ok=True)
    with case(fault_lab, "hangs", unit=unit, programs=programs, server=server) as play:
        play.until_running()
        host = fault_lab.lab[play.host]
        pid = main_pid(host, "hangs.service")
        host.write_file("/srv/hang-now", "")
        said = play.until_says(
            "Degraded", "True", "no answer within 0.4 s; it hangs in the kernel (D state):", f"{pid} ("
        )
        assert f"{pid} (hangs, in " in said
        assert main_pid(host, "hangs.service") == pid, "what only degrades restarts nothing"


def test_a_host_that_lacks_what_it_must_have_says_so_and_is_left_where_that_is_asked_for(fault_lab: FaultLab) -> None:
    n1 = fault_lab.lab["n1"]
    with second_interface(fault_lab), case(fault_lab, "unfit", on="n1") as play:
        until_standby(play, "n2")
        hosts_file = n1.path("/etc/hosts").read_text()
        n1.write_file("/etc/hosts", f"{hosts_file}192.0.2.250 ldap.example\n")
        try:
            fault_lab.patch_host("n1", {"checks": {"interfaces": ["svc0"], "names": ["ldap.example"]}})
            n1.write_file("/etc/hosts", hosts_file)
            until_host_says(fault_lab, "n1", "False Names", "ldap.example does not resolve")
            assert play.host == "n1", "what runs there stays"
            n1.write_file("/etc/hosts", f"{hosts_file}192.0.2.250 ldap.example\n")
            until_host_says(fault_lab, "n1", "True NothingFound")
            fault_lab.patch_host("n1", {"checks": {"onFailure": "Drain"}})
            n1.run("ip", "link", "set", "svc0", "down")
            until_host_says(fault_lab, "n1", "False Network", "interface svc0, which this host needs, is switched off")
            play.until_running(other_than="n1")
            n1.run("ip", "link", "set", "svc0", "up")
            until_host_says(fault_lab, "n1", "True NothingFound")
        finally:
            n1.write_file("/etc/hosts", hosts_file)
            fault_lab.patch_host("n1", {"checks": None})


def until_host_says(fault_lab: FaultLab, host: str, *words: str) -> None:
    """Wait until its condition Healthy says this."""

    def said() -> str:
        status = fault_lab.product.condition("hosts", host, "Healthy")
        return f"{status} {fault_lab.product.condition_words('hosts', host, 'Healthy')}"

    fault_lab.until(lambda: all(word in said() for word in words), f"{host} to say {words}", also=said)
