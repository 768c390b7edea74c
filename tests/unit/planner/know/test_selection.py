"""What a selector selects, as a table of one label and one expression."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backstay_api.objects.models.placement import HostSelector
from backstay_operator.planner.know.selection import declared, selects, share_a_host, why_not_selected
from backstay_testing.builders import a_host, a_service
from backstay_testing.worlds import a_world, add_host


def selector(operator: str, *values: str, key: str = "tier") -> HostSelector:
    said: dict[str, Any] = {"key": key, "operator": operator, **({"values": list(values)} if values else {})}
    return HostSelector.model_validate({"matchExpressions": [said]})


@pytest.mark.parametrize(
    ("operator", "values", "label", "why"),
    [
        ("In", ("gold", "silver"), "gold", ""),
        ("In", ("gold", "silver"), "iron", "has tier=iron, not one of gold, silver"),
        ("In", ("gold",), None, "has no label tier, not one of gold"),
        ("NotIn", ("gold", "silver"), "iron", ""),
        ("NotIn", ("gold", "silver"), None, ""),
        ("NotIn", ("gold", "silver"), "gold", "has tier=gold, which is ruled out (NotIn gold, silver)"),
        ("Exists", (), "", ""),
        ("Exists", (), None, "has no label tier, which must exist"),
        ("DoesNotExist", (), None, ""),
        ("DoesNotExist", (), "", "has tier=, which must not exist"),
        ("Gt", ("4",), "5", ""),
        ("Gt", ("-1",), "0", ""),
        ("Gt", ("4",), "4", "has tier=4, not above 4"),
        ("Gt", ("4",), "10", ""),
        ("Gt", ("4",), "many", "has tier=many, not above 4"),
        ("Gt", ("4",), None, "has no label tier, not above 4"),
        ("Gt", ("4",), "9" * 19, "has tier=9999999999999999999, not above 4"),
        ("Lt", ("4",), "3", ""),
        ("Lt", ("4",), "4", "has tier=4, not below 4"),
        ("Lt", ("10",), "9", ""),
        ("Lt", ("4",), None, "has no label tier, not below 4"),
    ],
)
def test_what_each_operator_means(operator: str, values: tuple[str, ...], label: str | None, why: str) -> None:
    assert why_not_selected(selector(operator, *values), None if label is None else {"tier": label}) == why


def test_all_labels_and_all_expressions_must_hold() -> None:
    both = {"matchLabels": {"pool": "db"}, "matchExpressions": [{"key": "rack", "operator": "NotIn", "values": ["c"]}]}
    service = a_service(placement={"hosts": both})
    assert selects(service, a_host("n1", labels={"pool": "db", "rack": "a"}))
    assert not selects(service, a_host("n1", labels={"pool": "db", "rack": "c"}))
    assert not selects(service, a_host("n1", labels={"rack": "a"}))
    assert selects(a_service(), a_host("n1"))


@pytest.mark.parametrize(
    ("operator", "values", "sentence"),
    [
        ("In", [], "In and NotIn need values"),
        ("NotIn", None, "In and NotIn need values"),
        ("Exists", ["a"], "take no values"),
        ("DoesNotExist", ["a"], "take no values"),
        ("Gt", None, "need one value"),
        ("Gt", ["1", "2"], "need one value"),
        ("Lt", ["1.5"], "need one value"),
        ("Lt", ["1\n"], "need one value"),
        ("Between", ["1", "2"], "Input should be"),
    ],
)
def test_what_no_expression_can_be(operator: str, values: list[str] | None, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        HostSelector.model_validate({"matchExpressions": [{"key": "tier", "operator": operator, "values": values}]})


@given(st.sets(st.sampled_from("abc"), min_size=1), st.sampled_from([None, "a", "b", "d"]))
def test_one_of_two_opposites_holds_always(values: set[str], label: str | None) -> None:
    labels = {} if label is None else {"tier": label}
    for one, other in (
        (selector("In", *values), selector("NotIn", *values)),
        (selector("Exists"), selector("DoesNotExist")),
    ):
        assert (why_not_selected(one, labels) == "") != (why_not_selected(other, labels) == "")


def test_who_may_run_where_and_who_shares_a_host_go_by_expressions_too() -> None:
    world = a_world()
    for name, rack in (("n1", "a"), ("n2", "b"), ("n3", "c")):
        add_host(world, name, labels={"rack": rack})

    def in_racks(operator: str, *racks: str) -> Any:
        hosts = {"matchExpressions": [{"key": "rack", "operator": operator, "values": list(racks)}]}
        return a_service(placement={"hosts": hosts})

    assert declared(world, in_racks("In", "a", "b")) == ("n1", "n2")
    assert share_a_host(world, in_racks("In", "a", "b"), in_racks("NotIn", "a"))
    assert not share_a_host(world, in_racks("In", "a"), in_racks("NotIn", "a"))
