"""A manifest's limits as systemd's D-Bus interface takes them."""

from __future__ import annotations

from typing import Any

import pytest

from backstay_agent.drivers.tools.typed_settings import typed
from backstay_api.objects.unit_settings import SETTINGS

FOREVER = 2**64 - 1


@pytest.mark.parametrize(
    ("name", "value", "settings"),
    [
        ("LimitNOFILE", "65536", [("LimitNOFILESoft", ("t", 65536)), ("LimitNOFILE", ("t", 65536))]),
        ("LimitNOFILE", "1024:infinity", [("LimitNOFILESoft", ("t", 1024)), ("LimitNOFILE", ("t", FOREVER))]),
        ("LimitCORE", "64M", [("LimitCORESoft", ("t", 64 << 20)), ("LimitCORE", ("t", 64 << 20))]),
        ("MemoryMax", "2G", [("MemoryMax", ("t", 2 << 30))]),
        ("MemoryHigh", "infinity", [("MemoryHigh", ("t", FOREVER))]),
        ("MemoryMax", "100%", [("MemoryMaxScale", ("u", 2**32 - 1))]),
        ("TasksMax", "10%", [("TasksMaxScale", ("u", (2**32 - 1) // 10))]),
        ("TasksMax", "512", [("TasksMax", ("t", 512))]),
        ("CPUWeight", "10000", [("CPUWeight", ("t", 10000))]),
        ("CPUQuota", "150%", [("CPUQuotaPerSecUSec", ("t", 1_500_000))]),
        ("Nice", "-5", [("Nice", ("i", -5))]),
        ("OOMScoreAdjust", "1000", [("OOMScoreAdjust", ("i", 1000))]),
    ],
)
def test_each_in_its_type(name: str, value: str, settings: list[tuple[str, tuple[str, Any]]]) -> None:
    assert SETTINGS[name].takes(value) and typed({name: value}) == settings


def test_every_setting_of_the_table_has_one() -> None:
    values = ("1", "1%", "1K")
    for name, setting in SETTINGS.items():
        taken = [value for value in values if setting.takes(value)]
        assert taken and all(typed({name: value}) for value in taken), name
