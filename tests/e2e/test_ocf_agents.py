"""OCF agents on a real host: bad ones that these tests bring along, and Debian's, each held against what it answers when run by hand."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstay_dev.lab.hosts import LabHost
from backstay_dev.lab.lab import AGENT_CODE, Lab
from backstay_dev.lab.prerequisites import OCF_LAYER
from backstay_testing.site import Site

pytestmark = [pytest.mark.api, pytest.mark.hosts]

HERE = Path(__file__).parent / "on_hosts"
MODULES = ("drivers_stories_ocf", "drivers_stories_ocf_reload", "drivers_stories_ocf_roles")
DEBIANS = "debians_ocf_agents"
FILES = {name: (HERE / f"{name}.py").read_text() for name in ("drivers_scene", "ocf_scene", *MODULES, DEBIANS)}
ON_THE_HOST = "/opt/drivers-stories"
STORIES = [
    (module, part.name)
    for module in MODULES
    for part in ast.parse(FILES[module]).body
    if isinstance(part, ast.AsyncFunctionDef) and any(ast.unparse(mark) == "story" for mark in part.decorator_list)
]
PACKAGED = (
    *("nginx", "redis-server", "postgresql", "postgresql@15-main", "apache2", "named", "postfix@-", "dovecot", "slapd"),
    *("mariadb.socket", "mariadb-extra.socket", "mariadb"),
)
"""What the packages have started: the agents shall do that."""
NAMES = next(
    list(ast.literal_eval(part.value))
    for part in ast.parse(FILES[DEBIANS]).body
    if isinstance(part, ast.AnnAssign) and part.value and ast.unparse(part.target) == "CASES"
)

# Its start has ended before its daemon has written the file by which its monitor knows it: by hand the next start may be a second one.
NAMES.remove("rsyncd")
TESTED: dict[str, tuple[list[str], str]] = {
    **dict.fromkeys(("anything", "symlink"), ([], "Stopped")),
    # Its last questions are migrate_from and reload, of what it has stopped: some agents start it then.
    **dict.fromkeys(("Dummy", "nginx"), ([], "Running")),
    # Its metadata is of OCF 1.1, what it is held against of 1.0.
    "pacemaker:Dummy": (["rc=4: Your agent produces meta-data which does not conform to ra-api-1.dtd"], "Running"),
    # Promoted by nobody who has set up roles: it gives up there, and leaves what it has started.
    "redis": (["rc=1: Promote failed", "rc=1: Promote failed"], "Running"),
    "pgsql": (
        ["rc=6: Demoting a start resource should not fail", "rc=6: Promote failed", "rc=6: Demote failed"],
        "Running",
    ),
}
"""What `ocf-tester`, which comes with the agents, has against an agent, and what is there when it has ended. It waits for ever for what
keeps its pipe open (`mysql`), and is killed by a stop that kills its group (`apache`)."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A host with these packages, and an agent of ours."""
    with Lab(1, progress=print, packages=OCF_LAYER) as lab:
        host = lab["n1"]
        for name, text in FILES.items():
            host.write_file(f"{ON_THE_HOST}/{name}.py", text)
        host.run("systemctl", "stop", *PACKAGED, check=False)
        yield Site(lab)


@pytest.fixture
def host(site: Site) -> LabHost:
    return site.host


def on_host(host: LabHost, *words: str) -> str:
    """As the agent's own unit is: a group of its own, and what is below it as well."""
    unit = ("systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--property=Delegate=yes")
    return host.run(*unit, f"--setenv=PYTHONPATH={AGENT_CODE}:{ON_THE_HOST}", "python3", *words)


@pytest.mark.parametrize(("module", "story"), STORIES, ids=[story for _, story in STORIES])
def test_story(host: LabHost, module: str, story: str) -> None:
    assert on_host(host, "-m", module, story).endswith("told\n")


@pytest.mark.parametrize("name", NAMES)
def test_an_agent_of_debian_does_by_us_what_it_does_by_hand(host: LabHost, name: str) -> None:
    said = json.loads(on_host(host, "-c", f"import {DEBIANS}; {DEBIANS}.main({name!r})").splitlines()[-1])
    assert said == {
        "by hand": [7, 0, 0, 0, 0, 0, 7, 0],
        "not ready": None,
        "before": ["Stopped", 7],
        "up": ["Running", 0],
        "note": None,
        "down": ["Stopped", 7],
    }


