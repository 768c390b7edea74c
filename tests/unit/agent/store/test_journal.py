"""The journal under many hands: what waits is written together, each change stands for itself, and a text is what it says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from backstay_agent.core.books import Books, Record
from backstay_agent.store.disk import DiskTrouble, MemoryDisk
from backstay_agent.store.journal import JOURNAL, Journal
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import unit

Change = Callable[[Books], Books]


def record(number: int) -> Record:
    wanted = (unit(unit=f"web-{number}.service"),)
    return Record(
        uid=f"u{number}", namespace="shop", name=f"web-{number}", epoch=1, nonce="n", want="Up", exclusive=True, wanted=wanted
    )  # fmt: skip


def granted(number: int) -> Change:
    return lambda books: books.put(record(number))


def started(number: int) -> Change:
    return lambda books: books.put(replace(books.records[f"u{number}"], may_run=True))


def stopped(number: int) -> Change:
    return lambda books: books.put(replace(books.records[f"u{number}"], may_run=False))


async def opened(disk: MemoryDisk, *, runs: int = 0) -> Journal:
    journal = Journal(disk, "boot-1")
    await journal.open("nonce-1")
    for number in range(runs):
        await journal.change(granted(number))
        await journal.change(started(number))
    disk.write_takes_s = 0.01
    disk.written.clear()
    return journal


async def kept(disk: MemoryDisk) -> Books:
    """What the next life reads."""
    after = Journal(disk, "boot-1")
    await after.load()
    return after.books


@in_virtual_time
async def test_what_waits_is_written_together() -> None:
    """250 services that started at once wrote the whole journal 500 times."""
    disk = MemoryDisk()
    journal = await opened(disk)
    await asyncio.gather(*(journal.change(granted(number)) for number in range(50)))
    assert disk.written == [JOURNAL, JOURNAL], "the first, and all that came meanwhile"
    assert (await kept(disk)).records == journal.books.records and len(journal.books.records) == 50


@in_virtual_time
async def test_nothing_counts_before_it_is_written() -> None:
    disk = MemoryDisk()
    journal = await opened(disk)
    changes = [asyncio.create_task(journal.change(granted(number))) for number in range(3)]
    while not changes[0].done():
        assert not journal.books.records
        await asyncio.sleep(0.001)
    assert list(journal.books.records) == ["u0"] and not changes[1].done()
    await asyncio.gather(*changes)
    assert list((await kept(disk)).records) == ["u0", "u1", "u2"]


@in_virtual_time
async def test_a_change_that_is_refused_is_refused_alone() -> None:
    disk = MemoryDisk()
    journal = await opened(disk)
    changes = (granted(0), granted(1), started(7), granted(2))
    results = await asyncio.gather(*map(journal.change, changes), return_exceptions=True)
    assert [type(result) for result in results] == [Books, Books, KeyError, Books]
    assert list((await kept(disk)).records) == ["u0", "u1", "u2"]


@in_virtual_time
async def test_on_a_full_disk_ends_are_recorded_beside_starts_that_are_not() -> None:
    disk = MemoryDisk()
    journal = await opened(disk, runs=3)
    disk.full = "No space left on device"
    changes = (stopped(0), stopped(1), granted(9), stopped(2))
    results = await asyncio.gather(*map(journal.change, changes), return_exceptions=True)
    assert [type(result) for result in results] == [Books, Books, DiskTrouble, Books]
    assert [one.may_run for one in (await kept(disk)).records.values()] == [False] * 3


@in_virtual_time
async def test_who_is_cancelled_while_he_writes_for_all_takes_nobody_along() -> None:
    disk = MemoryDisk()
    journal = await opened(disk)
    first = asyncio.create_task(journal.change(granted(0)))
    others = [asyncio.create_task(journal.change(granted(number))) for number in (1, 2, 3)]
    await asyncio.sleep(0.015)  # the first is written, and the second writes for the rest
    others[0].cancel()
    await asyncio.gather(first, *others[1:])
    with pytest.raises(asyncio.CancelledError):
        await others[0]
    assert {"u0", "u2", "u3"} <= set((await kept(disk)).records)


@in_virtual_time
async def test_who_is_cancelled_before_his_turn_has_changed_nothing() -> None:
    disk = MemoryDisk()
    journal = await opened(disk)
    first = asyncio.create_task(journal.change(granted(0)))
    second = asyncio.create_task(journal.change(granted(1)))
    await asyncio.sleep(0.005)
    second.cancel()
    await first
    await journal.change(granted(2))
    assert list((await kept(disk)).records) == ["u0", "u2"]


@in_virtual_time
async def test_the_text_is_that_of_the_books_whatever_was_known_of_it_before() -> None:
    disk = MemoryDisk()
    journal = await opened(disk)
    for change in (
        granted(0),
        granted(1),
        started(0),
        stopped(0),
        lambda books: replace(books, records={}),
        granted(1),
    ):
        books = await journal.change(change)
        assert json.loads(disk.files[JOURNAL].split("\n")[0]) == json.loads(json.dumps(books.to_wire()))
