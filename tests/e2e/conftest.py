"""The theatre: one lab with the whole product, shared by all stories of a worker; judged and tidied after each.

`make test` runs two workers side by side, each with labs of its own; what belongs together stays with one of them (`GROUPS`).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backstay_dev.audit import Tally
from backstay_dev.lab import Lab
from backstay_dev.theatre import Theatre

# The first match counts. The audit looks at what the faults made everybody ask for, so it stays with them; the rest is cut so that two
# workers end at about the same time.
GROUPS = {
    "test_faults_": "faults",
    "test_zz_": "faults",
    "test_cases_units": "cases of units",
    "test_cases_addresses": "cases of units",
    "test_cases_checks": "cases of units",
    "test_cases_": "other cases",
    "test_postgresql": "postgresql",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            group = next((name for begin, name in GROUPS.items() if item.path.name.startswith(begin)), item.path.name)
            item.add_marker(pytest.mark.xdist_group(group))


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
