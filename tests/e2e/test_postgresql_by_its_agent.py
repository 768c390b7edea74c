"""Debian's PostgreSQL by its OCF agent on three hosts: who is promoted is the agents' word, and no committed row is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from backstay_dev.lab.lab import Lab
from backstay_dev.lab.prerequisites import OCF_LAYER
from backstay_dev.show.fault_lab import NAMESPACE, FaultLab
from backstay_dev.show.pgsql_agent import PostgresByItsAgent

pytestmark = [pytest.mark.api, pytest.mark.hosts]

EXAMPLE = Path(__file__).parents[2] / "examples/postgresql-ocf.yaml"
ROWS = 10


@pytest.fixture(scope="module")
def hosts() -> Iterator[FaultLab]:
    with Lab(3, progress=print, packages=OCF_LAYER) as lab:
        yield FaultLab.open(lab)


@pytest.fixture
def postgres(hosts: FaultLab) -> Iterator[PostgresByItsAgent]:
    postgres = PostgresByItsAgent(hosts.lab.hosts)
    postgres.set_up()
    try:
        yield postgres
    finally:
        postgres.stop_writing()
        hosts.take_off("accounts")


def status(hosts: FaultLab) -> dict[str, Any]:
    found: dict[str, Any] = hosts.product.get("haservices", "accounts", NAMESPACE).get("status", {})
    return found


def until_all_follow(hosts: FaultLab, postgres: PostgresByItsAgent, but: str = "", other_than: str = "") -> str:
    """The host that its status names streams to every other one, `but` for one, and one of them has each row before it is committed, and a
    promotion score for that."""

    def promoted() -> str:
        return str(status(hosts).get("promoted") or "")

    def done() -> bool:
        host = promoted()
        if host in ("", other_than):
            return False
        replicas = postgres.replicas(host)
        has_all = {*replicas} == {*hosts.lab.hosts} - {host, but} and "sync" in replicas.values()
        return has_all and hosts.product.condition("haservices", "accounts", "StandbyReady", NAMESPACE) == "True"

    def seen() -> Any:
        return status(hosts), {name: postgres.replicas(name) for name in hosts.lab.hosts if name != but}

    hosts.until(done, "all copies follow the promoted one", also=seen, timeout_s=120)
    return promoted()


def some_more(hosts: FaultLab, postgres: PostgresByItsAgent, when: str) -> None:
    before = len(postgres.committed())
    hosts.until(lambda: len(postgres.committed()) >= before + ROWS, f"{ROWS} rows {when}", timeout_s=60)


def test_who_has_every_committed_row_is_promoted_and_who_may_have_others_is_not_started(
    hosts: FaultLab, postgres: PostgresByItsAgent
) -> None:
    hosts.apply("accounts", yaml.safe_load(EXAMPLE.read_text())["spec"])
    first = until_all_follow(hosts, postgres)
    third = max({*hosts.lab.hosts} - {first})
    postgres.begin_writing(third)
    some_more(hosts, postgres, "at first")

    hosts.lab[first].power_off()
    promoted = until_all_follow(hosts, postgres, but=first, other_than=first)
    some_more(hosts, postgres, "after the power loss")

    if not hosts.lab[first].is_on:  # else the fencer has turned it on again
        hosts.lab[first].power_on()
    hosts.until(
        lambda: "My data may be inconsistent" in str(status(hosts)),
        "its agent starts no copy there",
        also=lambda: status(hosts),
    )
    postgres.copy(hosts.lab[first])
    hosts.backstay("clear", "accounts", "--reason", f"{first} has a fresh copy", "-n", NAMESPACE)
    assert until_all_follow(hosts, postgres) == promoted
    some_more(hosts, postgres, "when it is back")

    other = next(host for host, state in postgres.replicas(promoted).items() if state == "sync")
    hosts.backstay("move", "accounts", "--instance", "accounts-promoted", "--to", other, "-n", NAMESPACE)
    assert until_all_follow(hosts, postgres, but=promoted, other_than=promoted) == other
    some_more(hosts, postgres, "after the move")

    postgres.stop_writing()
    assert {commit.row for commit in postgres.committed()} <= postgres.rows(other)
