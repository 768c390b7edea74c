"""The drawings of the state machines are those of the tables that run."""

from backstay_agent.core.machine import TRANSITIONS
from backstay_dev import modules
from backstay_dev.diagrams import PAGE, main, page


def test_committed_equals_generated() -> None:
    assert PAGE.read_text() == page(), "run `make generate` and commit"
    assert modules.PAGE.read_text() == modules.page(), "run `make generate` and commit"
    assert main(["--check"]) == 0


def test_every_transition_is_drawn() -> None:
    drawn = page()
    missing = [
        (phase, event)
        for (phase, event), (to, _) in TRANSITIONS.items()
        if f"    {phase.value} --> {to.value}: {event.value}" not in drawn
    ]
    assert missing == []
