"""The page "Install" as it stands, on two fresh machines of Debian 12, then of 13: packages, join lines, a service; an upgrade, the end.

The lab has no Pods, so `helm install` is followed by the chart's operator and fencer as processes; ssh is what the lab has instead. The CLI
is the one in its package, unpacked.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from backstay_api.objects import lease
from backstay_dev.lab.hosts import MACHINE_UUID_FILE, LabHost
from backstay_dev.lab.image import NEXT_SUITE, SUITE
from backstay_dev.lab.lab import Lab
from backstay_dev.lab.product import AGENT_UNIT, FENCING_NAMESPACE, Product
from backstay_dev.lab.services import install_web
from backstay_dev.lab.shell import REPOSITORY, LabError, call, wait_until
from backstay_dev.package.build import package
from backstay_dev.package.versions import Release
from backstay_dev.rights.audit import Tally
from backstay_testing.console import console_steps

pytestmark = [pytest.mark.api, pytest.mark.hosts]

FIRST, NEXT = Release("0.1.0", 1_700_000_000), Release("0.1.1", 1_700_000_001)
MOST_COMMANDS, MOST_S = 10, 120.0


@dataclass
class Site:
    """An administrator's machine, and two fresh ones."""

    lab: Lab
    product: Product
    dist: Path
    tools: Path
    """Where the CLI's package is unpacked."""
    tally: Tally = field(default_factory=Tally)

    def backstay(self, *words: str) -> str:
        env = {**os.environ, "KUBECONFIG": str(self.lab.plane.admin_kubeconfig)}
        env = {name: value for name, value in env.items() if not name.startswith("PYTHON")}
        # This Python has Debian's two packages; nothing of ours is on its path but what the package carries.
        command = [sys.executable, "-IB", str(self.tools / "usr/bin/backstay"), *words]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def deb(self, release: Release) -> Path:
        return self.dist / f"backstay-agent_{release.for_packages}_all.deb"


@pytest.fixture(scope="module", params=[SUITE, NEXT_SUITE])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    dist, tools = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("tools")
    for release in (FIRST, NEXT):
        package("backstay-agent", release, dist)
    call("dpkg-deb", "-x", package("backstay-cli", FIRST, dist)[0][0], tools)
    call(sys.executable, "-m", "compileall", "-q", tools, timeout_s=120)  # as the package does it
    with Lab(2, progress=print, suite=request.param) as lab:
        for host in lab.hosts.values():
            make_fresh(host)
        site = Site(lab, Product(lab), dist, tools)
        yield site
        site.tally.take(lab.plane)
        assert site.tally.report().missing == (), site.tally.report().text()


def make_fresh(host: LabHost) -> None:
    """The lab's image has what the lab needs: a bare Debian has no sdbus, and nobody has brought a CA."""
    host.run(
        "sh", "-c", "rm -rf /usr/lib/python3/dist-packages/sdbus* /etc/backstay/ca.crt; umount -l /opt/backstay || true"
    )
    host.write_file("/root/machine-uuid", host.read_file(MACHINE_UUID_FILE))
    install_web(host)


def steps() -> list[str]:
    """The commands of the page's section, in order."""
    page = (REPOSITORY / "docs/how-to/install.md").read_text()
    section = page.partition("## From nothing to the first service")[2].partition("\n## ")[0]
    return [step.command for step in console_steps(section)]


def carry_out(site: Site, command: str) -> None:
    """One line of the page, with the lab's ways for what it has otherwise: Pods, ssh, addresses of BMCs."""
    words = shlex.split(command)
    match words:
        case ["helm", "install", *_]:
            site.product.install()
            site.product.start_operator()
            site.product.start_fencer()
        case ["sudo", "apt", "install", _]:
            pass  # unpacked by the fixture: this is nobody's machine to install on
        case ["kubectl", "apply", "-f", "bmcs.yaml"]:
            for name, bmc in site.lab.bmcs.items():
                site.product.give_secret(f"{name}-bmc", bmc.secret("fence_redfish"))
        case ["backstay", "host", "add", name, "--bmc", agent, "--bmc-parameter", _, "--bmc-secret", secret]:
            parameters = site.lab.bmcs[name].parameters(agent)
            given = [word for pair in parameters.items() for word in ("--bmc-parameter", "=".join(pair))]
            site.backstay("host", "add", name, "--bmc", agent, *given, "--bmc-secret", secret)
        case ["scp", _, to, "&&", "ssh", name, "apt", "install", _]:
            assert to == f"{name}:"
            install(site, site.lab[name], FIRST)
        case ["backstay", "host", "join-token", name, "|", "ssh", to, "backstay-agent", "join", "-"]:
            assert to == name
            line = site.backstay("host", "join-token", name, "--server", site.lab.relay.hosts_url)
            said = join(site.lab[name], line)
            assert "lease held" in said, said
        case ["kubectl", "apply", "-f", file, "&&", "kubectl", "wait", *rest]:
            site.lab.plane.kubectl("apply", "-f", REPOSITORY / file)
            site.lab.plane.kubectl("wait", *rest, "--timeout=60s")
        case _:
            raise AssertionError(f"nobody has tried this line of the page: {command}")


