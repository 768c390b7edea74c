"""`backstay move`: the wish that it writes, and moves that cannot be."""

from __future__ import annotations

import json

import pytest

from backstay_api.objects.models import HAService
from backstay_cli.session import NO_SUCH_THING, NOT_NOW, WELL
from backstay_operator.planner.do.moves import MOVE_ANNOTATION
from backstay_testing.cli_scene import Cluster, a_cluster


@pytest.mark.parametrize(("words", "target"), [([], "n2"), (["--to", "n2"], "n2")])
def test_move_writes_a_wish_with_its_end(words: list[str], target: str) -> None:
    cluster = a_cluster()
    assert cluster.run("move", "web", *words).exit_code == WELL
    wish = json.loads(cluster.get(HAService, "web", "shop")["metadata"]["annotations"][MOVE_ANNOTATION])
    assert wish == {"host": target, "generation": 1, "expires": "2026-03-01T12:10:00Z"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(["--to", "n3"], NOT_NOW, "n3 is cordoned", id="a cordoned host"),
        pytest.param(["--to", "n9"], NO_SUCH_THING, "there is no host n9; there are: n1, n2, n3", id="no such host"),
        pytest.param(["--to", "n1"], WELL, "is on n1 already", id="where it is"),
    ],
)
def test_moves_that_cannot_be_are_refused_before_anything_is_written(words: list[str], code: int, said: str) -> None:
    cluster = a_cluster()
    answer = cluster.run("move", "web", *words)
    assert answer.exit_code == code and said in answer.output
    assert "annotations" not in cluster.get(HAService, "web", "shop")["metadata"]


def test_a_host_that_has_yet_to_become_ready_may_be_wished_for() -> None:
    cluster = a_cluster(ready=())
    assert cluster.run("move", "web", "--to", "n2").exit_code == WELL


def test_a_move_with_nowhere_to_go_says_why() -> None:
    answer = a_cluster(ready=()).run("move", "web")
    assert answer.exit_code == NOT_NOW and "stays where it is: 0/3 hosts can run it" in answer.stderr


@pytest.mark.parametrize("state", ["Unmanaged", "Stopped"])
def test_what_shall_not_be_run_by_us_moves_nowhere(state: str) -> None:
    answer = a_cluster(state=state).run("move", "web", "--to", "n2")
    assert answer.exit_code == NOT_NOW and f"spec.state is {state}" in answer.output


def a_pair() -> Cluster:
    """web-0 on n1, and web-1 that is not there yet."""
    return a_cluster(mode="Replicated", replicas=2)


def test_of_several_copies_a_move_says_which_and_the_wish_names_it() -> None:
    cluster = a_pair()
    answer = cluster.run("move", "web", "--to", "n2")
    assert answer.exit_code == NOT_NOW and "say which by --instance: web-0 (n1), web-1 (nowhere)" in answer.output
    for named in ("web-0", "n1"):
        answer = cluster.run("move", "web", "--to", "n2", "--instance", named)
        assert answer.exit_code == WELL and "web-0 is to move to n2" in answer.output
    wish = json.loads(cluster.get(HAService, "web", "shop")["metadata"]["annotations"][MOVE_ANNOTATION])
    assert (wish["host"], wish["instance"]) == ("n2", "web-0")


def test_a_copy_that_is_not_there_is_not_moved() -> None:
    answer = a_pair().run("move", "web", "--to", "n2", "--instance", "web-7")
    assert answer.exit_code == NO_SUCH_THING and "has no instance web-7; there are: web-0 (n1), web-1" in answer.output
