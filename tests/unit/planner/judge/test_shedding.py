"""What is stopped to make room is the least that will do, held against trying everything."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backstay_operator.planner.judge.shedding import Loss, least

amounts = st.fixed_dictionaries({"cpu": st.integers(0, 4)}, optional={"memory": st.integers(0, 4)})
losses = st.lists(st.tuples(st.booleans(), st.integers(-2, 2), amounts), max_size=6)


def made(drawn: Any) -> list[Loss]:
    return [
        Loss(f"s{number}", (is_lost, priority), {name: Fraction(much) for name, much in frees.items()})
        for number, (is_lost, priority, frees) in enumerate(drawn)
    ]


def would_do(lacks: Any, stopped: Sequence[Loss]) -> bool:
    return all(sum(one.frees.get(name, 0) for one in stopped) >= much for name, much in lacks.items())


def ranks(stopped: Sequence[Loss]) -> list[tuple[bool, int]]:
    return sorted((one.rank for one in stopped), reverse=True)


@given(amounts, losses)
def test_the_least_loss_is_found_exactly_where_there_is_a_way(lacks: Any, drawn: Any) -> None:
    could = made(drawn)
    ways = [way for many in range(len(could) + 1) for way in combinations(could, many) if would_do(lacks, way)]
    found = least({name: Fraction(much) for name, much in lacks.items()}, could)
    assert (found is not None) == bool(ways)
    if found is not None:
        assert would_do(lacks, found) and ranks(found) == min(map(ranks, ways))


@given(amounts, losses)
def test_where_the_search_ends_early_what_was_found_will_do(lacks: Any, drawn: Any) -> None:
    could = made(drawn)
    found, whole = least(lacks, could, steps=1), least(lacks, could)
    assert (found is None) == (whole is None)
    assert found is None or would_do(lacks, found)


@given(amounts, losses, st.randoms(use_true_random=False))
def test_the_order_in_which_they_are_told_does_not_matter(lacks: Any, drawn: Any, dice: Any) -> None:
    could = made(drawn)
    assert least(lacks, could) == least(lacks, dice.sample(could, len(could)))
