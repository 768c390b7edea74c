"""A plugin of the pytest inside the kernel machine: each story ends as a line that `test_kernel_machine.py` reads, and none hangs for all."""

from __future__ import annotations

import json
import signal
from collections.abc import Generator

import pytest

MARK = "told: "
BEGUN = "not told to its end"
# Emulated, on a machine that may be busy. The whole machine has a limit too, but then nobody would know of which story.
LIMIT_S = 90


def pytest_collection_finish(session: pytest.Session) -> None:
    for item in session.items:
        tell(item.nodeid, BEGUN)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    def give_up(*_: object) -> None:
        raise TimeoutError(f"{item.name} came to no end within {LIMIT_S} s")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(LIMIT_S)
    try:
        return (yield)
    finally:
        signal.alarm(0)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        tell(report.nodeid, report.outcome, report.longreprtext)


def tell(node: str, outcome: str, text: str = "") -> None:
    """The last word on a story counts."""
    print(f"\n{MARK}{json.dumps({'story': node.partition('::')[2], 'outcome': outcome, 'text': text})}", flush=True)
