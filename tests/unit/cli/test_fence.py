"""`backstay fence`: a person's word is asked for, recorded, and given for exactly what was shown."""

from __future__ import annotations

from itertools import count
from typing import Any, Literal

import pytest

from backstay_api.objects.models import FenceRequest
from backstay_cli.session import NOT_NOW, WELL
from backstay_testing.cli_scene import NOW, Cluster, a_cluster, ask_about, kind_of


def confirmed(cluster: Cluster) -> Any:
    return cluster.get(FenceRequest, "n1-abc")["spec"].get("confirm")


@pytest.mark.parametrize(
    ("words", "answer", "code", "is_confirmed"),
    [
        pytest.param(["--confirm"], False, NOT_NOW, False, id="no means no"),
        pytest.param(["--confirm"], True, WELL, True, id="yes"),
        pytest.param(["--confirm", "--yes"], False, WELL, True, id="--yes does not ask"),
        pytest.param([], True, WELL, False, id="without --confirm it only shows"),
    ],
)
def test_only_a_person_who_says_so_confirms(words: list[str], answer: bool, code: int, is_confirmed: bool) -> None:
    cluster = a_cluster()
    cluster.answer = answer
    ask_about(cluster, message="the BMC does not answer")
    done = cluster.run("fence", "n1", *words)
    assert done.exit_code == code
    assert bool(confirmed(cluster)) is is_confirmed
    assert len(cluster.asked) == (words == ["--confirm"])


def test_a_confirmation_carries_who_when_and_what() -> None:
    cluster = a_cluster()
    ask_about(cluster)
    cluster.run("fence", "n1", "--confirm", "--yes", "--reason", "pulled both plugs")
    assert confirmed(cluster) == {"by": "alice", "at": NOW, "reason": "pulled both plugs"}


def test_the_question_names_what_is_at_stake() -> None:
    cluster = a_cluster()
    ask_about(cluster)
    cluster.run("fence", "n1", "--confirm")
    assert "n1 (machine machine-n1) holds shop/web-0" in cluster.asked[0]


OFF_SENT = {"level": "bmc", "device": "bmc", "action": "off", "at": NOW}
READ = {"level": "bmc", "device": "bmc", "power": "Unknown"}


@pytest.mark.parametrize(
    ("status", "is_confirmed"),
    [
        pytest.param({"message": "the BMC does not answer, again"}, True, id="told in other words"),
        pytest.param({"reads": [{**READ, "number": 7}]}, True, id="another read that says nothing"),
        pytest.param({"attempts": [OFF_SENT]}, True, id="another off was sent"),
        pytest.param({"reads": [{**READ, "power": "On"}]}, False, id="a device says on that had not"),
        pytest.param({"attempts": [{**OFF_SENT, "action": "on"}]}, False, id="an on was sent"),
        pytest.param({"poweredOn": True}, False, id="it was switched on again"),
        pytest.param({"evidence": {"level": "bmc", "why": "off twice"}}, False, id="proven meanwhile"),
    ],
)
def test_what_the_fencer_has_told_meanwhile_asks_the_person_again_only_if_it_matters(
    status: dict[str, Any], is_confirmed: bool
) -> None:
    cluster = a_cluster()
    cluster.answer = True
    ask_about(cluster, want="Off")
    told = {"status": status}
    cluster.while_asked = lambda: cluster.store.patch(kind_of(FenceRequest), ("", "n1-abc"), told, subresource="status")
    answer = cluster.run("fence", "n1", "--confirm")
    assert answer.exit_code == (WELL if is_confirmed else NOT_NOW), answer.output
    assert bool(confirmed(cluster)) is is_confirmed


def test_a_request_that_never_stands_still_is_given_up_after_a_few_tries() -> None:
    cluster = a_cluster()
    ask_about(cluster, want="Off")
    kind, writes = kind_of(FenceRequest), count()

    def again(body: Any = None) -> None:
        told = {"status": {"message": f"read number {next(writes)}"}}
        cluster.store.patch(kind, ("", "n1-abc"), told, subresource="status")

    cluster.before_each_patch = again
    answer = cluster.run("fence", "n1", "--confirm", "--yes")
    assert answer.exit_code == NOT_NOW and "has changed meanwhile" in answer.stderr
    assert next(writes) == 5 and confirmed(cluster) is None


def test_what_has_changed_while_the_person_looked_is_not_confirmed() -> None:
    cluster = a_cluster()
    cluster.answer = True
    ask_about(cluster, want="Off")
    withdrawn = {"spec": {"want": "Withdrawn"}}
    cluster.while_asked = lambda: cluster.store.patch(kind_of(FenceRequest), ("", "n1-abc"), withdrawn)
    answer = cluster.run("fence", "n1", "--confirm")
    assert answer.exit_code == NOT_NOW and "has changed meanwhile: look again" in answer.stderr
    assert confirmed(cluster) is None


@pytest.mark.parametrize("want", [None, "Withdrawn"])
def test_where_nobody_waits_for_proof_there_is_nothing_to_confirm(want: Literal["Withdrawn"] | None) -> None:
    cluster = a_cluster()
    if want:
        ask_about(cluster, want)
    answer = cluster.run("fence", "n1", "--confirm", "--yes")
    assert answer.exit_code == NOT_NOW
    assert "nothing to confirm: no service is waiting for proof that n1 is off (it is Live)" in answer.stderr
