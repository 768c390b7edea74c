"""One real host and the people who work on it: hands off, restarts by tools, slow starts, a clean reboot. The test plays the operator."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from backstay_dev.lab.lab import Lab
from backstay_dev.lab.shell import LabError, wait_until
from backstay_testing.site import Site

pytestmark = [pytest.mark.api, pytest.mark.hosts]

# Its restart takes long enough for everybody to see it.
CONF = "[Service]\nExecStart=/usr/bin/sleep infinity\nExecStop=/usr/bin/sleep 0.3\n"
# Active at once, answers after three seconds.
LAZY = (
    "[Service]\nExecStart=/usr/bin/python3 -c "
    "\"import time, http.server as h; time.sleep(3); h.HTTPServer(('', 8036), h.SimpleHTTPRequestHandler).serve_forever()\"\n"
)
# Longer than systemd would wait for an agent that does not ask for more time.
SLOW = "[Service]\nExecStart=/usr/bin/sleep infinity\nExecStop=/usr/bin/sleep 20\nTimeoutStopSec=60\n"
LEDGER = """\
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/sh -c 'sleep 15; date >/srv/ledger.ok; sync'
TimeoutStopSec=60
"""


def resources(unit: str, address: str, **more: object) -> list[dict[str, object]]:
    return [
        {"name": "server", "systemd": {"unit": unit}, **more},
        {"name": "address", "virtualIP": {"address": address}},
    ]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Lab(1, progress=print) as lab:
        site = Site(lab)
        for name, text in (
            ("lazy", LAZY),
            ("slow", SLOW),
            ("ledger", LEDGER),
            *((name, CONF) for name in ("conf", "asks", "calm")),
        ):
            site.host.install_unit(f"{name}.service", text)
        yield site
        print(site.journal())


def up(site: Site, uid: str, epoch: int, unit: str, address: str, **more: object) -> None:
    site.order("Up", epoch, uid=uid, resources=resources(unit, address, **more))
    site.until_report("the service is up", uid=uid, phase="Running", healthy=True)


def is_active(site: Site, unit: str) -> bool:
    return site.host.run("systemctl", "is-active", unit, check=False).strip() == "active"


def test_restarts_by_a_tool_are_systemds_and_count_nothing(site: Site) -> None:
    up(site, "conf", 1, "conf.service", "192.0.2.132/24")
    before = site.starts("conf.service")
    for n in range(4):
        pid = site.main_pid("conf.service")
        site.host.run("systemctl", "restart", "conf.service")
        assert site.main_pid("conf.service") not in (0, pid), n
        site.until_report("up again", uid="conf", phase="Running", healthy=True, restarts=0)
    assert site.starts("conf.service") == before + 4
    site.until(lambda status: "restart" in status["instances"]["conf"].get("byAdmin", ""), "it is told")


def test_a_stop_by_hand_is_answered_once_and_told(site: Site) -> None:
    up(site, "conf", 1, "conf.service", "192.0.2.132/24")
    site.host.run("systemctl", "stop", "conf.service")
    wait_until(lambda: is_active(site, "conf.service"), timeout_s=10, what="it is started again")
    site.until_report("up again", uid="conf", phase="Running", healthy=True, restarts=0)
    site.until(lambda status: "stopped by an admin" in status["instances"]["conf"].get("byAdmin", ""), "it is told")


def test_hands_off_the_unit_is_the_admins_and_is_taken_over_as_it_is(site: Site) -> None:
    up(site, "conf", 1, "conf.service", "192.0.2.132/24")
    site.say({"handsOff": "a package is upgraded"})
    site.until(lambda status: status.get("handsOff"), "hands off")
    for _ in range(4):
        site.host.run("systemctl", "stop", "conf.service")
        site.until(lambda status: not status["instances"]["conf"]["healthy"], "the stop is seen")
        assert not is_active(site, "conf.service")
        site.host.run("systemctl", "start", "conf.service")
        assert is_active(site, "conf.service"), "what the admin starts starts"
    # Also while the agent is away, and when it comes back.
    site.host.run("systemctl", "stop", "conf.service")
    site.host.run("systemctl", "restart", "backstay-agent.service")
    site.until_report("seen as it is", uid="conf", healthy=False, restarts=0)
    assert not is_active(site, "conf.service")
    site.host.run("systemctl", "start", "conf.service")
    pid = site.main_pid("conf.service")
    site.say({"handsOff": ""})
    site.until(lambda status: not status.get("handsOff"), "hands on")
    site.until_report("taken over", uid="conf", phase="Running", healthy=True, restarts=0)
    assert site.main_pid("conf.service") == pid
    site.order("Down", 1, uid="conf", resources=resources("conf.service", "192.0.2.132/24"))
    site.until_report("released", uid="conf", released=True)


def test_the_address_of_a_lazy_server_comes_up_when_it_answers(site: Site) -> None:
    probe = {"name": "alive", "httpGet": {"port": 8036}, "period": "10s", "timeout": "500ms"}
    lazy = resources("lazy.service", "192.0.2.136/24", probes=[probe], timeouts={"start": "60s"})
    site.order("Up", 1, uid="lazy", resources=lazy)
    site.until_report("starting", uid="lazy", phase="Starting", healthy=False)
    wait_until(lambda: is_active(site, "lazy.service"), timeout_s=10, what="systemd calls it active")
    assert "192.0.2.136" not in site.host.run("ip", "-br", "addr")
    site.until_report("up", uid="lazy", phase="Running", healthy=True, restarts=0)
    assert "192.0.2.136" in site.host.run("ip", "-br", "addr")
    site.host.run(
        "/usr/bin/python3", "-c", "import urllib.request as u; u.urlopen('http://192.0.2.136:8036/', timeout=2)"
    )
    site.order("Down", 1, uid="lazy", resources=lazy)
    site.until_report("released", uid="lazy", released=True)


def test_who_wants_to_stop_the_agent_is_told_in_words(site: Site) -> None:
    up(site, "conf", 2, "conf.service", "192.0.2.132/24")
    ask = ("env", "PYTHONPATH=/opt/backstay", "python3", "-m", "backstay_agent.main", "--may-stop")
    with pytest.raises(LabError, match="this host holds shop/"):
        site.host.run(*ask)
    shown = ("systemctl", "show", "-p", "StatusText", "backstay-agent.service")
    wait_until(
        lambda: "lease held" in site.host.run(*shown), timeout_s=5, what="`systemctl status` to tell of the lease"
    )


MUTE = "import socket, time; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('127.0.0.9', 53)); time.sleep(1e6)"


def test_a_name_server_that_does_not_answer_holds_up_neither_a_restart_nor_a_start(site: Site) -> None:
    """Who asks it hangs in a thread that nobody can end; without its agent the host is taken for dead within seconds."""
    site.host.run("systemd-run", "--unit=mute", "/usr/bin/python3", "-c", MUTE)
    site.host.write_file("/etc/resolv.conf", "nameserver 127.0.0.9\noptions timeout:30 attempts:2\n")
    hosts = [f"db{number}.shop.example" for number in range(8)]
    probes = [{"name": f"p{at}", "tcpSocket": {"host": host, "port": 5432}} for at, host in enumerate(hosts)]
    asks = [{"name": "server", "systemd": {"unit": "asks.service"}, "timeouts": {"start": "60s"}, "probes": probes}]
    site.order("Up", 1, uid="asks", resources=asks)
    wait_until(lambda: "no answer" in site.report_of("asks").get("why", ""), timeout_s=20, what="a probe's complaint")
    up(site, "calm", 1, "calm.service", "192.0.2.138/24")
    begun_s = time.monotonic()
    site.host.run("systemctl", "restart", "backstay-agent.service")
    assert time.monotonic() - begun_s < 10
    for uid, resources_of in (("asks", asks), ("calm", resources("calm.service", "192.0.2.138/24"))):
        site.order("Down", 1, uid=uid, resources=resources_of)
        site.until_report("released", uid=uid, released=True)
    site.host.run("systemctl", "stop", "mute.service")
    site.host.path("/etc/resolv.conf").unlink()


def test_a_clean_reboot_releases_everything_and_lets_others_finish(site: Site) -> None:
    up(site, "conf", 2, "conf.service", "192.0.2.132/24")
    command = {"start": ["/usr/bin/touch", "/srv/on"], "stop": ["/usr/bin/rm", "-f", "/srv/on"]}
    site.order("Up", 2, uid="files", resources=[{"name": "files", "command": command}])
    site.until_report("the files are up", uid="files", phase="Running", healthy=True)
    up(site, "slow", 2, "slow.service", "192.0.2.137/24")
    site.host.run("systemctl", "start", "ledger.service")
    site.host.run("systemctl", "enable", "backstay-agent.service")
    old = site.status["session"]
    site.host.run("systemctl", "--no-block", "reboot")
    site.until(lambda status: status.get("shuttingDown"), "it says that it goes down")
    site.until_report("released", uid="conf", released=True)
    site.until_report("released too", uid="files", released=True)
    assert not site.report_of("slow")["released"], "what takes its time is not over"
    assert site.status["session"] == old and not site.host.path("/srv/on").exists()
    wait_until(lambda: site.host.path("/srv/ledger.ok").exists(), timeout_s=30, what="the other unit is through")
    site.until_report("the slow one is released at last", uid="slow", released=True)
    site.until(lambda status: status["session"]["bootID"] != old["bootID"], "the next boot", timeout_s=90)
    assert not site.status.get("shuttingDown")
