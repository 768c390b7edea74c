"""What people say about recovery is drawn apart from all else, so that older seeds stay the stories that they were."""

import random

import pytest

from backstay_dev.simulator import recoveries
from backstay_dev.simulator.profiles import Drawn, draw
from backstay_dev.simulator.run import run_seed


def drawn(seed: int, profile: str = "third-swarm") -> Drawn:
    return draw(profile, seed, random.Random(f"chaos {seed}"))


def is_apart(seed: int) -> bool:
    return drawn(seed) != drawn(seed, "second-swarm")


def test_a_seed_that_draws_none_of_it_is_the_story_that_it_was() -> None:
    seed = next(seed for seed in range(100) if not is_apart(seed))
    assert run_seed(seed, "third-swarm").story == run_seed(seed, "second-swarm").story


def test_seeds_draw_all_of_it_and_leave_all_else_as_it_was() -> None:
    seeds = [seed for seed in range(300) if is_apart(seed)]
    assert 60 < len(seeds) < 200
    services = [service for seed in seeds for service in drawn(seed).shape.services]
    said = {key for service in services for key in service.recovery or ()}
    assert said == {"restarts", "window", "backoff", "moves"}
    assert {service.addresses_after for service in services} == {None, (), ("server",)}
    assert {*recoveries.FAULTS} <= {name for seed in seeds for name in drawn(seed).fault_rates.weights}
    for seed in seeds:
        now, before = drawn(seed), drawn(seed, "second-swarm")
        assert (
            now.shape.hosts == before.shape.hosts
            and now.fault_rates.weights.items() >= before.fault_rates.weights.items()
        )


@pytest.mark.parametrize("seed", range(5000, 5006))
def test_nothing_that_must_not_happen_happens_where_budgets_are_small_and_services_are_left_to_others(
    seed: int,
) -> None:
    assert run_seed(seed, "recovery").accusations == ()


def test_it_happens() -> None:
    stories = "\n".join(line for seed in range(5000, 5004) for line in run_seed(seed, "recovery").story)
    assert all(
        words in stories for words in ("leaves web to others", "has web managed again", "clears web up to epoch")
    )


def test_stops_that_do_not_succeed_are_drawn_apart_too() -> None:
    stuck = [seed for seed in range(100) if drawn(seed, "swarm") != drawn(seed)]
    assert 10 < len(stuck) < 40
    for seed in stuck:
        now, before = drawn(seed, "swarm"), drawn(seed)
        assert (
            now.shape.hosts == before.shape.hosts
            and now.fault_rates.weights.items() > before.fault_rates.weights.items()
        )


@pytest.mark.parametrize("seed", [6207, 6209, 6212])
def test_hosts_that_live_are_fenced_for_what_cannot_be_stopped_and_nothing_runs_twice(seed: int) -> None:
    assert run_seed(seed, "stuck-stops").accusations == ()


def test_they_are() -> None:
    assert sum(run_seed(seed, "stuck-stops").counts["sealed alive"] for seed in range(6200, 6212)) > 0
