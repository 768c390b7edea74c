"""What is shared between services about hosts to which they are strangers is what each would be told by itself."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backstay_api.objects.models import HAInstance, HAService
from backstay_operator.planner.judge import placement
from backstay_operator.planner.judge.host_facts import all_facts
from backstay_operator.planner.judge.judges import filters
from backstay_operator.planner.judge.placement import Verdict
from backstay_operator.planner.judge.questions import Point, Question
from backstay_operator.planner.judge.scores import no_recent_failure, scorers
from backstay_operator.planner.judge.strangers import what_they_read
from backstay_operator.planner.know import fitting
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_service, unit
from backstay_testing.worlds import NOW_S, add_host, put, say_ready

HOSTS = ("n0", "n1", "n2", "n3")
hosts = st.tuples(
    st.sampled_from(["", "", "Cordon", "Drain"]),
    st.sampled_from([0.0, 0.0, 9.0]),
    st.sampled_from(["a", "b"]),
    st.sampled_from([(), (), ("worn:NoSchedule",), ("worn:NoExecute",), ("worn:PreferNoSchedule",)]),
)
services = st.tuples(
    st.sampled_from([None, {"matchLabels": {"rack": "a"}}, {"matchLabels": {"rack": "b"}}]),
    st.sampled_from([[], [{"key": "worn", "operator": "Exists"}]]),
    st.sampled_from(["", "", *HOSTS]),
    st.sets(st.sampled_from(HOSTS)),
    st.booleans(),
)
Drawn = tuple[Any, ...]


def world_of(described: list[Drawn], drawn: list[Drawn]) -> tuple[World, list[tuple[HAService, HAInstance | None]]]:
    world, known = World(now_s=NOW_S), []
    for name, (mode, silent_s, rack, taints) in zip(HOSTS, described, strict=True):
        add_host(world, name, mode=mode, silent_s=silent_s, labels={"rack": rack}, taints=taints)
    for number, (selector, tolerations, holder, asked, is_there) in enumerate(drawn):
        name = f"s{number}"
        spec = {"hosts": selector, "tolerations": tolerations} if selector else {"tolerations": tolerations}
        service = a_service(name, unit(name), placement=spec)
        known.append((service, put(world, service, epoch=1, host=holder or None) if is_there else None))
        world.put_service(service)
        say_ready(world, service, *sorted(asked))
    return world, known


def each_by_itself(point: Point, ask: Question) -> tuple[Verdict, ...]:
    asked, scored = filters(point, ask), scorers(point, ask)
    found = [placement._verdict(ask, facts, asked, scored) for facts in all_facts(ask.world).values()]
    return tuple(sorted(found, key=placement._rank))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(hosts, min_size=4, max_size=4), st.lists(services, min_size=1, max_size=6), st.integers(1, 4))
def test_a_verdict_that_is_shared_is_the_one_that_each_would_have(
    described: list[Drawn], drawn: list[Drawn], most: int
) -> None:
    with patch.object(fitting, "MOST_INSTANCES", most):
        world, known = world_of(described, drawn)
        for point in (Point.STANDBY, Point.FIRST_EPOCH, Point.START):
            world.memo = {}  # as in a plan
            shared = [placement._judged(point, Question(world, *one)) for one in known]
            world.memo = None
            assert shared == [each_by_itself(point, Question(world, *one)) for one in known]


def test_the_verdicts_of_most_services_are_shared() -> None:
    world, known = world_of([("", 0.0, "a", ())] * 4, [(None, [], "n0", {"n1"}, True)])
    ask = Question(world, *known[0])
    for point in (Point.STANDBY, Point.FIRST_EPOCH, Point.START):
        assert what_they_read(ask, (*filters(point, ask), *scorers(point, ask))) is not None


def test_what_reads_more_is_not_shared() -> None:
    world, known = world_of([("", 0.0, "a", ())] * 4, [(None, [], "n0", {"n1"}, True)])
    ask = Question(world, *known[0])
    assert what_they_read(ask, (*filters(Point.START, ask), no_recent_failure)) is None
    on_its_way = Question(world, *known[0], planned={"n1": {"default/other-0"}})
    assert what_they_read(on_its_way, scorers(Point.STANDBY, on_its_way)) is None
