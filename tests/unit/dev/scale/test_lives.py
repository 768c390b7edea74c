"""What the fleet writes down is read as it was: who runs where, who ran twice, and how soon what was lost is back."""

from pathlib import Path

import pytest

from backstay_dev.scale.lives import Line, Loss, read, running, twice

UP = Line(1.0, "n1", "unit web", True)
DOWN = Line(2.0, "n1", "unit web", False)


def up(at_s: float, host: str, what: str = "unit web") -> Line:
    return Line(at_s, host, what, True)


def test_a_line_that_is_still_being_written_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "lives"
    file.write_text(f"{UP.text}\n{DOWN.text}\n{UP.text[:9]}")
    assert read(file) == [UP, DOWN]


@pytest.mark.parametrize(
    ("lines", "where", "overlaps"),
    [
        pytest.param([UP], {"unit web": "n1"}, 0, id="it runs"),
        pytest.param([UP, DOWN], {}, 0, id="it has stopped"),
        pytest.param([UP, DOWN, up(2.0, "n2")], {"unit web": "n2"}, 0, id="it has moved"),
        pytest.param([UP, up(1.5, "n2")], {"unit web": "n2"}, 1, id="it runs twice"),
        pytest.param([UP, up(1.5, "n2"), DOWN], {"unit web": "n2"}, 1, id="what stops late was twice"),
        pytest.param([UP, up(1.5, "n2", "unit db")], {"unit web": "n1", "unit db": "n2"}, 0, id="two are strangers"),
    ],
)
def test_what_runs_where(lines: list[Line], where: dict[str, str], overlaps: int) -> None:
    assert running(lines) == where
    assert len(list(twice(lines))) == overlaps


def test_what_was_lost_is_back_when_it_first_runs_elsewhere() -> None:
    loss = Loss("n1", 2.0, frozenset({"unit web", "unit db"}))
    assert loss.back_s([UP, up(1.0, "n2", "unit db"), up(3.0, "n1")]) == {}, "before the cut, or on the lost host"
    back = [up(3.5, "n2"), up(4.0, "n3"), up(4.5, "n2", "unit db"), up(5.0, "n2", "unit other")]
    assert loss.back_s([UP, *back]) == {"unit web": 1.5, "unit db": 2.5}
