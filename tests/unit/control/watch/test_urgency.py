"""What is news of a Lease: who renews is none, a first renewal is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backstay_api.objects.lease import HostLease
from backstay_operator.control.watch.urgency import Soon, lease_soon
from backstay_operator.planner.know.world import LeaseSeen
from backstay_testing.builders import a_lease, session
from backstay_testing.worlds import a_world


def renewed(lease: HostLease, renewal: int) -> HostLease:
    return replace(lease, renewal=renewal, resource_version=str(renewal))


@pytest.mark.parametrize(
    ("before", "after", "soon"),
    [
        pytest.param(9, 10, Soon.NOT, id="a live host goes on renewing"),
        pytest.param(0, 1, Soon.NOW, id="a session for which it was reopened lives"),
    ],
)
def test_what_is_news_of_a_renewal(before: int, after: int, soon: Soon) -> None:
    world = a_world("n1")
    lease = a_lease("n1", session("n1", 1))
    seen = [LeaseSeen(renewed(lease, number), world.now_s) for number in (before, after)]
    assert lease_soon(seen[0], seen[1], world) is soon
