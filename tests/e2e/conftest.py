"""The fault lab: one lab with the whole product, shared by all stories of a worker; judged and tidied after each.

`make test` runs two workers side by side, each with labs of its own; what belongs together stays with one of them (`backstay_testing.workers`).
"""

from collections.abc import Generator, Iterator
from contextlib import suppress

import pytest

from backstay_dev.lab.lab import Lab
from backstay_dev.lab.shell import LabError
from backstay_dev.rights.audit import Tally
from backstay_dev.show.fault_lab import FaultLab
from backstay_testing.cable import cable, driver

__all__ = ["cable", "driver"]


@pytest.fixture(scope="session")
def open_fault_lab() -> Iterator[FaultLab]:
    with Lab(3, progress=print) as lab:
        fault_lab = FaultLab.open(lab)
        yield fault_lab
        tally = Tally()
        tally.take(lab.plane)
        assert tally.report().missing == (), tally.report().text()


@pytest.fixture
def fault_lab(open_fault_lab: FaultLab) -> Iterator[FaultLab]:
    """Put in order after each test; and whatever the test was about, nobody may have run twice."""
    yield open_fault_lab
    open_fault_lab.tidy()
    assert open_fault_lab.judge() == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Whoever reads of a failure on another machine has nothing but what stands here."""
    report = yield
    lab = item.funcargs.get("fault_lab")
    if report.when == "call" and report.failed and isinstance(lab, FaultLab):
        with suppress(LabError, OSError):
            report.sections.append(("how things stood", lab.report()))
    return report
