"""The theatre: one lab with the whole product, shared by all fault tests; judged and tidied after each."""

from collections.abc import Iterator

import pytest

from backstay_dev.lab import Lab
from backstay_dev.theatre import Theatre


@pytest.fixture(scope="session")
def open_theatre() -> Iterator[Theatre]:
    with Lab(3, progress=print) as lab:
        yield Theatre.open(lab)


@pytest.fixture
def theatre(open_theatre: Theatre) -> Iterator[Theatre]:
    """Put in order after each test; and whatever the test was about, nobody may have run twice."""
    yield open_theatre
    open_theatre.tidy()
    assert open_theatre.judge() == []
