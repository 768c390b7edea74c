"""Each judge by itself, as a table of cases, and at which points it is asked. What comes of all of them: `test_placement.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import pytest

from backstay_api.objects.models.host import HostChecks
from backstay_operator.planner.judge import judges, retries, scores
from backstay_operator.planner.judge.host_facts import facts_of
from backstay_operator.planner.judge.judges import FILTERS, Filter
from backstay_operator.planner.judge.questions import Question, Room
from backstay_operator.planner.judge.scores import SCORES, Scorer
from backstay_operator.planner.know.world import World
from backstay_testing import affinities, capacities, features, promotions, spreads, worlds
from backstay_testing.builders import a_service, an_instance, an_order, claims, unit
from backstay_testing.copies import COPY_CASES
from backstay_testing.worlds import Befall, a_world, add_host, all_of, nothing, put, report, say_ready

WEB: Final = a_service()
POOL: Final = {"hosts": {"matchLabels": {"pool": "db"}}}
TOLERANT: Final = a_service(placement={"tolerations": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]})
MINDS_NOTHING: Final = a_service(placement={"tolerations": [{"operator": "Exists"}]})
OTHERS: Final = {"hosts": {"matchExpressions": [{"key": "pool", "operator": "NotIn", "values": ["db"]}]}}
NOT_IN_POOL: Final = a_service(placement=OTHERS)
IN_POOL: Final = a_service(placement=POOL)
LIKES_POOL: Final = a_service(placement={"prefer": [{**POOL, "weight": 7}]})
NEVER: Final = a_service(recovery={"moves": {"limit": 0, "per": "1h"}})
GRACE: Final = a_service(recovery={"rebootGrace": "30s"})
NEEDS: Final = a_service("web", {"name": "conf", "file": {"path": "/etc/web.conf"}}, unit())
EDITED: Final = a_service(
    "web",
    {"name": "conf", "file": {"path": "/etc/web.conf"}},
    unit(),
    status={
        "lastRanWith": [
            {"name": "conf", "what": "file /etc/web.conf", "host": "n2", "facts": {"m": "b"}, "before": {"m": "a"}}
        ]
    },
)
OLDER: Final = (
    "has what it needs as it was before an edit, good for an outage alone: conf: file /etc/web.conf is not as on n2: m is a and"
    " there b; it ran well with that before"
)
AWAITED: Final = "waits for n2, which reboots: recovery.rebootGrace is 30s"
CLEAR: Final = "backstay clear web --reason WHY"
NOWHERE: Final = (
    "may not try it: as it is configured no host can run it, says {host} (no such disk): "
    f"edit it; or mend what it names, then `{CLEAR}`"
)
NO_MOVES: Final = "recovery.moves: 0 within 1h are used up"


def host(**more: Any) -> Befall:
    return lambda world: add_host(world, "n1", **more)


def seal(world: World) -> None:
    worlds.seal(world, "n1")


def unfit(on_failure: str | None, *, finds: bool = True) -> Befall:
    """Its own checks find something, and its admin has said what then; None: nothing."""

    def befall(world: World) -> None:
        checks = HostChecks(on_failure=on_failure) if on_failure else None
        known = world.hosts["n1"]
        world.hosts["n1"] = known.model_copy(update={"spec": known.spec.model_copy(update={"checks": checks})})
        found = [{"check": "Disk", "why": "/run is full"}, {"check": "Network", "why": "eth1 has no link"}]
        worlds.find(world, "n1", *(found if finds else []))

    return befall


def claimed(world: World) -> None:
    """Another service has the unit there."""
    (claim,) = claims(a_service("other", unit()), "n1")
    world.claims[claim.key] = claim


def failed(world: World) -> None:
    report(world, WEB, "n1", "Failed", epoch=1, why="exit code 1")


def final(error_type: str, on: str = "n1") -> Befall:
    """Its agent there has said that another try does not help; hours ago."""

    def befall(world: World) -> None:
        report(world, WEB, on, "Failed", epoch=1, why="no such disk", error_type=error_type)
        world.now_s += 36_000
        for name in world.hosts:
            worlds.silence(world, name, 0.0)

    return befall


def full(world: World) -> None:
    for number in range(512):
        say_ready(world, WEB, "n1", uid=f"uid-{number}")


def ready(**more: Any) -> Befall:
    return lambda world: say_ready(world, WEB, "n1", **more)


def seen(**what: Any) -> Befall:
    """It has looked at the one prerequisite."""
    return lambda world: worlds.say_seen(world, NEEDS, "n1", {"name": "conf", **what})


def older(world: World) -> None:
    """It has what it needs as n2, where it runs, had it before an edit."""
    put(world, EDITED, epoch=1, host="n2")
    worlds.say_seen(world, EDITED, "n1", {"name": "conf", "facts": {"m": "a"}})
    worlds.say_seen(world, EDITED, "n2", {"name": "conf", "facts": {"m": "b"}})


def granted(world: World) -> None:
    put(world, WEB, epoch=1, host="n1")


def failed_on(name: str) -> Befall:
    """Its holder has said that it could not keep it running."""
    return all_of(
        lambda world: put(world, WEB, epoch=1, host=name),
        lambda world: report(world, WEB, name, "Failed", epoch=1, why="exit code 1"),
    )


def reboots(
    name: str,
    type_: str = "Reboot",
    *,
    released: bool = True,
    want: Literal["Up", "Down"] = "Up",
    seen_ago_s: float = 29.0,
) -> Befall:
    """Its last holder goes down in order, so long ago that we have seen it say so."""

    def befall(world: World) -> None:
        put(world, GRACE, epoch=1)
        granted_there = an_instance(GRACE, epoch=1, host=name)
        worlds.tell(world, name, granted_there, an_order(granted_there, want))
        report(world, GRACE, name, "Stopped", epoch=1, released=released)
        worlds.shut_down(world, name, type_=type_)
        world.now_s += seen_ago_s

    return befall


def another_epoch(world: World) -> None:
    put(world, GRACE, epoch=2)


def comes_back(world: World) -> None:
    """Another session of it knows nothing of what was."""
    add_host(world, "n2")


def ask(world: World, **more: Any) -> Question:
    service = more.pop("service", WEB)
    key = more.pop("instance", "shop/web-0")
    instance = world.instances.get(key) or put(world, service, epoch=1)
    return Question(world, service, instance, **more)


FILTER_CASES: Final[Mapping[Filter, list[tuple[Befall, dict[str, Any], str]]]] = {
    judges.may_stay: [
        (nothing, {}, ""),
        (host(mode="Drain"), {}, "is being drained (new disks)"),
        (host(mode="Cordon"), {}, ""),
        (unfit("Drain"), {}, "is not fit, and to be left then (/run is full; eth1 has no link)"),
        (unfit("Stay"), {}, ""),
        (unfit("Drain", finds=False), {}, ""),
        (unfit(None), {}, ""),
    ],
    judges.is_selected: [
        (host(labels={"pool": "db"}), {"service": IN_POOL}, ""),
        (host(labels={"pool": "web"}), {"service": IN_POOL}, "is not selected: has pool=web, not db"),
        (nothing, {"service": IN_POOL}, "is not selected: has no label pool, not db"),
        (
            host(labels={"pool": "db"}),
            {"service": NOT_IN_POOL},
            "is not selected: has pool=db, which is ruled out (NotIn db)",
        ),
        (nothing, {"service": NOT_IN_POOL}, ""),
    ],
    **COPY_CASES,
    judges.is_free: [
        (nothing, {}, ""),
        (claimed, {}, "may not run it: unit web.service belongs to the HAService shop/other there"),
    ],
    judges.is_wished: [
        (nothing, {"to": "n1"}, ""),
        (nothing, {"to": "n2"}, "is not n2, which was asked for"),
        (nothing, {"away_from": frozenset({"n1"})}, "is the host that it leaves"),
    ],
    judges.is_open: [
        (nothing, {}, ""),
        (host(mode="Cordon"), {}, "is cordoned (new disks)"),
        (all_of(host(mode="Cordon"), granted), {}, ""),
    ],
    judges.is_tolerated: [
        (nothing, {}, ""),
        (host(taints=["gpu=yes:NoSchedule"]), {}, "has a taint that it does not tolerate: gpu=yes:NoSchedule"),
        (host(taints=["old:PreferNoSchedule"]), {}, ""),
        (host(taints=["x:PreferNoSchedule", "y:NoExecute"]), {}, "has a taint that it does not tolerate: y:NoExecute"),
        (all_of(host(taints=["gpu=yes:NoSchedule"]), granted), {}, ""),
        (all_of(host(taints=["y:NoExecute"]), granted), {}, "has a taint that it does not tolerate: y:NoExecute"),
        (host(taints=["gpu=yes:NoSchedule"]), {"service": TOLERANT}, ""),
        (
            host(taints=["gpu=no:NoSchedule"]),
            {"service": TOLERANT},
            "has a taint that it does not tolerate: gpu=no:NoSchedule",
        ),
        (
            host(taints=["gpu=yes:NoExecute"]),
            {"service": TOLERANT},
            "has a taint that it does not tolerate: gpu=yes:NoExecute",
        ),
        (host(taints=["a:NoSchedule", "b=c:NoExecute"]), {"service": MINDS_NOTHING}, ""),
    ],
    **features.FILTER_CASES,
    judges.has_session: [
        (nothing, {}, ""),
        (host(silent_s=1.0), {}, "is late with its heartbeat"),
        (seal, {}, "is sealed: it was silent and has not come back yet"),
    ],
    judges.is_reachable: [
        (host(silent_s=1.0), {}, ""),
        (seal, {}, "is sealed: it was silent and has not come back yet"),
    ],
    judges.may_answer: [
        (host(silent_s=1.0), {}, ""),
        (seal, {}, "is sealed: it was silent and has not come back yet"),
        (all_of(ready(), seal), {}, ""),
    ],
    judges.has_room: [
        (nothing, {}, ""),
        (full, {}, "keeps itself ready for 512 services already, and can be asked about no more at a time"),
        (all_of(full, granted), {}, ""),
    ],
    retries.starts_here: [
        (nothing, {}, ""),
        (failed, {}, "failed to start it less than 1 s ago: exit code 1"),
        (failed, {"to": "n1"}, ""),
        (final("Soft"), {}, ""),
        (final("Hard"), {}, f"cannot run it until that is mended there: no such disk; then `{CLEAR}`"),
        (final("Hard"), {"retry": True}, f"cannot run it until that is mended there: no such disk; then `{CLEAR}`"),
        (final("Hard"), {"to": "n1"}, ""),
        (final("Hard", on="n2"), {}, ""),
        (final("Fatal"), {}, NOWHERE.format(host="n1")),
        (final("Fatal", on="n2"), {}, NOWHERE.format(host="n2")),
        (final("Fatal", on="n2"), {"retry": True}, NOWHERE.format(host="n2")),
        (final("Fatal", on="n2"), {"to": "n1"}, ""),
        (final("Fatal", on="n2"), {"service": a_service(generation=2)}, ""),
    ],
    retries.may_fail_over: [
        (failed_on("n2"), {"service": WEB}, ""),
        (nothing, {"service": NEVER}, ""),
        (failed_on("n2"), {"service": NEVER}, f"may not take it over: {NO_MOVES}"),
        (failed_on("n1"), {"service": NEVER}, ""),
        (failed_on("n2"), {"service": NEVER, "to": "n1"}, ""),
    ],
    retries.could_fail_over: [
        (nothing, {"service": WEB}, ""),
        (nothing, {"service": NEVER}, f"may not take it over: {NO_MOVES}"),
        (granted, {"service": NEVER}, ""),
    ],
    **capacities.FILTER_CASES,
    **affinities.FILTER_CASES,
    **promotions.FILTER_CASES,
    **spreads.FILTER_CASES,
    judges.is_ready: [
        (ready(), {}, ""),
        (ready(ready=False, why="masked"), {}, "is not ready: masked"),
        (granted, {}, ""),
    ],
    # What a host must have, and as which other host: `test_prerequisites.py`.
    judges.meets_prerequisites: [
        (nothing, {}, ""),
        (nothing, {"service": NEEDS}, "has not looked yet whether it has what it needs"),
        (seen(why="no such file"), {"service": NEEDS}, "lacks what it needs: conf: no such file"),
        (seen(facts={"mode": "0644"}), {"service": NEEDS}, ""),
    ],
    judges.is_not_older: [
        (nothing, {}, ""),
        (seen(facts={"mode": "0644"}), {"service": NEEDS}, ""),
        (older, {"service": EDITED}, OLDER),
    ],
    judges.need_not_wait: [
        (reboots("n2"), {"service": GRACE}, AWAITED),
        (reboots("n2", seen_ago_s=30.0), {"service": GRACE}, ""),
        (reboots("n2"), {"service": WEB}, ""),
        (reboots("n1"), {"service": GRACE}, ""),
        (reboots("n2", "PowerOff"), {"service": GRACE}, ""),
        (reboots("n2", released=False), {"service": GRACE}, ""),
        (reboots("n2", want="Down"), {"service": GRACE}, ""),
        (reboots("n2"), {"service": GRACE, "to": "n1"}, ""),
        (all_of(reboots("n2"), another_epoch), {"service": GRACE}, ""),
        (all_of(reboots("n2"), comes_back), {"service": GRACE}, AWAITED),
        (all_of(reboots("n2"), lambda world: add_host(world, "n2", mode="Drain")), {"service": GRACE}, ""),
        (all_of(reboots("n2"), lambda world: add_host(world, "n2", mode="Cordon")), {"service": GRACE}, ""),
        (all_of(reboots("n2"), lambda world: world.drop_host("n2")), {"service": GRACE}, ""),
        (all_of(reboots("n2"), lambda world: add_host(world, "n2", taints=["a:NoSchedule"])), {"service": GRACE}, ""),
        (reboots("n2"), {"service": a_service(placement=POOL, recovery={"rebootGrace": "30s"})}, ""),
    ],
}

SCORE_CASES: Final[Mapping[Scorer, list[tuple[Befall, dict[str, Any], int]]]] = {
    scores.announced: [(nothing, {"announced": "n1"}, 1), (nothing, {"announced": "n2"}, 0), (nothing, {}, 0)],
    scores.leaves_room: [(nothing, {"room": Room("n1", "")}, 1), (nothing, {"room": Room("n2", "")}, 0)],
    scores.awaited_there: [(reboots("n1"), {"service": GRACE}, 1), (reboots("n2"), {"service": GRACE}, 0)],
    scores.fewest_failures: [(nothing, {}, 0), (failed, {}, -1)],
    scores.no_recent_failure: [(nothing, {}, 0), (failed, {}, -1)],
    scores.fewest_unmet: [(nothing, {}, 0), (nothing, {"service": NEEDS}, -1), (seen(), {"service": NEEDS}, 0)],
    scores.fewest_taints: [
        (nothing, {}, 0),
        (host(taints=["gpu=yes:NoSchedule"]), {}, 0),
        (host(taints=["a:PreferNoSchedule", "b:PreferNoSchedule"]), {}, -2),
        (host(taints=["a:PreferNoSchedule"]), {"service": MINDS_NOTHING}, 0),
    ],
    **affinities.SCORE_CASES,
    **capacities.SCORE_CASES,
    **promotions.SCORE_CASES,
    **spreads.SCORE_CASES,
    scores.preference: [
        (host(labels={"pool": "db"}), {"service": LIKES_POOL}, 7),
        (nothing, {"service": LIKES_POOL}, 0),
        *affinities.WEIGHTS,
        (nothing, {"service": a_service(placement={"prefer": [{**OTHERS, "weight": -3}]})}, -3),
    ],
    scores.readiness: [(ready(), {}, 1), (nothing, {}, 0), (ready(ready=False), {}, -1)],
    scores.already_asked: [(ready(), {}, 1), (nothing, {}, 0)],
    scores.fewer_services: [
        (nothing, {}, 0),
        (granted, {}, -1),
        (nothing, {"planned": {"n1": {"shop/a-0", "shop/b-0"}}}, -2),
    ],
}


def cases(tables: Mapping[Any, list[tuple[Any, ...]]]) -> list[Any]:
    return [
        pytest.param(judge, *case, id=f"{judge.__name__}-{number}")
        for judge, table in tables.items()
        for number, case in enumerate(table)
    ]


@pytest.mark.parametrize(("judge", "befall", "asking", "why"), cases(FILTER_CASES))
def test_what_each_filter_says(judge: Filter, befall: Befall, asking: dict[str, Any], why: str) -> None:
    world = a_world("n1", "n2")
    befall(world)
    rejected = judge(ask(world, **asking), facts_of(world, "n1"))
    assert (rejected.why if rejected else "") == why


@pytest.mark.parametrize(("judge", "befall", "asking", "points"), cases(SCORE_CASES))
def test_what_each_score_is_worth(judge: Scorer, befall: Befall, asking: dict[str, Any], points: int) -> None:
    world = a_world("n1", "n2")
    befall(world)
    assert judge(ask(world, **asking), facts_of(world, "n1")).points == points


@pytest.mark.parametrize(("judge", "befall", "asking", "why"), cases(FILTER_CASES))
def test_a_filter_that_is_not_asked_has_nothing_against_any_host(
    judge: Filter, befall: Befall, asking: dict[str, Any], why: str
) -> None:
    world = a_world("n1", "n2")
    befall(world)
    asked = ask(world, **asking)
    is_asked = judge in judges.worth_asking([judge], judges.ASKED_IF, asked)
    assert is_asked or not any(judge(asked, facts_of(world, host)) for host in world.hosts)


@pytest.mark.parametrize(("judge", "befall", "asking", "points"), cases(SCORE_CASES))
def test_to_a_score_that_is_not_asked_all_hosts_are_alike(
    judge: Scorer, befall: Befall, asking: dict[str, Any], points: int
) -> None:
    world = a_world("n1", "n2")
    befall(world)
    asked = ask(world, **asking)
    is_asked = judge in judges.worth_asking([judge], scores.ASKED_IF, asked)
    assert is_asked or len({judge(asked, facts_of(world, host)) for host in world.hosts}) == 1


def test_every_judge_has_cases_that_differ_and_is_asked_at_some_point() -> None:
    assert {judge for judge, _ in FILTERS} == FILTER_CASES.keys()
    assert {judge for judge, _ in SCORES} == SCORE_CASES.keys()
    for filter_, judged in FILTER_CASES.items():
        assert len({said for _, _, said in judged}) > 1, filter_
    for scorer, scored in SCORE_CASES.items():
        assert len({points for _, _, points in scored}) > 1, scorer
    assert all(points for _, points in (*FILTERS, *SCORES))
