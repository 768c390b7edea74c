"""What a host must have, and what its copy is held against, as a table: who runs it, who ran it last, what each has said, what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAService
from backstay_operator.planner.do import prerequisites as orders
from backstay_operator.planner.do.decisions import decide_in_turn
from backstay_operator.planner.judge import judges, scores
from backstay_operator.planner.judge.host_facts import facts_of
from backstay_operator.planner.judge.placement import standbys
from backstay_operator.planner.judge.prerequisites import expected, unmet
from backstay_operator.planner.judge.questions import Question
from backstay_operator.planner.know.fitting import fitted_prerequisites
from backstay_operator.planner.know.world import World
from backstay_operator.planner.tell.prerequisites import recorded_run
from backstay_testing.builders import a_service, unit
from backstay_testing.worlds import a_world, put, report, running, say_ready, say_seen

CONF: Raw = {"name": "conf", "file": {"path": "/etc/web.conf"}}
A: Raw = {"name": "conf", "facts": {"content": "a" * 32, "mode": "0644"}}
B: Raw = {"name": "conf", "facts": {"content": "b" * 32, "mode": "0644"}}
GONE: Raw = {"name": "conf", "why": "/etc/web.conf does not exist"}
N1_HAD_A: Raw = {"lastRanWith": [{**A, "what": "file /etc/web.conf", "host": "n1"}]}
NOT_A = "conf: file /etc/web.conf is not as on n1: content is bbbbbbbb and there aaaaaaaa"

NOT_B = "conf: file /etc/web.conf is not as on n1: content is aaaaaaaa and there bbbbbbbb"


def service(status: Raw | None = None, **more: Any) -> HAService:
    return a_service("web", {**CONF, **more}, unit(), status=status)


def world(of: HAService, holder: str | None, said: dict[str, Raw], epoch: int = 2) -> World:
    """Three hosts, of which these have said what they see."""
    made = a_world("n1", "n2", "n3")
    put(made, of, epoch=epoch, host=holder)
    for host, finding in said.items():
        say_seen(made, of, host, finding)
    return made


def why(made: World, of: HAService, host: str) -> str:
    return "; ".join(one.told for one in unmet(made, of, made.instances["shop/web-0"], host))


@pytest.mark.parametrize(
    ("of", "holder", "said", "expected"),
    [
        pytest.param(service(), "n1", {"n1": A, "n2": A}, "", id="as where it runs"),
        pytest.param(service(), "n1", {"n1": A, "n2": B}, NOT_A, id="another than where it runs"),
        pytest.param(service(), "n1", {"n1": A}, "conf: not looked at yet", id="has said nothing"),
        pytest.param(service(), "n1", {"n1": A, "n2": GONE}, f"conf: {GONE['why']}", id="missing"),
        pytest.param(
            service(),
            "n1",
            {"n2": A},
            "conf: it cannot be compared: n1, where the service runs, has not said how it has file /etc/web.conf",
            id="where it runs nobody has looked",
        ),
        pytest.param(
            service(N1_HAD_A), "n1", {"n2": A}, "", id="as where it ran well last, before that host looks again"
        ),
        pytest.param(
            service(N1_HAD_A), "n1", {"n1": B, "n2": A}, NOT_B, id="the holder's present copy counts, not its last"
        ),
        pytest.param(service(consistency="Any"), "n1", {"n1": A, "n2": B}, "", id="may differ"),
        pytest.param(
            service(consistency="Any"), "n1", {"n1": A, "n2": GONE}, f"conf: {GONE['why']}", id="and must be there"
        ),
        pytest.param(service(N1_HAD_A), None, {"n2": A}, "", id="as where it ran last, though nobody runs it"),
        pytest.param(service(N1_HAD_A), None, {"n2": B}, NOT_A, id="another than where it ran last"),
        pytest.param(service(N1_HAD_A), None, {"n1": B, "n2": B}, "", id="both were edited while it was down"),
        pytest.param(
            service(),
            None,
            {"n2": B, "n3": A},
            f"{NOT_A.replace('n1', 'n3')}",
            id="nobody knows which ran last: one other",
        ),
        pytest.param(service(), None, {"n2": B, "n3": B}, "", id="nobody knows which ran last, and all agree"),
    ],
)
def test_what_n2_lacks(of: HAService, holder: str | None, said: dict[str, Raw], expected: str) -> None:
    found = why(world(of, holder, said), of, "n2")
    assert found == expected or (expected and found.startswith(f"{expected}, and nobody knows"))


EDITED: Raw = {**A, "what": "file /etc/web.conf", "host": "n1", "before": {"content": "b" * 32, "mode": "0644"}}
OLDER = f"{NOT_A}; it ran well with that before"


@pytest.mark.parametrize(
    ("last", "more", "expected", "blocks"),
    [
        pytest.param(EDITED, {}, OLDER, False, id="what it ran well with before an edit may take over"),
        pytest.param(EDITED, {"gate": "Strict"}, NOT_A, True, id="unless the gate is strict"),
        pytest.param(EDITED, {"gate": "Warn"}, NOT_A, False, id="a gate that only warns says how it differs"),
        pytest.param({**EDITED, "before": {}}, {}, NOT_A, True, id="it has never run with that"),
        pytest.param(
            {**EDITED, "what": "file /etc/other.conf"}, {}, NOT_A, True, id="what was before is of another thing"
        ),
        pytest.param(
            {
                **EDITED,
                "facts": EDITED["before"],
                "before": {},
                "since": "2026-01-01T00:00:00Z",
                "until": "2026-01-01T00:01:00Z",
            },
            {},
            OLDER,
            False,
            id="it ran well with that for a minute, and not since the edit",
        ),
        pytest.param(
            {
                **EDITED,
                "facts": EDITED["before"],
                "before": {},
                "since": "2026-01-01T00:00:00Z",
                "until": "2026-01-01T00:00:59Z",
            },
            {},
            NOT_A,
            True,
            id="it ran well with that for less than a minute",
        ),
    ],
)
def test_what_is_only_older_is_better_than_an_outage(last: Raw, more: Raw, expected: str, blocks: bool) -> None:
    of = service({"lastRanWith": [last]}, **more)
    (found,) = unmet(world(of, "n1", {"n1": A, "n2": B}), of, world(of, "n1", {}).instances["shop/web-0"], "n2")
    assert (found.told, found.blocks, found.is_older) == (expected, blocks, expected == OLDER)


def test_a_package_is_never_older() -> None:
    package: Raw = {"name": "conf", "package": {"name": "web"}}
    of = a_service("web", package, unit(), status={"lastRanWith": [{**EDITED, "what": "package web"}]})
    (found,) = unmet(world(of, "n1", {"n1": A, "n2": B}), of, world(of, "n1", {}).instances["shop/web-0"], "n2")
    assert found.blocks and not found.is_older


@pytest.mark.parametrize(("phase", "is_moved"), [("Running", False), ("Failed", True)])
def test_what_runs_is_not_moved_to_what_is_older_and_what_fails_is(phase: str, is_moved: bool) -> None:
    of = service({"lastRanWith": [EDITED]})
    made = world(of, "n1", {"n1": A, "n2": B})
    report(made, of, "n1", phase, epoch=2)
    ask = Question(made, of, made.instances["shop/web-0"])
    assert (judges.is_not_older(ask, facts_of(made, "n2")) is None) is is_moved
    assert scores.fewest_unmet(ask, facts_of(made, "n2")).why == "has conf as before an edit"


@pytest.mark.parametrize(
    ("last", "said", "expects"),
    [
        pytest.param(EDITED, A, "a", id="alike: as it is"),
        pytest.param(EDITED, B, "b", id="older: as that is"),
        pytest.param(EDITED, {**A, "facts": {"content": "c" * 32}}, "a", id="changed meanwhile: as it should be"),
        pytest.param({**EDITED, "host": "n2"}, B, "", id="where it ran last it may start with whatever is there"),
        pytest.param(None, B, "", id="it has never run well"),
    ],
)
def test_the_chosen_host_is_told_what_made_it_fit(last: Raw | None, said: Raw, expects: str) -> None:
    of = service({"lastRanWith": [last]} if last else None)
    made = world(of, "n2", {"n1": A, "n2": said})
    found = expected(made, of, made.instances["shop/web-0"], "n2")
    assert [one.facts["content"][0] for one in found] == ([expects] if expects else [])


def test_before_it_has_ever_run_each_host_is_right_that_has_all() -> None:
    of = service()
    made = world(of, None, {"n1": A, "n2": B, "n3": GONE}, epoch=0)
    assert [why(made, of, host) for host in ("n1", "n2")] == ["", ""] and why(made, of, "n3")


def test_where_it_ran_last_it_may_start_with_what_is_there_now() -> None:
    of = service(N1_HAD_A)
    assert why(world(of, None, {"n1": B}), of, "n1") == ""


def test_what_an_edit_has_put_in_its_place_is_not_held_against_what_was_there() -> None:
    of = a_service("web", {**CONF, "file": {"path": "/etc/other.conf"}}, unit(), status=N1_HAD_A)
    assert why(world(of, None, {"n2": B}), of, "n2") == ""


def test_what_the_manifest_declares_is_not_held_against_another_host() -> None:
    of = a_service("web", {**CONF, "file": {"path": "/etc/web.conf", "sha256": "0" * 64}}, unit())
    assert why(world(of, "n1", {"n1": A, "n2": B}), of, "n2") == ""
    other: Raw = {"name": "conf", "facts": {"content": "b" * 32, "mode": "0600"}}
    found = why(world(of, "n1", {"n1": A, "n2": other}), of, "n2")
    assert found == "conf: file /etc/web.conf is not as on n1: mode is 0600 and there 0644"


def test_what_was_seen_by_an_earlier_manifest_counts_for_nothing() -> None:
    of = service()
    made = world(of, "n1", {"n1": A})
    say_seen(made, of, "n2", A, revision=0)
    assert why(made, of, "n2") == "conf: not looked at yet"


@pytest.mark.parametrize(
    ("gate", "said", "rejected", "points"),
    [
        ("Block", A, "", 0),
        ("Block", B, f"lacks what it needs: {NOT_A}", -1),
        ("Block", None, "has not looked yet whether it has what it needs", -1),
        ("Warn", B, "", -1),
        ("Warn", None, "", -1),
    ],
)
def test_a_gate_says_whether_it_is_chosen_last_or_never(
    gate: str, said: Raw | None, rejected: str, points: int
) -> None:
    of = service(gate=gate)
    made = world(of, "n1", {"n1": A, **({"n2": said} if said else {})})
    ask = Question(made, of, made.instances["shop/web-0"])
    found = judges.meets_prerequisites(ask, facts_of(made, "n2"))
    assert (found.why if found else "") == rejected
    assert scores.fewest_unmet(ask, facts_of(made, "n2")).points == points


def test_the_host_that_runs_it_may_start_it_again_whatever_it_has() -> None:
    of = service()
    made = world(of, "n1", {"n1": GONE})
    ask = Question(made, of, made.instances["shop/web-0"])
    assert judges.meets_prerequisites(ask, facts_of(made, "n1")) is None


def test_an_endpoint_only_warns_if_nobody_says_otherwise() -> None:
    of = a_service("web", {"name": "db", "endpoint": {"tcp": "db:5432"}}, unit())
    made = world(of, "n1", {"n1": {"name": "db"}, "n2": {"name": "db", "why": "db:5432 does not answer: refused"}})
    (found,) = unmet(made, of, made.instances["shop/web-0"], "n2")
    assert (found.told, found.blocks) == ("db: db:5432 does not answer: refused", False)


@pytest.mark.parametrize(
    ("is_well", "said", "kept"),
    [
        pytest.param(True, B, "b", id="it runs well: as it is there now"),
        pytest.param(False, B, "a", id="it does not: as it was told before"),
        pytest.param(True, GONE, "a", id="what cannot be seen now is as it was told before"),
    ],
)
def test_what_it_ran_with_last_is_kept_while_it_runs_well(is_well: bool, said: Raw, kept: str) -> None:
    of = service(N1_HAD_A)
    made = a_world("n1", "n2")
    running(made, of)
    say_seen(made, of, "n1", said)
    _, decision = decide_in_turn(made, of)
    (found,) = recorded_run(made, of, [(decision.slots[0], is_well)])
    assert (found.host, found.facts["content"][0]) == ("n1", kept)


@pytest.mark.parametrize(
    ("since", "is_well", "said", "before", "until"),
    [
        pytest.param("2025-12-31T23:59:00Z", True, B, "a", None, id="an edit: what ran for a minute is kept"),
        pytest.param("2025-12-31T23:59:01Z", True, B, "", None, id="an edit: what ran for less is not"),
        pytest.param("2025-12-31T23:00:00Z", True, A, "", None, id="no edit"),
        pytest.param("2025-12-31T23:00:00Z", False, B, "", "2026-01-01T00:00:00Z", id="it has just ceased to run well"),
    ],
)
def test_what_it_ran_well_with_before_an_edit_is_kept(
    since: str, is_well: bool, said: Raw, before: str, until: str | None
) -> None:
    (last,) = N1_HAD_A["lastRanWith"]
    of = service({"lastRanWith": [{**last, "since": since}]})
    made = a_world("n1", "n2")
    made.wall = "2026-01-01T00:00:00Z"
    running(made, of)
    say_seen(made, of, "n1", said)
    _, decision = decide_in_turn(made, of)
    (found,) = recorded_run(made, of, [(decision.slots[0], is_well)])
    assert (found.before.get("content", "")[:1], found.until) == (before, until)


def test_where_it_runs_is_looked_at_and_where_it_may_run() -> None:
    of = service()
    made = a_world("n1", "n2", "n3")
    running(made, of)
    _, decision = decide_in_turn(made, of)
    asked = {host: order for host, _, order in orders.orders(made, decision.slots[0])}
    assert asked.keys() == {"n1", "n2", "n3"}
    assert {one.name for one in asked["n1"].resources} == {"conf"} and asked["n1"].revision == of.metadata.generation


def test_of_too_many_those_are_kept_that_were_asked_before() -> None:
    of = service()
    made = a_world("n1")
    running(made, of)
    _, decision = decide_in_turn(made, of)
    ((_, _, order),) = orders.orders(made, decision.slots[0])
    wanted = {f"uid-{number:04}": order for number in range(2000)}
    kept = fitted_prerequisites({"uid-1999": order}, wanted)
    assert "uid-1999" in kept and "uid-0000" in kept and len(kept) < len(wanted)


@pytest.mark.parametrize(
    ("holder_has", "others_have", "asked"),
    [
        pytest.param(A, {}, "n2 n3 n4", id="three are enough"),
        pytest.param(A, {"n2": A, "n3": A, "n4": A}, "n2 n3 n4", id="those that have it"),
        pytest.param(A, {"n2": A, "n3": B, "n4": A}, "n2 n4 n5 n3", id="for one that lacks it another is asked"),
        pytest.param(A, {"n2": B, "n3": B, "n4": B}, "n5 n6 n2 n3 n4", id="none of them keeps others from being asked"),
        pytest.param(None, {"n2": A, "n3": B, "n4": GONE}, "n2 n3 n4", id="before that is known nobody else is asked"),
    ],
)
def test_what_lacks_a_prerequisite_counts_as_a_host_that_is_not_ready(
    holder_has: Raw | None, others_have: dict[str, Raw], asked: str
) -> None:
    of = service()
    made = a_world("n1", "n2", "n3", "n4", "n5", "n6")
    running(made, of)
    for host, finding in {**others_have, **({"n1": holder_has} if holder_has else {})}.items():
        say_ready(made, of, host)
        say_seen(made, of, host, finding)
    assert list(standbys(made, of, made.instances["shop/web-0"])) == asked.split()
