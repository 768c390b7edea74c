"""How long what fails wherever it goes waits for its next try, and when it is forgotten that it failed."""

from __future__ import annotations

import pytest

from backstay_api.objects.models.service import StartFailure
from backstay_operator.planner.judge.failures import MOST_FAILURES, Failure, failures_that_count, pause_s, to_remember
from backstay_operator.planner.judge.host_facts import facts_of
from backstay_operator.planner.judge.questions import Question
from backstay_operator.planner.judge.retries import starts_here
from backstay_operator.planner.know.world import Failed, Settings, World
from backstay_testing.builders import a_service
from backstay_testing.worlds import a_world, put

CLEAR = "`backstay clear web --reason WHY` has it tried at once"


def failure(host: str, epoch: int = 1, error_type: str = "Soft") -> StartFailure:
    return StartFailure(
        slot="web-0", host=host, epoch=epoch, at="2026-01-01T00:00:00Z", why="exit 1", error_type=error_type
    )


def failures(*hosts: str) -> list[StartFailure]:
    return [failure(host, epoch) for epoch, host in enumerate(hosts, 1)]


@pytest.mark.parametrize(
    ("hosts", "expected_s"),
    [
        pytest.param(["n1"], 15, id="the only host has failed once"),
        pytest.param(["n1", "n2", "n3"], 15, id="each of three hosts has failed once"),
        pytest.param(["n1", "n2", "n3", "n1"], 30, id="a second time on one of them"),
        pytest.param(["n1", "n2", "n3", "n1", "n2"], 60, id="on another"),
        pytest.param(["n1", "n1", "n1", "n1", "n1"], 240, id="five times on the only host"),
        pytest.param(["n1"] * 6, 300, id="no longer than half of what is remembered"),
        pytest.param([f"n{number}" for number in range(MOST_FAILURES)], 300, id="more hosts than can be remembered"),
    ],
)
def test_the_next_try_comes_later_after_each_failure_wherever_it_was(hosts: list[str], expected_s: float) -> None:
    assert pause_s(Settings(), [Failure(one, 0.0) for one in failures(*hosts)]) == expected_s


def known(told: list[StartFailure], *, ago_s: list[float], epoch: int) -> tuple[World, Question]:
    """A world that remembers these failures; the last epoch of the slot was this one, and is over."""
    service = a_service(generation=1)
    status = service.status.model_copy(update={"observed_generation": 1, "start_failures": told})
    service = service.model_copy(update={"status": status})
    world = a_world("n1", "n2", "n3")
    instance = put(world, service, epoch=epoch)
    world.failed_s.update({(service.uid, Failed.of(one)): world.now_s - s for one, s in zip(told, ago_s, strict=True)})
    return world, Question(world, service, instance)


@pytest.mark.parametrize(
    ("told", "ago_s", "expected"),
    [
        pytest.param(failures("n1", "n2"), [599, 10], ["n1", "n2"], id="all of them as long as one is new"),
        pytest.param(failures("n1", "n2"), [1900, 599], ["n1", "n2"], id="be the others ever so old"),
        pytest.param(failures("n1", "n2"), [700, 600], [], id="none when nothing has failed for ten minutes"),
        pytest.param([failure("n1", 1, "Hard"), failure("n2", 2)], [9000, 9000], ["n1"], id="a hard one stays"),
    ],
)
def test_soft_failures_are_forgotten_together(
    told: list[StartFailure], ago_s: list[float], expected: list[str]
) -> None:
    world, ask = known(told, ago_s=ago_s, epoch=2)
    counted = failures_that_count(world, ask.service, ask.slot, ask.instance)
    assert [one.told.host for one in counted] == expected


BOTH = failures("n1", "n2", "n1", "n2", "n1")
MANY = failures(*(f"m{number}" for number in range(MOST_FAILURES)))


@pytest.mark.parametrize(
    ("told", "host", "retry", "epoch", "expected"),
    [
        pytest.param(BOTH, "n3", False, 5, "", id="a host without a failure is tried at once"),
        pytest.param(BOTH, "n1", False, 5, "failed to start it 10 s ago: exit 1", id="another host is tried first"),
        pytest.param(
            BOTH, "n1", True, 5, f"failed to start it 10 s ago (tried again 2 min after the last failure; {CLEAR}): exit 1",
            id="then it waits",
        ),
        pytest.param(BOTH, "n1", True, 6, "", id="what ran since then, and was lost, waits for nothing"),
        pytest.param(
            MANY, "n3", False, 16, f"waits: its start has failed 16 times (tried again 5 min after the last failure; {CLEAR})",
            id="nor is one host after the other tried for ever",
        ),
        pytest.param(MANY, "n3", False, 17, "", id="unless it ran since then"),
    ],
)  # fmt: skip
def test_where_it_may_be_tried_now(told: list[StartFailure], host: str, retry: bool, epoch: int, expected: str) -> None:
    world, ask = known(told, ago_s=[10.0] * len(told), epoch=epoch)
    ask = Question(world, ask.service, ask.instance, retry=retry)
    rejected = starts_here(ask, facts_of(world, host))
    assert (rejected.why if rejected else "") == expected


HARD = failure("n9", 0, "Hard")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(BOTH, [1, 2, 3, 4, 5], id="all of a few"),
        pytest.param(
            [HARD, *failures(*["n1"] * 20)], [0, *range(14, 21)], id="what bars a host is pushed out by nothing"
        ),
        pytest.param(failures("n1", *["n2"] * 20), [1, *range(15, 22)], id="nor is the last on a host by another's"),
        pytest.param(failures(*(f"n{number}" for number in range(20))), [*range(5, 21)], id="of many hosts the latest"),
    ],
)
def test_what_a_status_remembers_of_many_failures(told: list[StartFailure], expected: list[int]) -> None:
    kept = to_remember([Failure(one, 0.0) for one in told])
    assert [one.epoch for one in kept] == expected and len(kept) <= MOST_FAILURES
    longest = pause_s(Settings(), [Failure(one, 0.0) for one in kept])
    assert len(told) < MOST_FAILURES or longest == Settings().start_failure_memory_s / 2
