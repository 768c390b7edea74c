"""Every stage of a story ends with it: all its processes die, and the monitor has the last word."""

from collections.abc import Iterator

import pytest

from backstay_testing.stage import Stage


@pytest.fixture(autouse=True)
def _stages_end() -> Iterator[None]:
    yield
    for stage in list(Stage.open):
        stage.end()
