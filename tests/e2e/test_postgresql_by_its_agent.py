"""Debian's PostgreSQL by its OCF agent on three hosts: who is promoted is the agents' word, and no committed row is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backstay_dev.show.fault_lab import NAMESPACE, FaultLab
from backstay_dev.show.pgsql_agent import PostgresByItsAgent
from backstay_testing.replicas import Replicas, lab_with_agents, replicated

pytestmark = [pytest.mark.api, pytest.mark.hosts]


@pytest.fixture(scope="module")
def hosts() -> Iterator[FaultLab]:
    with lab_with_agents() as hosts:
        yield hosts


@pytest.fixture
def postgres(hosts: FaultLab) -> Iterator[Replicas[PostgresByItsAgent]]:
    with replicated(hosts, "accounts", PostgresByItsAgent(hosts.lab.hosts)) as replicas:
        yield replicas


def until_all_stream(postgres: Replicas[PostgresByItsAgent], but: str = "", other_than: str = "") -> str:
    """The host that its status names streams to every other one, `but` for one, and one of them has each row before it is committed, and a
    promotion score for that."""
    hosts = postgres.hosts

    def is_well(promoted: str) -> bool:
        replicas = postgres.database.replicas(promoted)
        has_all = {*replicas} == {*hosts.lab.hosts} - {promoted, but} and "sync" in replicas.values()
        return has_all and hosts.product.condition("haservices", postgres.name, "StandbyReady", NAMESPACE) == "True"

    def seen() -> object:
        return {name: postgres.database.replicas(name) for name in hosts.lab.hosts if name != but}

    return postgres.until_promoted(is_well, seen, other_than)


def test_who_has_every_committed_row_is_promoted_and_who_may_have_others_is_not_started(
    hosts: FaultLab, postgres: Replicas[PostgresByItsAgent]
) -> None:
    postgres.apply("postgresql-ocf.yaml")
    first = until_all_stream(postgres)
    third = max({*hosts.lab.hosts} - {first})
    postgres.database.begin_writing(third)
    postgres.some_more("at first")

    hosts.lab[first].power_off()
    promoted = until_all_stream(postgres, but=first, other_than=first)
    postgres.some_more("after the power loss")

    if not hosts.lab[first].is_on:  # else the fencer has turned it on again
        hosts.lab[first].power_on()
    hosts.until(
        lambda: "My data may be inconsistent" in str(postgres.status),
        "its agent starts no copy there",
        also=lambda: postgres.status,
    )
    postgres.database.copy(hosts.lab[first])
    hosts.backstay("clear", postgres.name, "--reason", f"{first} has a fresh copy", "-n", NAMESPACE)
    assert until_all_stream(postgres) == promoted
    postgres.some_more("when it is back")

    other = next(host for host, state in postgres.database.replicas(promoted).items() if state == "sync")
    postgres.move(to=other)
    assert until_all_stream(postgres, but=promoted, other_than=promoted) == other
    postgres.some_more("after the move")

    postgres.database.stop_writing()
    assert {commit.row for commit in postgres.database.committed()} <= postgres.database.rows(other)
