"""Rights against requests: what is too much and what is too little."""

from typing import Any

import pytest

from backstay_api.objects.rbac import agent_account
from backstay_dev.rights.audit import Need, Tally
from backstay_dev.rights.rights import Right

OPERATOR = "system:serviceaccount:backstay-system:backstay-operator"


def agent_of(host: str) -> str:
    return f"system:serviceaccount:backstay-hosts:{agent_account(host)}"


def right(user: str, verb: str, resource: str, *, namespace: str = "", name: str = "") -> Right:
    return Right(user, namespace, "backstay.dev", resource, verb, (name,) if name else ())


def request(user: str, verb: str, resource: str, *, namespace: str = "", refused: bool = False) -> dict[str, Any]:
    plain, _, subresource = resource.partition("/")
    reference = {"apiGroup": "backstay.dev", "resource": plain, "subresource": subresource, "namespace": namespace}
    decision = "forbid" if refused else "allow"
    annotations = {"authorization.k8s.io/decision": decision}
    return {"user": {"username": user}, "verb": verb, "objectRef": reference, "annotations": annotations}


def told(rights: list[Right], requests: list[dict[str, Any]]) -> str:
    tally = Tally()
    tally.add(rights, requests)
    return tally.report().text()


FITS = "every right was used, and none was missing"


@pytest.mark.parametrize(
    ("rights", "requests", "expected"),
    [
        pytest.param(
            [right(OPERATOR, "list", "hosts")], [request(OPERATOR, "list", "hosts")], FITS, id="just what is used"
        ),
        pytest.param(
            [right(OPERATOR, "list", "hosts"), right(OPERATOR, "delete", "hosts")],
            [request(OPERATOR, "list", "hosts")],
            "granted and never used: operator: delete hosts.backstay.dev",
            id="one verb too many",
        ),
        pytest.param(
            [right(OPERATOR, "patch", "hosts/status")],
            [request(OPERATOR, "patch", "hosts")],
            "granted and never used: operator: patch hosts/status.backstay.dev",
            id="a subresource is another resource",
        ),
        pytest.param(
            [],
            [request(OPERATOR, "patch", "hosts", refused=True)],
            "asked for and not granted: operator: patch hosts.backstay.dev",
            id="one too few",
        ),
        pytest.param(
            [right(OPERATOR, "list", "haservices")],
            [request(OPERATOR, "list", "haservices", namespace="shop")],
            FITS,
            id="a right for the cluster is used in a namespace",
        ),
        pytest.param(
            [right(OPERATOR, "list", "haservices", namespace="shop")],
            [request(OPERATOR, "list", "haservices", namespace="other", refused=True)],
            "granted and never used: operator: list haservices.backstay.dev in shop\n"
            "asked for and not granted: operator: list haservices.backstay.dev in other",
            id="a right in one namespace is none in another",
        ),
        pytest.param(
            [right(agent_of(host), "get", "hostassignments", name=host) for host in ("n1", "n2")],
            [request(agent_of("n1"), "get", "hostassignments")],
            FITS,
            id="what one agent needs, all need",
        ),
        pytest.param([right("system:serviceaccount:shop:web", "get", "hosts")], [], FITS, id="others are not ours"),
        pytest.param([right(OPERATOR, "get", "hosts")], [], FITS, id="used only after a conflict"),
        pytest.param(
            [right(OPERATOR, "list", "hosts")],
            [request(OPERATOR, "list", "hosts", refused=True), request(OPERATOR, "list", "hosts")],
            FITS,
            id="a server that has just started knows no roles yet",
        ),
        pytest.param([right(OPERATOR, "confirm", "fencerequests")], [], FITS, id="a verb only policies ask for"),
    ],
)
def test_report(rights: list[Right], requests: list[dict[str, Any]], expected: str) -> None:
    assert told(rights, requests) == expected


def test_what_was_somebodys_right_and_is_no_more_is_not_missing() -> None:
    """A host that is removed: its agent may ask once more before it ends."""
    tally, mine = Tally(), right(agent_of("n1"), "get", "hostassignments")
    tally.add([mine], [request(agent_of("n1"), "get", "hostassignments")])
    refused = [request(agent_of(host), "get", "hostassignments", namespace="x", refused=True) for host in ("n1", "n2")]
    tally.add([], refused[:1])
    assert tally.report().missing == ()
    tally.add([], refused)
    assert tally.report().missing == (Need("agent", "x", "backstay.dev", "hostassignments", "get"),), "n2 never had it"


def test_runs_add_up() -> None:
    tally = Tally()
    rights = [right(OPERATOR, verb, "hosts") for verb in ("list", "patch")]
    tally.add(rights, [request(OPERATOR, "list", "hosts")])
    assert [need.verb for need in tally.report().excess] == ["patch"]
    tally.add(rights, [request(OPERATOR, "patch", "hosts")])
    assert tally.report().fits


def test_a_need_is_met_only_by_the_same_program() -> None:
    need = Need("operator", "shop", "", "secrets", "get")
    assert not need.is_met_by(Need("fencer", "", "", "secrets", "get"))
