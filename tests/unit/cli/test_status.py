"""`backstay status`: what it shows, to people and to scripts, and of which namespace."""

from __future__ import annotations

import json

import pytest
import yaml

from backstay_api.objects.kinds import Raw
from backstay_cli.session import NOT_WELL, WELL
from backstay_testing.builders import WALL
from backstay_testing.cli_scene import a_cluster, ask_about


def test_status_shows_services_hosts_and_what_is_not_well() -> None:
    answer = a_cluster().run("status")
    assert answer.exit_code == WELL
    lines = [line.split() for line in answer.stdout.splitlines()]
    assert ["shop/web", "True", "1/1", "n1", "Running", "0s", "1/2", "ready"] in lines
    assert ["n3", "True", "False", "0", "Cordon", "Live"] in lines
    assert "service shop/web   SurvivesHostLoss   n1 could not be fenced" in answer.stdout


@pytest.mark.parametrize(
    ("told", "is_shown"),
    [
        pytest.param({"staysOff": True, "message": "n1 is off; bmc does not say on"}, True, id="it is tried in vain"),
        pytest.param({"message": "n1 is off"}, False, id="nobody has tried yet, or an older fencer"),
    ],
)
def test_status_shows_a_host_that_could_not_be_switched_on_again(told: Raw, is_shown: bool) -> None:
    cluster = a_cluster()
    ask_about(cluster, evidence={"level": "power", "why": "read off twice"}, **told)
    said = cluster.run("status").stdout
    assert ("host n1            StaysOff           n1 is off; bmc does not say on" in said) is is_shown


@pytest.mark.parametrize(("status", "is_shown"), [("False", True), ("Unknown", True), ("True", False)])
def test_status_shows_a_host_of_which_more_is_asked_than_it_offers(status: str, is_shown: bool) -> None:
    cluster, why = a_cluster(), "6 cpu asked for by shop/a, shop/b, 4 offered"
    said = {"type": "CapacitySufficient", "status": status, "reason": "AskedForMore", "message": why}
    cluster.tell_host("n1", conditions=[{**said, "lastTransitionTime": WALL}])
    assert (f"host n1            CapacitySufficient   {why}" in cluster.run("status").stdout) is is_shown


def test_status_for_scripts() -> None:
    cluster = a_cluster()
    assert cluster.run("status", "--check").exit_code == NOT_WELL
    told = json.loads(cluster.run("status", "-o", "json").stdout)
    assert [one["metadata"]["name"] for one in told["hosts"]] == ["n1", "n2", "n3"]
    assert told["services"][0]["status"]["host"] == "n1"
    assert yaml.safe_load(cluster.run("status", "-o", "yaml").stdout) == told


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        pytest.param(["status", "-n", "other"], False, id="another namespace"),
        pytest.param(["-n", "other", "status"], False, id="the option before the command"),
        pytest.param(["-n", "other", "status", "-n", "shop"], True, id="the nearer one wins"),
        pytest.param(["status", "-A"], True, id="all namespaces"),
        pytest.param(["status"], True, id="the namespace of the context"),
    ],
)
def test_where_the_namespace_comes_from(words: list[str], shown: bool) -> None:
    assert ("shop/web" in a_cluster().run(*words).stdout) is shown


def test_there_are_no_colours_where_no_terminal_is() -> None:
    assert "\x1b" not in a_cluster().run("status").stdout
