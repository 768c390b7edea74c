"""Debian's MariaDB by its OCF agent on three hosts: each copy follows the promoted one, and no committed row is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from backstay_dev.lab.lab import Lab
from backstay_dev.lab.prerequisites import OCF_LAYER
from backstay_dev.show.fault_lab import NAMESPACE, FaultLab
from backstay_dev.show.mariadb_agent import MariadbByItsAgent

pytestmark = [pytest.mark.api, pytest.mark.hosts]

EXAMPLE = Path(__file__).parents[2] / "examples/mariadb-ocf.yaml"
ROWS = 10


@pytest.fixture(scope="module")
def hosts() -> Iterator[FaultLab]:
    with Lab(3, progress=print, packages=OCF_LAYER) as lab:
        yield FaultLab.open(lab)


@pytest.fixture
def mariadb(hosts: FaultLab) -> Iterator[MariadbByItsAgent]:
    mariadb = MariadbByItsAgent(hosts.lab.hosts)
    mariadb.set_up()
    try:
        yield mariadb
    finally:
        mariadb.stop_writing()
        hosts.take_off("orders")


def status(hosts: FaultLab) -> dict[str, Any]:
    found: dict[str, Any] = hosts.product.get("haservices", "orders", NAMESPACE).get("status", {})
    return found


def until_all_follow(hosts: FaultLab, mariadb: MariadbByItsAgent, but: str = "", other_than: str = "") -> str:
    """The host that its status names may be written to, and every other copy follows it, `but` for one host's."""

    def whom() -> dict[str, str]:
        return {name: mariadb.follows(name) for name in hosts.lab.hosts if name != but}

    def done() -> bool:
        promoted = status(hosts).get("promoted")
        return promoted not in ("", None, other_than) and {*whom().values()} == {promoted}

    hosts.until(done, "all copies follow the promoted one", also=lambda: (status(hosts), whom()), timeout_s=120)
    return str(status(hosts)["promoted"])


def some_more(hosts: FaultLab, mariadb: MariadbByItsAgent, when: str) -> None:
    before = len(mariadb.committed())
    hosts.until(lambda: len(mariadb.committed()) >= before + ROWS, f"{ROWS} rows {when}", timeout_s=60)


def test_each_copy_follows_whoever_is_promoted_and_no_committed_row_is_lost(
    hosts: FaultLab, mariadb: MariadbByItsAgent
) -> None:
    hosts.apply("orders", yaml.safe_load(EXAMPLE.read_text())["spec"])
    first = until_all_follow(hosts, mariadb)
    mariadb.begin_writing(first)
    some_more(hosts, mariadb, "at first")

    hosts.backstay("drain", first)
    second = until_all_follow(hosts, mariadb, but=first, other_than=first)
    some_more(hosts, mariadb, "after the drain")
    hosts.backstay("undrain", first)
    assert until_all_follow(hosts, mariadb) == second
    some_more(hosts, mariadb, "when it is back")

    hosts.lab[second].power_off()
    third = until_all_follow(hosts, mariadb, but=second, other_than=second)
    some_more(hosts, mariadb, "after the power loss")
    mariadb.stop_writing()
    assert {commit.row for commit in mariadb.committed()} <= mariadb.rows(third)
