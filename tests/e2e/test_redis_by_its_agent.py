"""Debian's Redis by Debian's own OCF agent on three hosts: each copy follows the promoted one, as the agents know of each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from backstay_dev.lab.lab import Lab
from backstay_dev.lab.prerequisites import OCF_LAYER
from backstay_dev.show.fault_lab import NAMESPACE, FaultLab
from backstay_dev.show.redis_agent import RedisByItsAgent

pytestmark = [pytest.mark.api, pytest.mark.hosts]

EXAMPLE = Path(__file__).parents[2] / "examples/redis-ocf.yaml"
ROWS = 10


@pytest.fixture(scope="module")
def hosts() -> Iterator[FaultLab]:
    with Lab(3, progress=print, packages=OCF_LAYER) as lab:
        yield FaultLab.open(lab)


@pytest.fixture
def redis(hosts: FaultLab) -> Iterator[RedisByItsAgent]:
    redis = RedisByItsAgent(hosts.lab.hosts)
    redis.set_up()
    try:
        yield redis
    finally:
        redis.stop_writing()
        hosts.take_off("basket")


def status(hosts: FaultLab) -> dict[str, Any]:
    found: dict[str, Any] = hosts.product.get("haservices", "basket", NAMESPACE).get("status", {})
    return found


def until_all_follow(hosts: FaultLab, redis: RedisByItsAgent, but: str = "", other_than: str = "") -> str:
    """The host that its status names is nobody's replica, and every other copy follows it, `but` for one host's."""

    def whom() -> dict[str, str]:
        return {name: redis.follows(name) for name in hosts.lab.hosts if name != but}

    def done() -> bool:
        promoted = status(hosts).get("promoted")
        return promoted not in ("", None, other_than) and {*whom().values()} == {promoted}

    hosts.until(done, "all copies follow the promoted one", also=lambda: (status(hosts), whom()), timeout_s=60)
    return str(status(hosts)["promoted"])


def some_more(hosts: FaultLab, redis: RedisByItsAgent, when: str) -> None:
    before = len(redis.committed())
    hosts.until(lambda: len(redis.committed()) >= before + ROWS, f"{ROWS} rows {when}", timeout_s=30)


def test_each_copy_follows_whoever_is_promoted_and_no_row_that_two_had_is_lost(
    hosts: FaultLab, redis: RedisByItsAgent
) -> None:
    hosts.apply("basket", yaml.safe_load(EXAMPLE.read_text())["spec"])
    first = until_all_follow(hosts, redis)
    second, third = sorted({*hosts.lab.hosts} - {first})
    redis.begin_writing(third)
    some_more(hosts, redis, "at first")

    hosts.backstay("move", "basket", "--instance", "basket-promoted", "--to", second, "-n", NAMESPACE)
    assert until_all_follow(hosts, redis, other_than=first) == second
    some_more(hosts, redis, "after the move")

    hosts.lab[second].power_off()
    promoted = until_all_follow(hosts, redis, but=second, other_than=second)
    closed = hosts.product.get("hainstances", "basket-promoted", NAMESPACE)["spec"]["closed"]
    assert closed["evidence"] == "Device"
    some_more(hosts, redis, "after the power loss")

    if not hosts.lab[second].is_on:  # else the fencer has turned it on again
        hosts.lab[second].power_on()
    assert until_all_follow(hosts, redis) == promoted, "who comes back follows"
    some_more(hosts, redis, "when it is back")

    redis.stop_writing()
    counted = {commit.row for commit in redis.committed()}
    assert len(counted) >= 4 * ROWS
    for name in hosts.lab.hosts:
        hosts.until(lambda name=name: counted <= redis.rows(name), f"{name} has all rows")  # type: ignore[misc]
