"""A folder of this machine in which disks are mounted, and a disk."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backstay_testing.disks import Host, a_disk, a_host
from backstay_testing.own_mounts import own_mounts


@pytest.fixture(scope="module", autouse=True)
def apart() -> Iterator[None]:
    """Not for each test: a process that looks takes its time to begin."""
    with own_mounts():
        yield


@pytest.fixture
def host() -> Iterator[Host]:
    with a_host() as host:
        yield host


@pytest.fixture
def disk(host: Host) -> Iterator[str]:
    with a_disk(host.folder / "disk.img") as device:
        yield device
