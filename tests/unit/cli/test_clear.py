"""`backstay clear`: what it writes; and what is said of how far recovery has come."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest

from backstay_api.objects.models import HAService, HostAssignment
from backstay_cli.session import NO_SUCH_THING, NOT_NOW, WELL
from backstay_operator.planner.know.clearing import CLEAR_ANNOTATION, is_forgotten
from backstay_operator.planner.know.world import Failed
from backstay_testing.cli_scene import NOW, a_cluster, kind_of

USED = "restarts in place within 10m are used"


def test_clear_writes_who_why_and_up_to_where() -> None:
    cluster = a_cluster()
    answer = cluster.run("clear", "web", "--host", "n1", "--reason", "new disk")
    assert answer.exit_code == WELL and "Failures of shop/web on n1 up to now are forgotten" in answer.stdout
    written = cluster.get(HAService, "web", "shop")["metadata"]["annotations"][CLEAR_ANNOTATION]
    assert json.loads(written) == {
        "epochs": {"web-0": 1},
        "host": "n1",
        "number": 1,
        "by": "alice",
        "reason": "new disk",
    }
    assert cluster.run("clear", "web", "--reason", "again").exit_code == WELL
    written = cluster.get(HAService, "web", "shop")["metadata"]["annotations"][CLEAR_ANNOTATION]
    assert json.loads(written)["number"] == 2, "each one forgets once"


@pytest.mark.parametrize(("times", "code"), [(1, WELL), (100, NOT_NOW)], ids=["once", "each time"])
def test_what_the_operator_tells_of_it_meanwhile_is_read_anew(times: int, code: int) -> None:
    cluster, told = a_cluster(), count()

    def tell() -> None:
        if (number := next(told)) < times:
            status = {
                "status": {"failures": [{"slot": "web-0", "epoch": number, "host": "n1", "why": "no disk", "at": NOW}]}
            }
            cluster.store.patch(kind_of(HAService), ("shop", "web"), status, subresource="status")

    cluster.before_each_patch = tell
    answer = cluster.run("clear", "web", "--reason", "new disk")
    written = (cluster.get(HAService, "web", "shop")["metadata"].get("annotations") or {}).get(CLEAR_ANNOTATION)
    assert answer.exit_code == code and bool(written) is (code == WELL), answer.output
    assert code == WELL or "shop/web is written by others all the time, and nothing was changed" in answer.stderr


def test_clear_forgets_what_failed_before_a_person_deleted_the_instance_and_epochs_began_anew() -> None:
    cluster = a_cluster()
    moved = {"slot": "web-0", "epoch": 7, "from": "n2", "to": "n1", "at": NOW}
    cluster.store.patch(kind_of(HAService), ("shop", "web"), {"status": {"moves": [moved]}}, subresource="status")
    assert cluster.run("clear", "web", "--reason", "new disk").exit_code == WELL
    service = HAService.model_validate(cluster.get(HAService, "web", "shop"))
    assert is_forgotten(service, Failed.of(service.status.moves[0]))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(["web"], 2, "--reason", id="without a reason"),
        pytest.param(["web", "--reason", "x", "--host", "n9"], NO_SUCH_THING, "there is no host n9", id="no such host"),
        pytest.param(["old", "--reason", "x"], NO_SUCH_THING, "old", id="no such service"),
    ],
)
def test_a_clear_that_makes_no_sense_writes_nothing(words: list[str], code: int, said: str) -> None:
    cluster = a_cluster()
    answer = cluster.run("clear", *words)
    assert answer.exit_code == code and said in answer.output
    assert "annotations" not in cluster.get(HAService, "web", "shop")["metadata"]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        pytest.param({"recentRestarts": 0}, f"0 of 3 {USED}; if it fails, it is restarted in place at once", id="none"),
        pytest.param(
            {"recentRestarts": 2, "forgottenAt": NOW},
            f"2 of 3 {USED}, and one is forgotten at {NOW}; if it fails again, it is restarted in place,"
            " 2 s after the last time or later",
            id="two",
        ),
        pytest.param(
            {"recentRestarts": 3, "forgottenAt": NOW},
            f"3 of 3 {USED}, and one is forgotten at {NOW}; if it fails before that, it is stopped and another host tries",
            id="all",
        ),
        pytest.param(
            {"recentRestarts": 1, "nextTryAt": NOW}, f"1 of 3 {USED}; it is restarted in place at {NOW}", id="it waits"
        ),
        pytest.param({}, "", id="its agent does not say"),
    ],
)
def test_explain_says_where_in_its_recovery_a_service_stands(said: dict[str, Any], sentence: str) -> None:
    cluster = a_cluster()
    (uid,) = cluster.get(HostAssignment, "n1")["status"]["instances"]
    body = {"status": {"instances": {uid: said}}}
    cluster.store.patch(kind_of(HostAssignment), ("", "n1"), body, subresource="status")
    recovery = json.loads(cluster.run("explain", "web", "-o", "json").stdout)["recovery"]
    assert recovery == sentence
