"""The drawings of the state machines are those of the tables that run."""

from pathlib import Path

from backstay_agent.core.machine import TABLE
from backstay_dev import events, modules
from backstay_dev.diagrams import PAGE, main, page
from backstay_operator.planner import events as rows_of_events
from backstay_operator.planner.events import EVENTS, EventKind

OPERATOR = Path(rows_of_events.__file__).parents[1]


def test_committed_equals_generated() -> None:
    assert PAGE.read_text() == page(), "run `make generate` and commit"
    assert modules.PAGE.read_text() == modules.page(), "run `make generate` and commit"
    assert events.PAGE.read_text() == events.page(), "run `make generate` and commit"
    assert main(["--check"]) == 0


def test_every_event_is_a_row() -> None:
    """An Event is made by its row, and only for what a condition says is it made by hand."""
    kinds = {one for one in vars(rows_of_events).values() if isinstance(one, EventKind)}
    assert kinds == set(EVENTS) and len(EVENTS) == len({one.reason for one in EVENTS})
    by_hand = [path for path in OPERATOR.rglob("*.py") for line in path.read_text().splitlines() if " Event(" in line]
    assert sorted(path.name for path in by_hand) == ["events.py", "rows.py", "rows.py"]


def test_every_way_is_drawn_and_no_other() -> None:
    drawing, _, table = page().partition("## A host's silence")[0].partition("The same in the order")
    ways = {(phase.value, row.to.value, row.when) for row in TABLE if row.to for phase in row.phases}
    arrows = [line.strip() for line in drawing.splitlines() if " --> " in line and "[*]" not in line]
    assert {
        (*way.split(" --> "), when.partition(" / ")[0]) for way, when in (arrow.split(": ") for arrow in arrows)
    } == ways
    assert len(arrows) == len(ways)
    assert [line.split(" | ")[1] for line in table.splitlines()[4:] if line] == [row.when for row in TABLE]
