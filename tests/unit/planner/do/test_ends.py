"""What hosts are told of the end of an epoch of the promoted role: it only moves forward, and is told once, with a reason."""

from __future__ import annotations

import pytest

from backstay_api.objects.models.assignment import HostAssignmentSpec, StandbyOrder
from backstay_operator.planner.do.orders import Wanted, assign, merge_forward
from backstay_testing.builders import an_assignment
from backstay_testing.worlds import a_world


@pytest.mark.parametrize(
    ("stored", "wanted", "stands_by", "merged"),
    [
        pytest.param({}, {"u": 7}, True, {"u": 7}, id="it has ended"),
        pytest.param({"u": 7}, {"u": 6}, True, {"u": 7}, id="an older picture takes nothing back"),
        pytest.param({"u": 7}, {}, True, {"u": 7}, id="nor one in which it could not be planned"),
        pytest.param({"u": 7}, {}, False, {}, id="who stands by no more need not know"),
    ],
)
def test_that_an_epoch_is_over_only_moves_forward(
    stored: dict[str, int], wanted: dict[str, int], stands_by: bool, merged: dict[str, int]
) -> None:
    standbys = {"u": StandbyOrder(namespace="shop", name="web-promoted")}
    before = HostAssignmentSpec(standbys=standbys, over=stored)
    news = HostAssignmentSpec(standbys=standbys if stands_by else {}, over=wanted)
    assert merge_forward(before, news).over == merged


def test_a_host_is_told_that_an_epoch_is_over_with_a_reason_and_told_it_once() -> None:
    world, standbys = a_world("n1"), {"u": StandbyOrder(namespace="shop", name="web-promoted")}
    world.put_assignment(an_assignment("n1", standbys={"u": standbys["u"].wire()}))
    wanted = Wanted({}, standbys, over={"u": 7})
    told = assign(world, "n1", wanted)
    assert told is not None and told.spec.over == {"u": 7}
    assert told.why == "shop/web-promoted epoch 7 is over: how far its data goes is asked once more"
    world.put_assignment(world.assignments["n1"].model_copy(update={"spec": told.spec}))
    assert assign(world, "n1", wanted) is None
