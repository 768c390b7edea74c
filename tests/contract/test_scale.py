"""The bench of many hosts on a real API server, as small as it can be: that it measures what it says, and that nothing runs twice in it."""

import pytest

from backstay_dev.scale.site import Size
from backstay_dev.scale.story import figures

SIZE = Size(hosts=6, services=9, pool=3, profile="lab", losses=1, idle_s=1.0, quiet_s=1.0)


@pytest.mark.api
def test_all_is_measured_and_what_is_lost_comes_back() -> None:
    found = {one.name.partition(": ")[2]: one.values for one in figures(SIZE, print)}
    assert list(found["a host lost its power: services on it"]) == [2.0], "nine services on six hosts"
    assert 0.7 < found["all of them run elsewhere after"][0] < 30, "not before half a renewal was late"
    assert found["idle: API requests"][0] > 6, "each host renews its Lease twice a second"
    assert all(len(values) for values in found.values())
