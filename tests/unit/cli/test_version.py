"""`backstay version`, and that every part says the same one."""

from __future__ import annotations

import json
import re
import tomllib

import pytest
import yaml

from backstay_agent.main import _options
from backstay_api import VERSION
from backstay_api.generate.files import CHART, REPOSITORY
from backstay_api.objects.kinds import LEASES
from backstay_api.objects.names import FENCER_LEASE, RELEASE, SYSTEM_NAMESPACE
from backstay_cli.session import WELL
from backstay_cli.version import skew
from backstay_fencer.main import _parser
from backstay_testing.cli_scene import Cluster, a_cluster


def test_the_client_asks_no_server() -> None:
    answer = Cluster().run("version", "--client", "-o", "json")
    assert (answer.exit_code, json.loads(answer.stdout)) == (WELL, {"client": VERSION, "agents": {}})


def test_every_part_says_its_version_and_an_agent_of_another_is_pointed_at() -> None:
    cluster = a_cluster()
    for name, agent in (("n1", VERSION), ("n2", "0.0.9")):
        cluster.tell_host(name, agentVersion=agent)
    held = {"metadata": {"name": FENCER_LEASE, "annotations": {RELEASE: "0.1.3"}}, "spec": {"holderIdentity": "a"}}
    cluster.create(LEASES, held, SYSTEM_NAMESPACE)
    lines = [line.split() for line in cluster.run("version").stdout.splitlines()]
    assert lines == [
        ["backstay", VERSION],
        ["operator", "not", "known"],
        ["fencer", "0.1.3"],
        [],
        ["HOST", "AGENT"],
        ["n1", VERSION],
        ["n2", "0.0.9"],
        ["n3", "has", "not", "reported"],
    ]
    told = json.loads(cluster.run("version", "-o", "json").stdout)
    assert (told["client"], told["operator"], told["fencer"]) == (VERSION, "", "0.1.3")


@pytest.mark.parametrize(
    ("agent", "operator", "said"),
    [
        pytest.param("1.4.0", "1.4.0", "", id="the same"),
        pytest.param("", "1.4.0", "", id="it has said nothing"),
        pytest.param("1.4.2", "1.4.0", "another version than the operator", id="of its release"),
        pytest.param("1.2.9", "1.4.0", "another version than the operator", id="two releases before"),
        pytest.param("1.1.9", "1.4.0", "too old: the operator serves its own release and the 2 before it", id="three"),
        pytest.param("0.9.0", "1.0.0", "too old", id="of another major release"),
        pytest.param("1.5.0", "1.4.9", "newer than the operator", id="newer"),
        pytest.param("1.10.0", "1.9.0", "newer than the operator", id="numbers are numbers"),
        pytest.param("1.4.0+12.gabc", "1.4.0", "another version than the operator", id="a build between releases"),
    ],
)
def test_which_agents_an_operator_serves(agent: str, operator: str, said: str) -> None:
    found = skew(agent, operator)
    assert found.startswith(said) and bool(found) == bool(said)


def test_there_is_one_version() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "crds/backstay_api/__init__.py"
    head = yaml.safe_load((REPOSITORY / CHART / "Chart.yaml").read_text())
    assert {head["version"], head["appVersion"]} == {VERSION}
    spelled = re.compile(r"""VERSION\b.*=\s*["']\d""")
    rooms = (path for room in ("crds", "operator", "node-agent", "cli") for path in (REPOSITORY / room).rglob("*.py"))
    assert [path.parent.name for path in rooms if spelled.search(path.read_text())] == ["backstay_api"]


@pytest.mark.parametrize("parser", [_options, _parser], ids=["agent", "fencer, and the operator alike"])
def test_each_program_says_it(parser: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(parser)
    with pytest.raises(SystemExit):
        parser().parse_args(["--version"])
    assert capsys.readouterr().out.strip() == VERSION
