"""Debian's PostgreSQL on a disk that both hosts reach (a loop device of the outer machine): disk, server and address are one service.

It is moved, killed, and its host loses power, while a client commits row after row through the address: every row whose commit was answered
is there at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from backstay_dev.lab.disks import loop_device
from backstay_dev.lab.lab import Lab
from backstay_dev.lab.prerequisites import LAYER
from backstay_dev.show.database import CLUSTER, PLACE, SharedDatabase
from backstay_dev.show.fault_lab import NAMESPACE, FaultLab, Play
from backstay_testing.cases import kill_main, until_ready

pytestmark = [pytest.mark.api, pytest.mark.hosts]

EXAMPLE = Path(__file__).parents[2] / "examples/postgresql-shared-disk.yaml"
ADDRESS = "192.0.2.100"
ROWS = 10
"""So many more are committed before the next thing happens: there is something to lose."""


@pytest.fixture(scope="module")
def hosts() -> Iterator[FaultLab]:
    """Three: the client lives on one that never runs the database."""
    with Lab(3, progress=print, packages=LAYER) as lab:
        yield FaultLab.open(lab)


@pytest.fixture
def database(hosts: FaultLab, tmp_path: Path) -> Iterator[SharedDatabase]:
    with loop_device(tmp_path / "disk.img", mib=256) as device:
        database = SharedDatabase(hosts.lab.hosts, device)
        database.set_up()
        try:
            yield database
        finally:
            database.stop_writing()
            hosts.take_off("db")


def spec() -> dict[str, Any]:
    """The example as it is, on two of the hosts."""
    said: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())["spec"]
    return said | {"placement": {"hosts": {"matchLabels": {"disk": "yes"}}}}


def test_no_committed_row_is_lost_and_the_disk_is_mounted_on_one_host(
    hosts: FaultLab, database: SharedDatabase
) -> None:
    hosts.lab.plane.kubectl("label", "host", "n1", "n2", "disk=yes", "--overwrite")
    hosts.apply("db", spec())
    play = Play("db", hosts, ADDRESS)
    first = until_ready(play)
    second = next(name for name in ("n1", "n2") if name != first)
    database.begin_writing("n3", first)
    some_more(hosts, database, "at first")

    hosts.until(
        lambda: "True" in play.condition("StandbyReady"), "a standby", also=lambda: play.condition("StandbyReady")
    )
    hosts.backstay("move", "db", "--to", second, "-n", NAMESPACE)
    until_ready(play, on=second)
    assert play.evidence == "Released" and not database.runs_on(first)
    some_more(hosts, database, "after the move")

    kill_main(hosts.lab[second], CLUSTER)
    some_more(hosts, database, "after its main process was killed")
    assert (until_ready(play), play.epoch) == (second, 2), "started again in place, on a disk that stayed mounted"

    hosts.lab[second].power_off()
    until_ready(play, on=first, epoch=3)
    assert play.evidence == "Device"
    some_more(hosts, database, "after the power loss")
    hosts.lab[second].power_on()
    database.give(hosts.lab[second])
    hosts.product.wait_ready(timeout_s=60)
    assert not database.runs_on(second), f"neither {CLUSTER} nor {PLACE} came with the boot"

    database.stop_writing()
    committed = {commit.row for commit in database.committed()}
    assert len(committed) >= 4 * ROWS and committed <= database.rows(first)
    assert hosts.judge() == []


def some_more(hosts: FaultLab, database: SharedDatabase, when: str) -> None:
    """Rows that are committed from now on."""
    before = len(database.committed())
    hosts.until(lambda: len(database.committed()) >= before + ROWS, f"{ROWS} rows {when}", timeout_s=60)
