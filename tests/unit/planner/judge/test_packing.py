"""A way for all that wait is found if there is one, held against trying everything."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backstay_operator.planner.judge.packing import Item, all_of_them

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
    found = all_of_them(waiting, free)
    assert (found is not None) == is_possible
    if found is not None:
        assert len(found) == len(waiting) and holds(waiting, free, found)


def test_twenty_that_fill_four_hosts_to_the_last_are_all_placed() -> None:
    free = {f"n{number}": {"memory": Fraction(20)} for number in range(4)}
    sizes = [4, 5, 5, 5, 5, 5, 6, 6, 7, 7, 8, 8, 9] + [0] * 7
    waiting = [Item(f"s{number:02}", {"memory": Fraction(size)}, sorted(free)) for number, size in enumerate(sizes)]
    assert sum(sizes) == 80
    found = all_of_them(waiting, free)
    assert found is not None and len(found) == 20


def test_a_search_ends_after_its_steps() -> None:
    free = {"n1": {"cpu": Fraction(5)}, "n2": {"cpu": Fraction(5)}}
    waiting = [
        Item(name, {"cpu": Fraction(much)}, ("n1", "n2")) for name, much in (("a", 3), ("b", 3), ("c", 2), ("d", 2))
    ]
    assert all_of_them(waiting, free, steps=2) is None and all_of_them(waiting, free) is not None
