"""What is read of what others have written: all that is no JSON, or no number, is told as that."""

import pytest

from backstay_api.objects.texts import read_json


@pytest.mark.parametrize("text", ["1e999", "-1e999", "NaN", "Infinity", '{"a": "\\ud800"}', "", "{", "9" * 5000])
def test_what_python_alone_would_read_is_no_json(text: str) -> None:
    with pytest.raises(ValueError):
        read_json(text)


def test_however_deep_it_is_nested_it_is_read_or_is_no_json() -> None:
    for depth in (10, *range(200, 2000, 7)):
        try:
            read_json("[" * depth + "]" * depth)
        except ValueError as error:
            assert "nested too deeply" in str(error) and depth > 10


def test_what_is_json_is_read() -> None:
    assert read_json(b'{"a": [1, 2.5, "\\u00e4", null]}') == {"a": [1, 2.5, "ä", None]}
