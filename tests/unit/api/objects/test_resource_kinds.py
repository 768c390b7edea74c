"""A volume group belongs to one service: whoever activates one of its volumes takes all of them to its host."""

from __future__ import annotations

import pytest

from backstay_api.objects.plain import Mount, RenderedResource
from backstay_api.objects.resource_kinds import claims_of


@pytest.mark.parametrize(
    ("device", "claimed"),
    [
        pytest.param("/dev/vg0/data", ["/dev/vg0/data", "/dev/vg0"], id="a logical volume"),
        pytest.param("vg0/data", ["/dev/vg0/data", "/dev/vg0"], id="as LVM calls it"),
        pytest.param(
            "/dev/mapper/my--vg-data",
            ["/dev/mapper/my--vg-data"],
            id="what device-mapper has: a host refuses it if it is a volume",
        ),
        pytest.param("/dev/sdb1", ["/dev/sdb1"], id="a disk"),
        pytest.param("/dev/md/0", ["/dev/md/0"], id="an array: each is its own"),
        pytest.param("/dev/disk/by-id/wwn-1", ["/dev/disk/by-id/wwn-1"], id="a disk by its number"),
        pytest.param("/dev/mapper/mpatha", ["/dev/mapper/mpatha"], id="several paths to a disk"),
        pytest.param("UUID=AB", ["UUID=ab"], id="a filesystem"),
        pytest.param("nas:/srv", ["nas:/srv"], id="what a server exports"),
    ],
)
def test_a_volume_is_claimed_with_its_group(device: str, claimed: list[str]) -> None:
    disk = RenderedResource(name="disk", mount=Mount(device=device, path="/srv/db"))
    assert [one.key for one in claims_of([disk]) if one.type == "Device"] == claimed
