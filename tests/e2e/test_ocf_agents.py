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
MODULE = "drivers_stories_ocf"
DEBIANS = "debians_ocf_agents"
FILES = {name: (HERE / f"{name}.py").read_text() for name in ("drivers_scene", "ocf_scene", MODULE, DEBIANS)}
ON_THE_HOST = "/opt/drivers-stories"
STORIES = [
    part.name
    for part in ast.parse(FILES[MODULE]).body
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


@pytest.mark.parametrize("story", STORIES)
def test_story(host: LabHost, story: str) -> None:
    assert on_host(host, "-m", MODULE, story).endswith("told\n")


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
