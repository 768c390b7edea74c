"""What a check's answer means, given what the start command's unit tells."""

import pytest

from backstay_agent.drivers.base import Seen, State
from backstay_agent.drivers.command import _judged
from backstay_agent.drivers.tools.transient import Ended

CHECK = ("/usr/bin/app", "status", "--all")
UP, DOWN = Seen(State.RUNNING), Seen(State.STOPPED)
ODD = "command /usr/bin/app status --all exited with 3; it said: no lock: wanted 0 (running) or 7 (stopped)"


@pytest.mark.parametrize(
    ("exit_code", "unit", "seen"),
    [
        pytest.param(0, DOWN, UP, id="it runs, whoever started it"),
        pytest.param(7, UP, DOWN, id="cleanly down"),
        pytest.param(7, Seen(State.STOPPING), Seen(State.STOPPING), id="what is under way is told by its unit"),
        pytest.param(3, UP, Seen(State.FAILED, ODD), id="up by its unit, and its check says neither"),
        pytest.param(3, DOWN, Seen(State.UNKNOWN, ODD), id="not started by us: nobody knows what runs"),
    ],
)
def test_what_a_checks_answer_means(exit_code: int, unit: Seen, seen: Seen) -> None:
    ended = Ended(exit_code, CHECK[0], f"exited with {exit_code}; it said: no lock")
    assert _judged(ended, unit, CHECK) == seen
