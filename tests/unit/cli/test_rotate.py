"""`backstay host rotate`: what a person does of it; tests/contract/test_join_on_a_server.py has the agent beside."""

from __future__ import annotations

import pytest

from backstay_api.objects.join_tokens import RENEWED, TAKEN
from backstay_api.objects.kinds import SECRETS, Raw
from backstay_api.objects.lease import NAMESPACE
from backstay_api.objects.rbac import FILES_TYPE, IDENTITY_TYPE
from backstay_cli.session import FAILED, NOT_NOW, WELL
from backstay_testing.cli_scene import Cluster, a_cluster

ROTATE = ("host", "rotate", "n2", "--timeout", "0s")


def scene(**notes: str) -> Cluster:
    """A host with an identity, and the Secret of a rotation with these annotations, if there are any."""
    cluster = a_cluster()
    cluster.run("host", "add", "n2")
    if notes:
        meta = {"name": "backstay-next-n2", "namespace": NAMESPACE, "annotations": notes}
        cluster.store.create(SECRETS, NAMESPACE, SECRETS.to_wire({"metadata": meta, "type": IDENTITY_TYPE}))
    return cluster


def identity(cluster: Cluster) -> str:
    return str(cluster.store.get(SECRETS, NAMESPACE, "backstay-host-n2")["metadata"]["uid"])


def notes(cluster: Cluster) -> Raw:
    found: Raw = cluster.store.get(SECRETS, NAMESPACE, "backstay-next-n2")["metadata"].get("annotations") or {}
    return found


def test_an_agent_that_does_not_answer_keeps_its_identity_and_is_told_so() -> None:
    cluster = scene()
    before = identity(cluster)
    answer = cluster.run(*ROTATE)
    assert answer.exit_code == FAILED and "no token has ended" in answer.stderr, answer.output
    assert identity(cluster) == before and RENEWED in notes(cluster), "should it answer late, it goes back"


def test_once_the_agent_has_the_next_one_the_identity_is_another() -> None:
    cluster = scene(**{TAKEN: "true"})
    before = identity(cluster)
    answer = cluster.run(*ROTATE)
    assert answer.exit_code == WELL, answer.output
    assert "every token of before is dead within 10 s" in answer.stdout
    assert identity(cluster) != before and RENEWED in notes(cluster)


@pytest.mark.parametrize("said", [{RENEWED: "true"}, {RENEWED: "true", TAKEN: "true"}])
def test_a_rotation_that_an_agent_has_yet_to_end_is_left_to_it(said: dict[str, str]) -> None:
    cluster = scene(**said)
    before = identity(cluster)
    answer = cluster.run(*ROTATE)
    assert answer.exit_code == NOT_NOW and "somebody else is making the identity of n2 anew" in answer.stderr
    assert identity(cluster) == before


def test_who_has_no_identity_has_none_to_make_anew() -> None:
    cluster = scene()
    cluster.run("host", "revoke", "n2")
    answer = cluster.run(*ROTATE)
    assert answer.exit_code == NOT_NOW and "host join-token n2" in answer.stderr


@pytest.mark.parametrize("verb", ["revoke", "remove"])
def test_a_host_that_ends_in_the_midst_of_it_leaves_no_token(verb: str) -> None:
    cluster = scene(**{TAKEN: "true"})
    assert cluster.run("host", verb, "n2").exit_code == WELL
    left = [body["type"] for body in cluster.store.bodies(SECRETS)]
    assert left == ([FILES_TYPE] if verb == "revoke" else []), "to what is left no token is bound"
