"""What `explain` tells of the course of recovery that a manifest asks for."""

from __future__ import annotations

import pytest

from backstay_operator.planner.do.decisions import decide
from backstay_operator.planner.do.rounds import begin
from backstay_operator.planner.tell.recovery import recovery_of
from backstay_testing.builders import a_service, unit
from backstay_testing.worlds import a_world, put

AT_ONCE = "it is not restarted in place: the service is stopped at once, and another host tries (onFailure: Move)"
LEFT = "it is left as it is until its next start, and"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({}, "", id="nothing is asked for"),
        pytest.param({"a": "Restart"}, "", id="the default"),
        pytest.param({"a": "Move"}, f"where a fails, {AT_ONCE}", id="one moves at once"),
        pytest.param({"a": "Move", "b": "Move"}, f"where a or b fails, {AT_ONCE}", id="two do"),
        pytest.param(
            {"a": "Degrade", "b": "Ignore"},
            f"where a fails, {LEFT} the service is Degraded (onFailure: Degrade); where b fails, {LEFT} only told (onFailure: Ignore)",
            id="each is left in its own way",
        ),
    ],
)  # fmt: skip
def test_what_a_failure_does_where_it_is_not_restarted_in_place(asked: dict[str, str], expected: str) -> None:
    resources = [unit(name) | ({"onFailure": asked[name]} if name in asked else {}) for name in ("a", "b")]
    world = a_world("n1")
    service = a_service("web", *resources)
    put(world, service, epoch=1, host="n1")
    (slot,) = decide(begin(world), world.services[service.key]).slots
    assert recovery_of(world, slot) == expected
