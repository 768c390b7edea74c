"""The theatre: one lab with the whole product, shared by all stories of a worker; judged and tidied after each.

`make test` runs two workers side by side, each with labs of its own; what belongs together stays with one of them (`backstay_testing.workers`).
"""

from collections.abc import Iterator

import pytest

from backstay_dev.lab.lab import Lab
from backstay_dev.rights.audit import Tally
from backstay_dev.show.fault_lab import Theatre


@pytest.fixture(scope="session")
def open_theatre() -> Iterator[Theatre]:
    with Lab(3, progress=print) as lab:
        theatre = Theatre.open(lab)
        yield theatre
        tally = Tally()
        tally.take(lab.plane)
        assert tally.report().missing == (), tally.report().text()


@pytest.fixture
def theatre(open_theatre: Theatre) -> Iterator[Theatre]:
    """Put in order after each test; and whatever the test was about, nobody may have run twice."""
    yield open_theatre
    open_theatre.tidy()
    assert open_theatre.judge() == []
