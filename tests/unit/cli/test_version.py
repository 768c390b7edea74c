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
from backstay_cli.session import WELL
from backstay_fencer.main import _parser
from backstay_testing.cli_scene import Cluster, a_cluster


def test_the_client_asks_no_server() -> None:
    answer = Cluster().run("version", "--client", "-o", "json")
    assert (answer.exit_code, json.loads(answer.stdout)) == (WELL, {"client": VERSION, "agents": {}})


def test_an_agent_of_another_version_is_pointed_at() -> None:
    cluster = a_cluster()
    for name, agent in (("n1", VERSION), ("n2", "0.0.9")):
        cluster.tell_host(name, agentVersion=agent)
    lines = [line.split() for line in cluster.run("version").stdout.splitlines()]
    assert lines == [
        ["backstay", VERSION],
        [],
        ["HOST", "AGENT"],
        ["n1", VERSION],
        ["n2", "0.0.9", "not", "this", "program's", "version"],
        ["n3", "has", "not", "reported"],
    ]


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
