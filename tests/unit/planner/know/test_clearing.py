"""What a person's `clear` says, and what cannot be one."""

import pytest

from backstay_operator.planner.know.clearing import CLEAR_ANNOTATION, Clear, clear_of
from backstay_testing.builders import a_service, annotated


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param('{"epochs": {"web-0": 1e999}, "number": 1}', "1e999 is no number", id="an epoch without bounds"),
        pytest.param(
            '{"epochs": {}, "number": 99999999999999999999999}', "its number is 9999", id="more than an order holds"
        ),
        pytest.param('{"epochs": {}, "number": -1}', "its number is -1", id="below zero"),
        pytest.param('{"epochs": ' * 50_000, "it is nested too deeply", id="objects without end"),
        pytest.param('{"epochs": {}, "number": 1, "by": "\\udfff"}', "UnicodeEncodeError", id="half a character"),
        pytest.param('{"number": 1}', "KeyError('epochs')", id="no epochs"),
    ],
)
def test_what_cannot_be_read_is_said_and_clears_nothing(text: str, why: str) -> None:
    found = clear_of(annotated(a_service(), {CLEAR_ANNOTATION: text}))
    assert isinstance(found, str) and why in found and "use `backstay clear`" in found


def test_a_clear_is_what_it_says() -> None:
    text = '{"epochs": {"web-0": 3}, "number": 2147483647, "by": "me"}'
    assert clear_of(annotated(a_service(), {CLEAR_ANNOTATION: text})) == Clear({"web-0": 3}, "", 2**31 - 1, "me", "")
