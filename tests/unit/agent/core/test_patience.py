"""How often and when something is tried again on its own host."""

from __future__ import annotations

import pytest

from backstay_agent.core.patience import due_at_s, is_free_for_addresses, may_restart, try_again


@pytest.mark.parametrize(
    ("restarted_at_s", "now_s", "may"),
    [
        pytest.param([], 0, True, id="the first"),
        pytest.param([0, 1], 2, True, id="the third"),
        pytest.param([0, 1, 2], 3, False, id="the fourth within ten minutes"),
        pytest.param([0, 1, 2], 599.9, False, id="still within"),
        pytest.param([0, 1, 2], 600, True, id="ten minutes after the first of three"),
        pytest.param([0, 500, 550], 700, True, id="two count"),
    ],
)
def test_three_restarts_in_ten_minutes(restarted_at_s: list[float], now_s: float, may: bool) -> None:
    assert may_restart(restarted_at_s, now_s=now_s) is may


@pytest.mark.parametrize(
    ("restarted_at_s", "again"),
    [
        pytest.param([], False, id="a first start that fails is for another host"),
        pytest.param([0], True, id="one that stands for a restart is tried again"),
        pytest.param([0, 1, 2], False, id="until the limit"),
    ],
)
def test_after_a_failed_start(restarted_at_s: list[float], again: bool) -> None:
    assert try_again(restarted_at_s, now_s=10) is again


@pytest.mark.parametrize(
    ("tried_at_s", "due_at"),
    [
        pytest.param([], 0, id="the first at once"),
        pytest.param([100], 101, id="a second later"),
        pytest.param([98, 100], 102, id="then two"),
        pytest.param([90, 95, 100], 104, id="then four"),
        pytest.param(list(range(80, 101)), 130, id="at last every half minute"),
        pytest.param([-600, 100], 101, id="what lies ten minutes back is forgotten"),
    ],
)
def test_time_between_tries(tried_at_s: list[float], due_at: float) -> None:
    assert due_at_s(tried_at_s, now_s=100) == due_at


@pytest.mark.parametrize(
    ("free_at_s", "down_since_s", "free"),
    [
        pytest.param([], 98, True, id="a blink"),
        pytest.param([], 97, False, id="no blink any more"),
        pytest.param([4.0 * n for n in range(20)], 100, False, id="the twenty-first in ten minutes"),
    ],
)
def test_putting_back_an_address_costs_nothing_for_a_while(
    free_at_s: list[float], down_since_s: float, free: bool
) -> None:
    assert is_free_for_addresses(free_at_s, down_since_s=down_since_s, now_s=100) is free
