"""Which judges are asked at each point, and in which order."""

from __future__ import annotations

import pytest

from backstay_operator.planner.judge.judges import FILTERS_AT
from backstay_operator.planner.judge.questions import Point
from backstay_operator.planner.judge.scores import SCORES_AT


@pytest.mark.parametrize(
    ("point", "filters", "scored"),
    [
        (
            Point.START,
            "is_selected is_its_host is_free is_wished has_no_other has_copy_that_works is_open is_tolerated is_understood"
            " has_session starts_here"
            " may_fail_over has_capacity is_apart is_together is_spread is_ready meets_prerequisites is_not_older need_not_wait"
            " has_fresh_data is_not_passed_over",
            "freshest announced leaves_room fewest_unmet fewest_taints rules_kept evenness preference readiness fewer_services",
        ),
        (
            Point.RETRY,
            "is_selected is_its_host is_free is_wished has_no_other has_copy_that_works is_open is_tolerated is_understood"
            " has_session starts_here"
            " may_fail_over has_capacity is_apart is_together is_spread is_ready meets_prerequisites is_not_older need_not_wait"
            " has_fresh_data is_not_passed_over",
            "announced leaves_room fewest_failures freshest fewest_unmet fewest_taints rules_kept evenness preference readiness fewer_services",
        ),
        (Point.STAY, "may_stay is_selected is_its_host keeps_its_copy is_tolerated is_apart is_together", ""),
        (
            Point.FIRST_EPOCH,
            "is_selected is_its_host is_free has_no_other may_answer",
            "no_recent_failure fewest_taints preference already_asked",
        ),
        (
            Point.STANDBY,
            "is_selected is_its_host is_free has_no_other keeps_its_copy is_open is_tolerated is_understood"
            " is_reachable has_room may_fail_over",
            "awaited_there no_recent_failure has_what_it_needs fewest_taints rules_kept evenness preference already_asked fewer_services",
        ),
        (
            Point.TAKE_OVER,
            "is_selected is_its_host is_free has_no_other has_copy_that_works is_open is_tolerated is_understood"
            " is_reachable starts_here could_fail_over"
            " has_capacity is_apart could_be_together is_spread is_ready meets_prerequisites has_fresh_data",
            "",
        ),
    ],
)
def test_who_is_asked_at_each_point_and_in_which_order(point: Point, filters: str, scored: str) -> None:
    assert " ".join(judge.__name__ for judge in FILTERS_AT[point]) == filters
    assert " ".join(judge.__name__ for judge in SCORES_AT[point]) == scored
