"""Debian's Redis on two hosts: one copy is promoted, the other follows it, and what both had is never lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from backstay_dev.lab.lab import Lab
from backstay_dev.lab.prerequisites import LAYER
from backstay_dev.show.fault_lab import NAMESPACE, FaultLab
from backstay_dev.show.pair import UNIT, Pair
from backstay_testing.cases import kill_main

pytestmark = [pytest.mark.api, pytest.mark.hosts]

EXAMPLE = Path(__file__).parents[2] / "examples/redis-promotable.yaml"
ROWS = 10


@pytest.fixture(scope="module")
def hosts() -> Iterator[FaultLab]:
    with Lab(3, progress=print, packages=LAYER) as lab:
        yield FaultLab.open(lab)


@pytest.fixture
def pair(hosts: FaultLab) -> Iterator[Pair]:
    pair = Pair(hosts.lab.hosts)
    pair.set_up()
    try:
        yield pair
    finally:
        pair.stop_writing()
        hosts.take_off("cart")


def status(hosts: FaultLab) -> dict[str, Any]:
    found: dict[str, Any] = hosts.product.get("haservices", "cart", NAMESPACE).get("status", {})
    return found


def until_promoted(hosts: FaultLab, pair: Pair, other_than: str = "") -> str:
    """Both copies work, and one of them, the one that its status names, is the primary."""

    def done() -> bool:
        said = status(hosts)
        return (
            said.get("copies") == "2/2"
            and said.get("promoted") not in ("", other_than)
            and pair.promoted() == [said.get("promoted")]
        )

    hosts.until(done, "one of two copies is promoted", also=lambda: status(hosts), timeout_s=90)
    return str(status(hosts)["promoted"])


def some_more(hosts: FaultLab, pair: Pair, when: str) -> None:
    before = len(pair.committed())
    hosts.until(lambda: len(pair.committed()) >= before + ROWS, f"{ROWS} rows {when}", timeout_s=60)


def test_what_both_copies_had_is_there_after_a_move_a_crash_and_a_power_loss(hosts: FaultLab, pair: Pair) -> None:
    hosts.apply("cart", yaml.safe_load(EXAMPLE.read_text())["spec"])
    first = until_promoted(hosts, pair)
    second, third = sorted({*hosts.lab.hosts} - {first}, key=lambda name: name not in status(hosts)["host"])
    pair.begin_writing(third)
    some_more(hosts, pair, "at first")

    hosts.backstay("move", "cart", "--instance", "cart-promoted", "--to", second, "-n", NAMESPACE)
    assert until_promoted(hosts, pair, other_than=first) == second
    some_more(hosts, pair, "after the move")

    kill_main(hosts.lab[second], UNIT)
    some_more(hosts, pair, "after the primary's process was killed")
    promoted = until_promoted(hosts, pair)

    hosts.lab[promoted].power_off()
    until_promoted(hosts, pair, other_than=promoted)
    closed = hosts.product.get("hainstances", "cart-promoted", NAMESPACE)["spec"]["closed"]
    assert closed["evidence"] == "Device", "what is promoted waits for the proof, its copy does not"
    some_more(hosts, pair, "after the power loss")
    hosts.lab[promoted].power_on()
    hosts.product.wait_ready(timeout_s=60)

    pair.stop_writing()
    counted = {commit.row for commit in pair.committed()}
    assert len(counted) >= 4 * ROWS and counted <= pair.rows(until_promoted(hosts, pair))