def install(site: Site, host: LabHost, release: Release, *, check: bool = True) -> str:
    """As apt does it once it has the file and what it depends on. What was printed."""
    file = site.deb(release)
    target = host.path(f"/root/{file.name}")
    target.write_bytes(file.read_bytes())
    return host.run("sh", "-c", f"dpkg -i /root/{file.name} 2>&1", timeout_s=60, check=check)


def join(host: LabHost, line: str) -> str:
    words = "backstay-agent join --machine-uuid-file /root/machine-uuid - 2>&1"
    return host.run("sh", "-c", words, stdin=line, timeout_s=60, check=False)


def main_pid(host: LabHost, unit: str) -> int:
    return int(host.run("systemctl", "show", "--property=MainPID", "--value", unit))


def holder(site: Site) -> LabHost:
    return site.lab[site.product.get("hainstances", "web-0", "default")["spec"]["grant"]["host"]]


# In this order: each test goes on where the one before has ended.


def test_the_page_leads_from_nothing_to_a_service_that_answers(site: Site) -> None:
    commands = steps()
    assert len(commands) <= MOST_COMMANDS
    begun_s = time.monotonic()
    for command in commands:
        since_s = time.monotonic()
        carry_out(site, command)
        print(f"{time.monotonic() - since_s:6.1f} s  {command[:90]}")
    with site.lab.poller("http://192.0.2.100/").polling() as client:
        client.wait_for_answer()
    took_s = time.monotonic() - begun_s
    print(f"from nothing to the first service: {len(commands)} commands, {took_s:.1f} s")
    assert took_s < MOST_S
    site.product.wait_ready()
    for host in site.lab.hosts.values():
        files = host.run(
            "stat", "-c", "%a %U %n", "/etc/backstay", *(f"/etc/backstay/{one}" for one in ("token", "agent.json"))
        )
        assert [line.split()[:2] for line in files.splitlines()] == [["700", "root"], ["600", "root"], ["600", "root"]]
        assert "sdbus" not in host.run("ls", "/usr/lib/python3/dist-packages")
    said = json.loads(site.backstay("version", "-o", "json"))
    assert (said["client"], said["agents"]) == ("0.1.0", {"n1": "0.1.0", "n2": "0.1.0"})
    ends = [datetime.fromisoformat(one["until"]) for one in json.loads(site.backstay("host", "list", "-o", "json"))]
    assert all(timedelta(days=29.9) < end - datetime.now(UTC) < timedelta(days=30.1) for end in ends) and len(ends) == 2


def test_a_line_that_was_used_is_refused_and_changes_nothing(site: Site) -> None:
    host = site.lab["n2"]
    line = site.backstay("host", "join-token", "n2", "--server", site.lab.relay.hosts_url)
    assert "lease held" in join(host, line), "a machine may join again"
    token = host.read_file("/etc/backstay/token")
    assert "used up, or has ended" in join(host, line)
    assert "cannot join: this machine is the host n2 already, and this token is for n1" in join(
        host, site.backstay("host", "join-token", "n1", "--server", site.lab.relay.hosts_url)
    )
    assert host.read_file("/etc/backstay/token") == token


def test_an_upgrade_restarts_the_agent_and_loses_no_answer(site: Site) -> None:
    host = holder(site)
    before, agent = main_pid(host, "web.service"), main_pid(host, AGENT_UNIT)
    with site.lab.poller("http://192.0.2.100/").polling() as client:
        client.wait_for_answer()
        install(site, host, NEXT)
        wait_until(lambda: agent_version(site, host) == "0.1.1", timeout_s=20, what="the new agent's word")
        client.wait_for_answer()
    assert main_pid(host, "web.service") == before and main_pid(host, AGENT_UNIT) not in (0, agent)
    print(f"longest time without an answer while the agent was upgraded: {client.longest_gap_s * 1000:.0f} ms")
    assert client.answered_by() == [host.name]
    assert client.longest_gap_s < 1.0, "a client that asks every 10 ms and waits a second lost none"


