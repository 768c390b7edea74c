"""The benches of many hosts on a real API server, as small as they can be: that they measure what they say, and that nothing runs twice."""

import pytest

from backstay_dev.scale.flood import Flood
from backstay_dev.scale.flood import figures as figures_of_flood
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


@pytest.mark.api
def test_a_tenant_who_makes_many_services_at_once_makes_nobody_suspect_a_host() -> None:
    """Ten a second, as 600 in a minute are; the whole of it is `make bench`, which also holds how late renewals come."""
    flood = Flood(services=60, within_s=6.0, afterwards_s=6.0, hosts=6)
    found = {one.name.partition(": ")[2]: one.values[0] for one in figures_of_flood(flood, print)}
    assert found["hosts suspected meanwhile"] == 0
    assert found["all made within"] >= 5.9
    (renewals,) = [name for name in found if name.startswith("latest of ")]
    assert int(renewals.split()[2]) >= 6 * 5, "six hosts renew every two seconds, for twelve"
