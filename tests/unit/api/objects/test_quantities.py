"""Amounts as Kubernetes writes them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_api.objects.quantities import amount, written


@pytest.mark.parametrize(
    ("said", "much"),
    [
        (0, 0),
        (2, 2),
        ("2", 2),
        ("1.5", Fraction(3, 2)),
        ("500m", Fraction(1, 2)),
        ("4Gi", 4 * 2**30),
        ("1Ki", 1024),
        ("1k", 1000),
        ("2G", 2 * 10**9),
        ("1e3", 1000),
        ("1E2", 100),
        ("3E", 3 * 10**18),
        *(
            (odd, None)
            for odd in (
                -1,
                10**16,
                "-1",
                "+1",
                "",
                "Gi",
                "4gi",
                "4 Gi",
                "1.",
                ".5",
                "2\n",
                "\u0662",
                "1e",
                "1e333",
                "0x1",
            )
        ),
    ],
)
def test_how_much_it_is(said: int | str, much: Fraction | int | None) -> None:
    assert amount(said) == much


@pytest.mark.parametrize("said", ["0", "3", "4Gi", "1536Mi", "500m", "2500m", "1Ki", "7Ei"])
def test_it_is_written_as_people_would(said: str) -> None:
    much = amount(said)
    assert much is not None and written(much) == said


@given(st.integers(0, 2**20), st.sampled_from(["", "m", "k", "Ki", "M", "Mi", "G", "Gi"]))
def test_what_is_written_is_as_much(number: int, unit: str) -> None:
    much = amount(f"{number}{unit}")
    assert much is not None and amount(written(much)) == much
