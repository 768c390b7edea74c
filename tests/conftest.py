"""Fixtures on real parts, for every folder of tests."""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from backstay_testing.workers import Workers

pytest_plugins = ["backstay_dev.lab.fixtures", "backstay_testing.agreement"]

# Wrong is what a test says is wrong, never that the machine was busy.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="record the stories of tests/stories/text anew")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Workers | None:
    """What belongs together is run by one worker."""
    return Workers(config, log) if config.getvalue("dist") == "loadfile" else None
