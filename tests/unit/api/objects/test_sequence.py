"""In which order resources go up and down: listed order where nobody says otherwise, and a graph where somebody does."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_api.objects.plain import RenderedResource
from backstay_api.objects.sequence import fault, needs, stops


def resources(*afters: str | None) -> list[RenderedResource]:
    """Named a, b, c…; each after the letters that are given. None: it does not say."""
    return [
        RenderedResource(name=name, after=None if after is None else tuple(after))
        for name, after in zip("abcdefgh", afters, strict=False)
    ]


def letters(positions: Sequence[int]) -> str:
    return "".join("abcdefgh"[at] for at in positions)


@pytest.mark.parametrize(
    ("afters", "up", "down"),
    [
        pytest.param(
            (None, None, None), ["", "a", "ab"], ["bc", "c", ""], id="listed order, where nobody says otherwise"
        ),
        pytest.param(("", "", ""), ["", "", ""], ["", "", ""], id="all at once"),
        pytest.param(
            ("", "", None), ["", "", "ab"], ["c", "c", ""], id="two at once, and then what waits for all above"
        ),
        pytest.param(("", "a", "b"), ["", "a", "ab"], ["bc", "c", ""], id="through another"),
        pytest.param(("", "a", "a", "bc"), ["", "a", "a", "abc"], ["bcd", "d", "d", ""], id="a diamond"),
        pytest.param(("c", "", ""), ["c", "", ""], ["", "", "a"], id="after what is listed below"),
    ],
)
def test_order(afters: tuple[str | None, ...], up: list[str], down: list[str]) -> None:
    found = resources(*afters)
    assert not fault(found)
    assert list(map(letters, needs(found))) == up
    assert list(map(letters, stops(found))) == down


@pytest.mark.parametrize(
    ("afters", "why"),
    [
        pytest.param(("a",), "a waits for a: none", id="itself"),
        pytest.param(("b", "a"), "a waits for b, b waits for a: none", id="two"),
        pytest.param(
            ("", "d", "b", "c"), "b waits for d, d waits for c, c waits for b: none", id="three, and one outside"
        ),
        pytest.param(("b", None), "a waits for b, b waits for a: none", id="by what waits for all above it"),
        pytest.param(("x",), "a comes after x, and there is no", id="a name that nobody has"),
    ],
)
def test_what_has_no_order_is_said(afters: tuple[str | None, ...], why: str) -> None:
    assert fault(resources(*afters)).startswith(why)


@given(st.lists(st.none() | st.text("abcdefgh", max_size=3), max_size=8))
def test_there_is_a_fault_or_an_order_in_which_everybody_waits_for_somebody_before(afters: list[str | None]) -> None:
    found = resources(*afters)
    if fault(found):
        return
    left, before = set(range(len(found))), needs(found)
    while left:
        free = {one for one in left if left.isdisjoint(before[one])}
        assert free, "nobody could go first"
        left -= free
    assert all(one not in before[one] for one in range(len(found)))


def test_what_is_found_on_a_host_may_share_a_name() -> None:
    twins = [RenderedResource(name="leftover-0"), RenderedResource(name="leftover-0")]
    assert stops(twins) == [(1,), ()]
