"""Fixtures on real parts, for every folder of tests."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["backstay_dev.fixtures", "backstay_testing.agreement"]

# Wrong is what a test says is wrong, never that the machine was busy.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
