"""Each grant keeps why it went where it went, with what was said of each host, and the records stay small."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from backstay_api.objects.models import HAInstance
from backstay_api.objects.models.instance import GrantRecord
from backstay_operator.planner import offline, whatif
from backstay_operator.planner.do.granting import closed_spec
from backstay_operator.planner.do.recorded import MOST_GRANTS, MOST_HOSTS, grants
from backstay_operator.planner.judge.evidence import Evidence
from backstay_operator.planner.judge.host_facts import Rejected
from backstay_operator.planner.judge.placement import Placed, Verdict
from backstay_operator.planner.judge.scores import Score
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_host, a_service, an_instance, unit

AT = "2026-03-01T12:00:00Z"
CORDONED = Rejected("Maintenance", "is cordoned", "are cordoned")


def able(host: str, why: str) -> Verdict:
    return Verdict(host, None, (Score("Evenness", 0, why),))


def said(verdicts: Sequence[Verdict]) -> list[tuple[list[str], int, str, str, str]]:
    (record,) = grants(an_instance(a_service()).spec, Placed("n1", "the best", tuple(verdicts)), "because", AT)
    assert (record.epoch, record.host, record.at, record.why) == (1, "n1", AT, "because")
    return [(one.hosts, one.more, one.verdict, one.rule, one.why) for one in record.verdicts]


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        pytest.param([able("n1", "x")], [(["n1"], 0, "Chosen", "", "the best")], id="the only one"),
        pytest.param(
            [able("n1", "x"), able("n2", "runs 1 other"), able("n3", "runs 1 other"), Verdict("n4", CORDONED)],
            [
                (["n1"], 0, "Chosen", "", "the best"),
                (["n2", "n3"], 0, "Possible", "", "runs 1 other"),
                (["n4"], 0, "No", "Maintenance", "is cordoned"),
            ],
            id="of which the same is said stand together",
        ),
        pytest.param(
            [able("n1", "x"), *(able(f"n{number}", f"runs {number} others") for number in range(2, 6))],
            [
                (["n1"], 0, "Chosen", "", "the best"),
                (["n2"], 0, "Possible", "", "runs 2 others"),
                (["n3"], 0, "Possible", "", "runs 3 others"),
                (["n4", "n5"], 0, "Possible", "", "each for a reason of its own"),
            ],
            id="no more than a few reasons",
        ),
        pytest.param(
            [able("n1", "x"), *(Verdict(f"m{number}", CORDONED) for number in range(MOST_HOSTS + 3))],
            [
                (["n1"], 0, "Chosen", "", "the best"),
                ([f"m{number}" for number in range(MOST_HOSTS)], 3, "No", "Maintenance", "is cordoned"),
            ],
            id="and of a thousand hosts the first names",
        ),
    ],
)
def test_what_was_said_of_each_host(verdicts: Sequence[Verdict], expected: object) -> None:
    assert said(verdicts) == expected


def test_there_is_room_for_what_is_worst_and_longest() -> None:
    whys = [able(f"n{number}", f"{number} {'x' * 5000}") for number in range(1, 40)]
    rejected = [Verdict(f"m{n}", Rejected(f"R{n}", f"{n} {'y' * 5000}", "z")) for n in range(40)]
    placed = Placed("n1", "w" * 5000, (*whys, *rejected))
    (record,) = grants(an_instance(a_service()).spec, placed, "v" * 5000, AT)
    assert len(record.verdicts) == 8 and GrantRecord.model_validate(record.wire()) == record
    assert len(str(record.wire())) < 6000


def test_the_last_grants_stay_over_failovers_newest_first() -> None:
    world = offline.as_if_running([a_host("n1"), a_host("n2")], [a_service("web", unit("web"))], [])
    whatif.outcome(world, {})
    for _ in range(MOST_GRANTS + 1):
        lost = held(world).holder
        whatif.outcome(world, whatif.holders(world), [lost])
        revive(world, lost)
    records = held(world).spec.grants or []
    assert [one.epoch for one in records] == [7, 6, 5, 4, 3] and len(records) == MOST_GRANTS
    assert records[0].why.endswith(", the only host of 2 that can run it")
    assert {one.host for one in records} == {"n1", "n2"}
    expected = [("Chosen", [records[0].host]), ("No", [records[1].host])]
    assert [(one.verdict, one.hosts) for one in records[0].verdicts] == expected


def test_and_over_an_epoch_that_ends_with_nowhere_to_go() -> None:
    instance = an_instance(a_service(), epoch=1, host="n1")
    known = grants(instance.spec, Placed("n1", "the best", (able("n1", "x"),)), "because", AT)
    spec = instance.spec.model_copy(update={"grants": known})
    ended = closed_spec(instance.model_copy(update={"spec": spec}), Evidence("Released", "it has stopped"))
    assert ended.grant is None and ended.grants == known


def held(world: World) -> HAInstance:
    return world.instances["shop/web-0"]


def revive(world: World, host: str) -> None:
    """As if it had never been lost: its lease is unsealed, and it holds nothing."""
    offline.opens_session(world, host)
