"""Fixtures on real parts, for every folder of tests."""

pytest_plugins = ["backstay_dev.fixtures", "backstay_testing.agreement"]
