"""What the agent of a copy is notified of, and where copies are said to have been before it: a table."""

from __future__ import annotations

import pytest

from backstay_agent.drivers.base import Notification
from backstay_agent.run.notifications import came_up, news, nothing_happened
from backstay_api.objects.plain import RoleOrder

BOTH = ("n1", "n2")
NONE = RoleOrder(copies=BOTH)
FIRST = RoleOrder(copies=BOTH, promoted="n1", epoch=1)
SECOND = RoleOrder(copies=BOTH, promoted="n2", epoch=2)


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        pytest.param(FIRST, FIRST, [], id="nothing has happened"),
        pytest.param(NONE, FIRST, [Notification("promote", ("n1",), BOTH)], id="promoted"),
        pytest.param(FIRST, NONE, [Notification("demote", ("n1",), BOTH, "n1")], id="demoted"),
        pytest.param(
            FIRST,
            SECOND,
            [Notification("demote", ("n1",), BOTH, "n1"), Notification("promote", ("n2",), BOTH)],
            id="another is promoted",
        ),
        pytest.param(
            FIRST,
            RoleOrder(copies=BOTH, promoted="n1", epoch=2),
            [Notification("demote", ("n1",), BOTH, "n1"), Notification("promote", ("n1",), BOTH)],
            id="the same one, anew",
        ),
        pytest.param(
            FIRST,
            RoleOrder(copies=("n2", "n3"), promoted="n2", epoch=2),
            [
                Notification("demote", ("n1",), BOTH, "n1"),
                Notification("stop", ("n1",), BOTH),
                Notification("start", ("n3",), ("n2",)),
                Notification("promote", ("n2",), ("n2", "n3")),
            ],
            id="a host is lost",
        ),
        pytest.param(came_up(FIRST), FIRST, [Notification("promote", ("n1",), BOTH)], id="a copy has come up"),
    ],
)
def test_of_what_an_agent_is_notified(before: RoleOrder, now: RoleOrder, said: list[Notification]) -> None:
    assert [*news(before, now)] == said
    assert nothing_happened(before, now) == (not said)