def agent_version(site: Site, host: LabHost) -> str:
    return str(site.product.get("hosts", host.name).get("status", {}).get("agentVersion", ""))


def test_a_broken_release_is_never_put_in_use(site: Site) -> None:
    host = holder(site)
    broken = broken_deb(site, 'rm "$1"/usr/lib/backstay-agent/payload/backstay_agent/drivers/command.py')
    agent, web = main_pid(host, AGENT_UNIT), main_pid(host, "web.service")
    said = install_file(host, broken)
    assert "this release does not work on this host; the one before stays in use" in said
    assert (main_pid(host, AGENT_UNIT), main_pid(host, "web.service")) == (agent, web)
    assert host.run("backstay-agent", "--version").strip() == "0.1.1"


def test_a_release_that_dies_at_its_start_goes_back_by_itself(site: Site) -> None:
    """Its self-test is good: only who runs it finds out."""
    host = holder(site)
    dies = "import os; os._exit(1)"
    broken = broken_deb(
        site,
        f"sed -i 's/^async def _run(.*/&\\n    {dies}/' \"$1\"/usr/lib/backstay-agent/payload/backstay_agent/main.py",
    )
    web = main_pid(host, "web.service")
    with site.lab.poller("http://192.0.2.100/").polling() as client:
        client.wait_for_answer()
        said = install_file(host, broken)
        assert "the one before is in use again" in said
        wait_until(lambda: "lease held" in status_text(host), timeout_s=20, what="the agent of before")
        client.wait_for_answer()
    assert client.answered_by() == [host.name] and main_pid(host, "web.service") == web
    install(site, host, NEXT)  # and the next good one goes in


def status_text(host: LabHost) -> str:
    return host.run("systemctl", "show", "--property=StatusText", "--value", AGENT_UNIT)


def broken_deb(site: Site, damage: str) -> Path:
    folder = site.dist / "broken"
    call("rm", "-rf", folder)
    call("dpkg-deb", "-R", site.deb(NEXT), folder)
    call("sh", "-ec", damage, "sh", folder)
    call("sed", "-i", "s/^Version: .*/Version: 0.1.2/", folder / "DEBIAN" / "control")
    call("dpkg-deb", "-b", folder, site.dist / "broken.deb")
    return site.dist / "broken.deb"


def install_file(host: LabHost, file: Path) -> str:
    host.path("/root/broken.deb").write_bytes(file.read_bytes())
    return host.run("sh", "-c", "dpkg -i /root/broken.deb 2>&1", timeout_s=120, check=False)


def test_a_host_that_holds_something_keeps_its_agent(site: Site) -> None:
    host = holder(site)
    agent = main_pid(host, AGENT_UNIT)
    said = host.run("sh", "-c", "dpkg -r backstay-agent 2>&1", check=False)
    assert "web" in said and main_pid(host, AGENT_UNIT) == agent
    assert host.run("dpkg-query", "-W", "-f", "${Status}", "backstay-agent").endswith("ok installed")


def test_purge_gives_the_units_back_and_leaves_nothing(site: Site) -> None:
    site.lab.plane.kubectl("delete", "hasvc", "web", "--timeout=60s")
    site.tally.take(
        site.lab.plane
    )  # what is each host's right is taken from it with the Host, while its agent still asks
    for name in ("n1", "n2"):
        site.backstay("host", "remove", name)
        host = site.lab[name]
        host.run("sh", "-c", "dpkg -P backstay-agent 2>&1", timeout_s=60)
        left = host.run(
            "sh",
            "-c",
            "ls -d /etc/backstay* /var/lib/backstay* /run/backstay* /usr/lib/backstay* /usr/sbin/backstay* 2>/dev/null; true",
        )
        assert left == ""
        assert "zz-backstay" not in host.run("systemctl", "cat", "web.service")
        host.run("systemctl", "start", "web.service")
        assert main_pid(host, "web.service") != 0
    with pytest.raises(LabError, match=r"NotFound|not found"):
        site.lab.plane.kubectl("-n", lease.NAMESPACE, "get", "secret", "backstay-host-n1")
    assert yaml.safe_load(site.lab.plane.kubectl("-n", FENCING_NAMESPACE, "get", "secret", "-o", "yaml"))["items"]
