"""A way for all that wait is found if there is one, held against trying everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backstay_operator.planner.judge.packing import Item, as_many, search

HOSTS = ("n1", "n2", "n3")
needs = st.fixed_dictionaries({"cpu": st.integers(0, 4)}, optional={"memory": st.integers(0, 4)})
items = st.lists(st.tuples(needs, st.lists(st.sampled_from(HOSTS), unique=True)), max_size=5)
frees = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=3, max_size=3)


def made(drawn: Any, amounts: Any) -> tuple[list[Item], dict[str, dict[str, Fraction]]]:
    free = {host: {"cpu": Fraction(a), "memory": Fraction(b)} for host, (a, b) in zip(HOSTS, amounts, strict=True)}
    waiting = [
        Item(f"s{number}", {name: Fraction(much) for name, much in need.items()}, hosts)
        for number, (need, hosts) in enumerate(drawn)
    ]
    return waiting, free


def holds(waiting: list[Item], free: dict[str, dict[str, Fraction]], found: Mapping[str, str]) -> bool:
    for host, amounts in free.items():
        here = [item for item in waiting if found.get(item.key) == host]
        if any(sum(item.needs.get(name, 0) for item in here) > much for name, much in amounts.items()):
            return False
    return all(found[item.key] in item.hosts for item in waiting if item.key in found)


@given(items, frees)
def test_a_way_is_found_exactly_where_there_is_one(drawn: Any, amounts: Any) -> None:
    waiting, free = made(drawn, amounts)
    ways = product(*(item.hosts for item in waiting))
    is_possible = any(holds(waiting, free, dict(zip((item.key for item in waiting), way, strict=True))) for way in ways)
    found = search(waiting, free).found
    assert (len(found) == len(waiting)) == is_possible
    assert not found or (len(found) == len(waiting) and holds(waiting, free, found))


def test_twenty_that_fill_four_hosts_to_the_last_are_all_placed() -> None:
    free = {f"n{number}": {"memory": Fraction(20)} for number in range(4)}
    sizes = [4, 5, 5, 5, 5, 5, 6, 6, 7, 7, 8, 8, 9] + [0] * 7
    waiting = [Item(f"s{number:02}", {"memory": Fraction(size)}, sorted(free)) for number, size in enumerate(sizes)]
    assert sum(sizes) == 80
    assert len(search(waiting, free).found) == 20


def test_a_search_ends_after_its_steps() -> None:
    free = {"n1": {"cpu": Fraction(5)}, "n2": {"cpu": Fraction(5)}}
    waiting = [
        Item(name, {"cpu": Fraction(much)}, ("n1", "n2")) for name, much in (("a", 3), ("b", 3), ("c", 2), ("d", 2))
    ]
    assert not (ended := search(waiting, free, steps=2)).found and ended.has_ended_early
    assert len(search(waiting, free).found) == 4


@given(items, frees, st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=3))
def test_what_a_rule_keeps_apart_is_apart_and_a_way_is_found_where_there_is_one(
    drawn: Any, amounts: Any, pairs: list[tuple[int, int]]
) -> None:
    waiting, free = made(drawn, amounts)
    apart = {frozenset((f"s{one}", f"s{two}")) for one, two in pairs if one != two}
    names = {name for pair in apart for name in pair}

    def is_apart(key: str, host: str, found: Mapping[str, str]) -> bool:
        return not any(at == host and frozenset((key, other)) in apart for other, at in found.items())

    waiting = [replace(one, may=partial(is_apart, one.key)) if one.key in names else one for one in waiting]
    ways = [
        dict(zip((one.key for one in waiting), way, strict=True)) for way in product(*(one.hosts for one in waiting))
    ]

    def is_way(way: Mapping[str, str]) -> bool:
        return holds(waiting, free, way) and all(len({way.get(name, name) for name in pair}) == 2 for pair in apart)

    found = search(waiting, free).found
    assert (len(found) == len(waiting)) == any(map(is_way, ways))
    assert not found or is_way(found)


def test_as_many_as_can_keep_what_those_before_them_have() -> None:
    free = {f"n{number}": {"cpu": Fraction(1)} for number in range(30)}
    waiting = [
        Item(f"s{number:02}", {"cpu": Fraction(1)}, sorted(free), may=lambda host, found: True) for number in range(40)
    ]
    assert len(as_many(waiting, free)) == 30
