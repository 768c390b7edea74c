"""What is read of metrics is what was used between two looks."""

from collections import Counter

from backstay_dev.scale.meters import Costs, plans, requests

SERVER = """\
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",resource="leases",scope="resource",subresource="",verb="PUT",version="v1"} 70
apiserver_request_total{code="409",resource="leases",scope="resource",subresource="",verb="PUT",version="v1"} 2
apiserver_request_total{code="200",resource="hosts",scope="resource",subresource="status",verb="PATCH",version="v1"} 3
apiserver_request_total{code="200",resource="",scope="",subresource="/metrics",verb="GET",version=""} 9
apiserver_request_duration_seconds_count{verb="PUT",resource="leases"} 70
"""
OPERATOR = """\
backstay_plan_duration_seconds_bucket{le="+Inf"} 4.0
backstay_plan_duration_seconds_count 4.0
backstay_plan_duration_seconds_sum 0.5
"""


def test_requests_are_counted_by_what_was_asked_whatever_came_of_it() -> None:
    assert requests(SERVER) == {"PUT leases": 72, "PATCH hosts/status": 3}


def test_plans_of_an_operator_that_has_made_none() -> None:
    assert plans(OPERATOR) == (4.0, 0.5)
    assert plans("") == (0.0, 0.0)


def test_what_was_used_between_two_looks() -> None:
    before = Costs(10.0, {"operator": 1.0}, Counter({"PUT leases": 72, "GET hosts": 1}), (4.0, 0.5))
    after = Costs(20.0, {"operator": 3.0}, Counter({"PUT leases": 92, "GET hosts": 1, "LIST hosts": 30}), (6.0, 1.5))
    assert after.cores(before) == {"operator": 0.2}
    assert list(after.requests_a_second(before).items()) == [("LIST hosts", 3.0), ("PUT leases", 2.0)]
    assert after.a_plan_s(before) == 0.5
    assert before.a_plan_s(before) == 0.0, "no plan was made"
