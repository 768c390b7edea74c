"""Who may accept a difference between two hosts, in whose name, and who may take it back, on a real API server with the chart in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from backstay_api.objects.names import SYSTEM_NAMESPACE
from backstay_dev.lab.controlplane import ControlPlane
from backstay_dev.lab.shell import wait_until
from backstay_operator.planner.know.accepted_drift import ACCEPT_ANNOTATION, MOST_LINES, MOST_TEXT, AcceptedDrift
from contract.chart_scene import OPERATOR, As, Json, installed_in

pytestmark = pytest.mark.api

SERVICES = "/apis/backstay.dev/v1alpha1/namespaces/shop/haservices"
WEB = f"{SERVICES}/web"
EDITORS, ELSEWHERE, ACCEPTERS = "shop-editors", "other-accepters", "backstay:drift-accepters"
ODD = 'x","by":"ann'


def line(by: str, **said: str) -> str:
    known = {
        "at": "2026-01-01T00:00:00Z",
        "instance": "web-0",
        "resource": "conf",
        "host": "n2",
        "fingerprint": "0" * 32,
    }
    return AcceptedDrift(**{"by": by, **known, "than": "n1", "reference": "1" * 32, "reason": "", **said}).line


def a_service(text: str = "") -> Json:
    meta: Json = {"name": "web", "namespace": "shop", "annotations": {ACCEPT_ANNOTATION: text} if text else {}}
    spec = {"resources": [{"name": "web", "systemd": {"unit": "web.service"}}]}
    return {"apiVersion": "backstay.dev/v1alpha1", "kind": "HAService", "metadata": meta, "spec": spec}


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """With people who edit in namespace shop, and people who may accept in another one alone."""
    with installed_in(tmp_path_factory.mktemp("accept")) as plane:
        for namespace in ("shop", "other"):
            plane.kubectl("create", "namespace", namespace)
            for role in ("backstay:edit", "backstay:view"):
                binding = (f"--clusterrole={role}", f"--group={EDITORS}")
                plane.kubectl("-n", namespace, "create", "rolebinding", role.replace(":", "-"), *binding)
        binding = (f"--clusterrole={ACCEPTERS}", f"--group={ELSEWHERE}")
        plane.kubectl("-n", "other", "create", "rolebinding", "accepters", *binding)
        yield plane


@pytest.fixture
def server(plane: ControlPlane) -> Iterator[ControlPlane]:
    """With the service, of which ann has accepted something."""
    plane.kubectl(
        "create", "-f", "-", "--as=ann", "--as-group=system:masters", stdin=json.dumps(a_service(line("ann")))
    )
    yield plane
    plane.kubectl("-n", "shop", "delete", "hasvc", "web")


class Person(As):
    """A user of several groups."""

    def __init__(self, plane: ControlPlane, user: str, *groups: str) -> None:
        # The client has one header of each name: who is of two groups has a binding by his name instead.
        super().__init__(plane, user, groups[0])
        for group in groups[1:]:
            name = f"{user.encode().hex()}-{group.replace(':', '-')}"
            there = plane.kubectl("get", "clusterrolebinding", name, "--ignore-not-found", "-o", "name")
            if not there:
                plane.kubectl("create", "clusterrolebinding", name, f"--clusterrole={group}", f"--user={user}")

    def writes(self, *lines: str, path: str = f"{WEB}?dryRun=All") -> tuple[int, str]:
        body = {"metadata": {"annotations": {ACCEPT_ANNOTATION: "\n".join(lines) or None}}}
        return self.send("PATCH", path, body)

    def creates(self, meta: Json, *lines: str) -> tuple[int, str]:
        meta = {**meta, "annotations": {ACCEPT_ANNOTATION: "\n".join(lines)}}
        return self.send("POST", f"{SERVICES}?dryRun=All", {**a_service(), "metadata": meta})


def annotation(server: ControlPlane) -> str:
    meta = json.loads(server.kubectl("-n", "shop", "get", "hasvc", "web", "-o", "json"))["metadata"]
    return str(meta.get("annotations", {}).get(ACCEPT_ANNOTATION, ""))


@contextmanager
def without_the_policy(server: ControlPlane) -> Iterator[None]:
    """As before the chart brought it. It takes the server a moment to know."""
    nobody = Person(server, "nobody", EDITORS)
    for actions, code in (("Warn", 200), ("Deny", 403)):
        body = json.dumps({"spec": {"validationActions": [actions]}})
        server.kubectl("patch", "validatingadmissionpolicybinding", "backstay-accept", "--type=merge", "-p", body)
        wait_until(lambda: nobody.writes("x")[0] == code, timeout_s=30, what=f"the policy says {actions}")  # noqa: B023
        if actions == "Warn":
            yield


def test_it_takes_the_verb_beside_edit(server: ControlPlane) -> None:
    tenant = Person(server, "bob", EDITORS)
    code, why = tenant.writes(line("ann"), line("bob"))
    assert (code, "accepted by people of backstay:drift-accepters" in why) == (403, True), why
    assert Person(server, "eve", ACCEPTERS).writes(line("ann"), line("eve"))[0] == 403, "the verb without edit"
    assert Person(server, "eve", EDITORS, ACCEPTERS).writes(line("ann"), line("eve"))[0] == 200


@pytest.mark.parametrize("meta", [{"name": "new"}, {"generateName": "new-"}], ids=["name", "generateName"])
def test_it_takes_the_verb_to_bring_a_service_with_a_word(server: ControlPlane, meta: Json) -> None:
    code, why = Person(server, "bob", EDITORS).creates(meta, line("bob"))
    assert (code, "drift-accepters" in why) == (403, True), why
    accepter = Person(server, "eve", EDITORS, ACCEPTERS)
    code, why = accepter.creates(meta, line("ann"))
    assert (code, "in your own name" in why) == (403, True), why
    assert accepter.creates(meta, line("eve"))[0] == 201


def test_what_is_taken_back_is_not_written_again_by_who_took_it(server: ControlPlane) -> None:
    tenant = Person(server, "bob", EDITORS)
    assert tenant.writes(path=WEB)[0] == 200 and annotation(server) == ""
    code, why = tenant.writes(line("ann"))
    assert (code, "drift-accepters" in why) == (403, True), why
    code, why = Person(server, "eve", EDITORS, ACCEPTERS).writes(line("ann"))
    assert (code, "in your own name" in why) == (403, True), why


def test_who_writes_the_status_writes_no_word(server: ControlPlane) -> None:
    operator = Person(server, OPERATOR, f"system:serviceaccounts:{SYSTEM_NAMESPACE}")
    for lines in ((line("ann"), line(OPERATOR)), ()):
        operator.writes(*lines, path=f"{WEB}/status")
        assert annotation(server) == line("ann")


def test_what_stands_there_from_before_hinders_no_other_edit(server: ControlPlane) -> None:
    eve, tenant = Person(server, "eve", EDITORS, ACCEPTERS), Person(server, "bob", EDITORS)
    operator = As(server, OPERATOR, f"system:serviceaccounts:{SYSTEM_NAMESPACE}")
    stored = [f'{{"by":"eve",{number}' for number in range(1000)]
    with without_the_policy(server):
        assert eve.writes(*stored, path=WEB)[0] == 200
    code, why = tenant.send("PATCH", f"{WEB}?dryRun=All", {"spec": {"state": "Stopped"}})
    assert code == 200, why
    assert operator.send("PATCH", f"{WEB}?dryRun=All", {"metadata": {"finalizers": ["backstay.dev/stop"]}})[0] == 200
    code, why = tenant.writes(*stored[:MOST_LINES])
    assert code == 200, why
    assert tenant.writes()[0] == 200


@pytest.mark.parametrize("size", [len('{"by":"eve",'), MOST_TEXT // MOST_LINES - 1], ids=["short", "long"])
def test_as_many_lines_as_may_stand_there_cost_little_enough(server: ControlPlane, size: int) -> None:
    eve = Person(server, "eve", EDITORS, ACCEPTERS)
    first, second = (['{"by":"eve",'.ljust(size - 1, "x") + char] * MOST_LINES for char in ("y", "z"))
    assert eve.writes(*first, path=WEB)[0] == 200
    code, why = eve.writes(*second)
    assert code == 200, why


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(['{"by":"eve",x'] * (MOST_LINES + 1), id="lines"),
        pytest.param([""] * (MOST_LINES + 1), id="empty lines"),
        pytest.param(['{"by":"eve",'.ljust(MOST_TEXT + 1, "x")], id="one long line"),
        pytest.param([str(number) for number in range(40_000)], id="very many lines"),
    ],
)
def test_more_than_is_read_is_refused(server: ControlPlane, lines: list[str]) -> None:
    code, why = Person(server, "eve", EDITORS, ACCEPTERS).writes(*lines)
    assert (code, f"has {MOST_LINES} lines and {MOST_TEXT} characters at most" in why) == (403, True), why


def test_the_verb_in_another_namespace_is_none_here(server: ControlPlane) -> None:
    server.kubectl("-n", "shop", "create", "rolebinding", "dan", "--clusterrole=backstay:edit", "--user=dan")
    code, why = Person(server, "dan", ELSEWHERE).writes(line("ann"), line("dan"))
    assert (code, "drift-accepters" in why) == (403, True), why


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([line("ann"), line("ann", host="n3")], id="another's name"),
        pytest.param([line("ann", reason="never said")], id="another's word is changed"),
        pytest.param([line("ann"), "anything"], id="no word"),
        pytest.param(
            [line("ann"), line("eve").replace('{"by":"eve",', '{"at":"x","by":"eve",')], id="a name further on"
        ),
        pytest.param([line("ann"), line("eve").replace('{"by":"eve",', '{"by":"evelyn",')], id="a longer name"),
    ],
)
def test_nobody_speaks_for_another(server: ControlPlane, lines: list[str]) -> None:
    code, why = Person(server, "eve", EDITORS, ACCEPTERS).writes(*lines)
    assert (code, "in your own name" in why) == (403, True), why


def test_a_name_that_looks_like_two_is_one(server: ControlPlane) -> None:
    odd = Person(server, ODD, EDITORS, ACCEPTERS)
    assert odd.writes(line("ann"), line(ODD))[0] == 200
    assert odd.writes(line("ann"), line(ODD).replace('\\"', '"'))[0] == 403, "as it would be read: of ann"


def test_who_may_edit_may_take_back_and_edit_all_else(server: ControlPlane) -> None:
    tenant = Person(server, "bob", EDITORS)
    assert tenant.writes()[0] == 200
    assert tenant.writes("", "")[0] == 200
    assert tenant.send("PATCH", f"{WEB}?dryRun=All", {"spec": {"state": "Stopped"}})[0] == 200
    assert tenant.send("DELETE", f"{WEB}?dryRun=All", {})[0] == 200


def test_no_program_accepts_and_the_operator_writes_beside_what_is_accepted(server: ControlPlane) -> None:
    operator = As(server, OPERATOR, f"system:serviceaccounts:{SYSTEM_NAMESPACE}")
    body: Json = {"metadata": {"annotations": {ACCEPT_ANNOTATION: f"{line('ann')}\n{line(OPERATOR)}"}}}
    code, why = operator.send("PATCH", f"{WEB}?dryRun=All", body)
    assert (code, "drift-accepters" in why) == (403, True), why
    assert operator.send("PATCH", f"{WEB}?dryRun=All", {"metadata": {"finalizers": ["backstay.dev/stop"]}})[0] == 200
