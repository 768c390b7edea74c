"""Debian's Redis by Debian's own OCF agent on three hosts: each copy follows the promoted one, as the agents know of each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backstay_dev.show.fault_lab import NAMESPACE, FaultLab
from backstay_dev.show.redis_agent import RedisByItsAgent
from backstay_testing.replicas import ROWS, Replicas, lab_with_agents, replicated, until_all_follow

pytestmark = [pytest.mark.api, pytest.mark.hosts]


@pytest.fixture(scope="module")
def hosts() -> Iterator[FaultLab]:
    with lab_with_agents() as hosts:
        yield hosts


@pytest.fixture
def redis(hosts: FaultLab) -> Iterator[Replicas[RedisByItsAgent]]:
    with replicated(hosts, "basket", RedisByItsAgent(hosts.lab.hosts)) as replicas:
        yield replicas


def test_each_copy_follows_whoever_is_promoted_and_no_row_that_two_had_is_lost(
    hosts: FaultLab, redis: Replicas[RedisByItsAgent]
) -> None:
    redis.apply("redis-ocf.yaml")
    first = until_all_follow(redis)
    second, third = sorted({*hosts.lab.hosts} - {first})
    redis.database.begin_writing(third)
    redis.some_more("at first")

    redis.move(to=second)
    assert until_all_follow(redis, other_than=first) == second
    redis.some_more("after the move")

    hosts.lab[second].power_off()
    promoted = until_all_follow(redis, but=second, other_than=second)
    closed = hosts.product.get("hainstances", redis.promoted_instance, NAMESPACE)["spec"]["closed"]
    assert closed["evidence"] == "Device"
    redis.some_more("after the power loss")

    if not hosts.lab[second].is_on:  # else the fencer has turned it on again
        hosts.lab[second].power_on()
    assert until_all_follow(redis) == promoted, "who comes back follows"
    redis.some_more("when it is back")

    redis.database.stop_writing()
    counted = {commit.row for commit in redis.database.committed()}
    assert len(counted) >= 4 * ROWS
    for name in hosts.lab.hosts:
        hosts.until(lambda name=name: counted <= redis.database.rows(name), f"{name} has all rows")  # type: ignore[misc]
