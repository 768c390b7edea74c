"""Every driver on a real host keeps the contracts that all of them have (`backstay_testing/driver_contracts.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import backstay_testing
from backstay_dev.lab.hosts import LabHost
from backstay_dev.lab.lab import AGENT_CODE, Lab
from backstay_testing.disks import a_disk
from backstay_testing.driver_contracts import CONTRACTS
from backstay_testing.driver_rows import ROWS

pytestmark = pytest.mark.hosts

HERE = Path(backstay_testing.__file__).parent
FILES = ("__init__", "driver_contracts", "driver_lives", "driver_rows", "driver_scripts")
ON_THE_HOST = "/opt/driver-contracts"
CASES = [(name, contract) for name, row in ROWS.items() for contract in CONTRACTS if contract not in row().not_for]


@pytest.fixture(scope="module")
def disk(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What a SAN gives to the host."""
    with a_disk(tmp_path_factory.mktemp("disk") / "disk.img") as device:
        lab["n3"].run("sh", "-c", f"rm -f {device}; mknod {device} b 7 {device.removeprefix('/dev/loop')}")
        yield device


@pytest.fixture
def host(lab: Lab) -> LabHost:
    for name in FILES:
        lab["n3"].write_file(f"{ON_THE_HOST}/backstay_testing/{name}.py", (HERE / f"{name}.py").read_text())
    return lab["n3"]


@pytest.mark.parametrize(("name", "contract"), CASES)
def test_a_driver_keeps_it(host: LabHost, disk: str, name: str, contract: str) -> None:
    told = host.run(
        "env", f"PYTHONPATH={AGENT_CODE}:{ON_THE_HOST}", f"CONTRACT_DISK={disk}",
        "python3", "-m", "backstay_testing.driver_contracts", name, contract,
    )  # fmt: skip
    assert told.endswith("told\n")
