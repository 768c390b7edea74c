"""Looking in small pieces what the loss of each host would leave over: when that begins, goes on, and is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_operator.control.losses import AGAIN_S, MOST_SERVICES, Around, LossStudy
from backstay_operator.control.watch.cache import Cache
from backstay_operator.planner import offline, whatif
from backstay_operator.planner.know.losses import Losses
from backstay_testing.builders import a_host, a_service, an_instance, unit


class Looks:
    """A study of two hosts with these services on the first, and what it asks of those around it."""

    def __init__(self, services: int = 2, cpu: str = "1") -> None:
        self.cache = Cache(clock=lambda: 0.0, wall=lambda: "2026-01-01T00:00:00Z")
        needs = {"capacity": {"cpu": 1}}
        known = [a_service(f"s{number:02}", unit(f"s{number:02}"), placement=needs) for number in range(services)]
        hosts = [a_host("n1", capacity={"cpu": "99"}), a_host("n2", capacity={"cpu": cpu})]
        self.cache.world = offline.as_if_running(hosts, known, [an_instance(one, epoch=1, host="n1") for one in known])
        whatif.outcome(self.cache.world, whatif.holders(self.cache.world))
        self.is_idle, self.told = True, 0
        self.study = LossStudy(self.cache, Around(lambda: self.is_idle, self._note, lambda: 0.0))

    def _note(self) -> None:
        self.told += 1

    @property
    def left(self) -> list[str] | None:
        losses = self.cache.world.losses
        return sorted(losses.left_of) if losses else None

    def look(self) -> int:
        """Pieces that a whole look takes."""
        self.study.piece()
        pieces = 0
        while self.study.is_at_work:
            self.study.piece()
            pieces += 1
        return pieces


def test_it_is_told_once_and_again_only_when_something_else_is_found() -> None:
    looks = Looks()
    assert looks.look() > 0 and (looks.left, looks.told) == (["shop/s01-0"], 1)
    assert looks.look() == 0, "nothing has changed"
    looks.cache.changes += 1
    assert looks.look() == 0, "nothing that it is made from has"
    looks.cache.world.put_host(a_host("n3", capacity={"cpu": "0"}))
    looks.cache.changes += 1
    assert looks.look() > 0 and looks.told == 2, "n3 is asked about as well"
    host = looks.cache.world.hosts["n3"]
    looks.cache.world.put_host(
        host.model_copy(update={"spec": host.spec.model_copy(update={"capacity": {"cpu": "9m"}})})
    )
    looks.cache.changes += 1
    assert looks.look() > 0 and looks.told == 2, "the same is found"


def test_a_piece_is_a_few_services_however_many_there_are() -> None:
    few, many = Looks(services=MOST_SERVICES // 4, cpu="99"), Looks(services=2 * MOST_SERVICES, cpu="99")
    assert few.look() < many.look() and many.left == []


def test_what_passes_within_seconds_is_no_time_to_look() -> None:
    looks = Looks()
    lease = looks.cache.world.leases["n2"]
    looks.cache.world.leases["n2"] = lease.__class__(lease.lease, lease.first_seen_s - 10.0)
    late = looks.cache.world.now_s
    looks.cache.world.now_s = late - 10.0 + 6.0
    assert looks.look() == 0 and looks.left is None


def test_a_picture_that_cannot_be_decided_about_ends_nothing() -> None:
    def breaks() -> Iterator[None]:
        yield None
        raise AssertionError("a picture that never was")

    looks = Looks()
    looks.look()
    looks.study._work = breaks()  # type: ignore[assignment]
    assert looks.look() == 0 and (looks.left, looks.told) == (None, 2)


@in_virtual_time
async def test_it_goes_on_only_while_nothing_else_is_to_be_done() -> None:
    looks = Looks()
    looks.is_idle = False
    task = asyncio.create_task(looks.study.run())
    await asyncio.sleep(3 * AGAIN_S)
    assert looks.left is None
    looks.is_idle = True
    await asyncio.sleep(AGAIN_S + 1)
    assert isinstance(looks.cache.world.losses, Losses) and looks.told == 1
    task.cancel()