def test_an_agent_whose_start_ends_too_early_is_waited_for(host: LabHost) -> None:
    said = json.loads(on_host(host, "-c", f"import {DEBIANS}; {DEBIANS}.lived('rsyncd', times=3)").splitlines()[-1])
    assert said == [["Running", 0], ["Stopped", 7]] * 3


def test_an_agent_with_roles_understands_what_it_will_be_told(host: LabHost) -> None:
    said = json.loads(on_host(host, "-c", f"import {DEBIANS}; {DEBIANS}.promoted()").splitlines()[-1])
    assert said == [
        *(["start", "done"], ["monitor", "up"], ["promote", "done"], ["monitor", "promoted"], ["notify", "done"]),
        *(["demote", "done"], ["monitor", "up"], ["stop", "done"], ["monitor", "cleanly down"]),
    ]


@pytest.mark.parametrize("name", TESTED)
def test_what_ocf_tester_finds_and_leaves_is_seen_and_stopped_by_us(host: LabHost, name: str) -> None:
    said = json.loads(on_host(host, "-c", f"import {DEBIANS}; {DEBIANS}.tested({name!r})").splitlines()[-1])
    complaints, left = TESTED[name]
    assert (said["complaints"], said["left"], said["then"]) == (complaints, left, ["Stopped", 7]), said


def test_a_parameter_that_is_reloadable_reaches_what_runs_by_an_order(site: Site) -> None:
    """Pacemaker's own agent, which writes down what it is asked."""

    def order(revision: int, **parameters: str) -> None:
        ocf = {"agent": "pacemaker:Dummy", "instance": "reloaded", "parameters": {**FILES_OF_DUMMY, **parameters}}
        site.order("Up", 1, uid="u2", revision=revision, resources=[{"name": "dummy", "ocf": ocf}])
        site.until_report("as it is wanted", "u2", phase="Running", healthy=True, revision=revision)

    order(1, fake="a")
    (known,) = site.report_of("u2")["reloadable"]
    assert (
        known["name"] == "dummy" and {"fake", "passwd"} <= {*known["parameters"]} and "state" not in known["parameters"]
    )
    order(2, fake="b")
    assert _acts(site.host) == ["start", "reload-agent"]
    site.host.run("systemctl", "restart", "backstay-agent.service")
    order(3, fake="c")
    assert _acts(site.host) == ["start", "reload-agent", "reload-agent"]
    order(4, fake="d", state="/run/d-reloaded.other")
    assert _acts(site.host) == ["start", "reload-agent", "reload-agent", "stop", "start"]
    site.order("Down", 1, uid="u2")
    site.until_report("released", "u2", released=True)


FILES_OF_DUMMY = {"state": "/run/d-reloaded.state", "envfile": "/run/d-reloaded.env"}


def _acts(host: LabHost) -> list[str]:
    said = host.run("grep", "-oE", "^### (start|stop|reload-agent)", FILES_OF_DUMMY["envfile"])
    return [line.removeprefix("### ") for line in said.splitlines()]


def test_an_agent_carries_out_an_order_and_probes_at_its_depth(site: Site) -> None:
    """What nothing but the probe of kind `ocf` can notice within the test's time: the agent's own monitor comes every ten seconds."""
    state = "/run/d-ordered.state"
    ocf = {"agent": "ocf:heartbeat:Dummy", "parameters": {"state": state, "fake": "a 'b' $(id)"}}
    probe = {"name": "deep", "ocf": {"depth": 0}, "period": "200ms", "timeout": "5s", "failureThreshold": 2}
    site.order("Up", 1, resources=[{"name": "dummy", "ocf": ocf, "probes": [probe]}])
    site.until_report("up by its agent", phase="Running", healthy=True)
    site.host.run("systemctl", "restart", "backstay-agent.service")
    site.until_report("adopted", phase="Running", healthy=True, restarts=0)
    site.host.run("rm", state)
    site.until_report("restarted in place", phase="Running", healthy=True, restarts=1)
    site.host.run("test", "-e", state)
    site.order("Down", 1)
    site.until_report("released", released=True)
    assert (
        site.host.run(
            "sh", "-c", f"ls {state} 2>&1; systemctl list-units --plain --no-legend 'backstay-ocf-*'", check=False
        ).count("\n")
        == 1
    )
