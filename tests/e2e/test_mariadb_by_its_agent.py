"""Debian's MariaDB by its OCF agent on three hosts: each copy follows the promoted one, and no committed row is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backstay_dev.show.fault_lab import FaultLab
from backstay_dev.show.mariadb_agent import MariadbByItsAgent
from backstay_testing.replicas import Replicas, lab_with_agents, replicated, until_all_follow

pytestmark = [pytest.mark.api, pytest.mark.hosts]


@pytest.fixture(scope="module")
def hosts() -> Iterator[FaultLab]:
    with lab_with_agents() as hosts:
        yield hosts


@pytest.fixture
def mariadb(hosts: FaultLab) -> Iterator[Replicas[MariadbByItsAgent]]:
    with replicated(hosts, "orders", MariadbByItsAgent(hosts.lab.hosts)) as replicas:
        yield replicas


def test_each_copy_follows_whoever_is_promoted_and_no_committed_row_is_lost(
    hosts: FaultLab, mariadb: Replicas[MariadbByItsAgent]
) -> None:
    mariadb.apply("mariadb-ocf.yaml")
    first = until_all_follow(mariadb)
    mariadb.database.begin_writing(first)
    mariadb.some_more("at first")

    hosts.backstay("drain", first)
    second = until_all_follow(mariadb, but=first, other_than=first)
    before = mariadb.warnings()
    mariadb.some_more("after the drain")
    hosts.backstay("undrain", first)
    back = until_all_follow(mariadb)
    assert back == second or mariadb.warnings() > before, mariadb.why()
    mariadb.some_more("when it is back")

    hosts.lab[back].power_off()
    third = until_all_follow(mariadb, but=back, other_than=back)
    mariadb.some_more("after the power loss")
    mariadb.database.stop_writing()
    assert {commit.row for commit in mariadb.database.committed()} <= mariadb.database.rows(third)
