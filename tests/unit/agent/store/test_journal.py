"""The journal as text: what is known of a record's text is that of this very record."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from backstay_agent.core.checkpoint import Checkpoint
from backstay_agent.store.disk import MemoryDisk
from backstay_agent.store.journal import JOURNAL, Journal, Resources
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import unit
from backstay_testing.journalled import a_record

CHANGES: tuple[Callable[[Checkpoint], Checkpoint], ...] = (
    lambda checkpoint: checkpoint.put(a_record(uid="u0")),
    lambda checkpoint: checkpoint.put(a_record(uid="u1")),
    lambda checkpoint: checkpoint.put(replace(checkpoint.records["u0"], may_run=True)),
    lambda checkpoint: checkpoint.put(replace(checkpoint.records["u0"], may_run=False)),
    lambda checkpoint: replace(checkpoint, records={}),
    lambda checkpoint: checkpoint.put(a_record(uid="u1", epoch=7)),
)


@in_virtual_time
async def test_the_text_is_that_of_the_checkpoint_whatever_was_known_of_it_before() -> None:
    disk = MemoryDisk()
    journal = Journal(disk, "boot-1")
    await journal.open("nonce-1")
    for change in CHANGES:
        checkpoint = await journal.change(change)
        assert json.loads(disk.files[JOURNAL].split("\n")[0]) == json.loads(json.dumps(checkpoint.to_wire()))


RUNS, NEXT = (unit("old.service"),), (unit("new.service"),)


async def listed(disk: MemoryDisk) -> tuple[Resources, ...]:
    return (await Journal(disk, "boot-1").load()).may_run


@in_virtual_time
async def test_of_what_runs_the_inventory_lists_what_runs_whatever_may_have_to_be_started_next() -> None:
    """Edited meanwhile, the next start is of something else; what has to be stopped is what runs."""
    disk = MemoryDisk()
    journal = Journal(disk, "boot-1")
    await journal.open("nonce-1")
    await journal.change(lambda known: known.put(a_record(uid="u1", may_run=True, resources=RUNS, wanted=NEXT)))
    await journal.cover_ahead({"u1": NEXT})
    assert await listed(disk) == (RUNS,)


@in_virtual_time
async def test_of_what_runs_the_inventory_lists_what_runs_whatever_it_was_before() -> None:
    disk = MemoryDisk()
    journal = Journal(disk, "boot-1")
    await journal.open("nonce-1")
    await journal.change(lambda known: known.put(a_record(uid="u1")))
    await journal.cover("u1", NEXT)
    await journal.change(lambda known: known.put(a_record(uid="u1", may_run=True, resources=RUNS)))
    await journal.cover("u2", NEXT)
    assert await listed(disk) == (RUNS, NEXT)


@in_virtual_time
async def test_what_was_listed_before_its_start_stays_listed_until_it_is_over() -> None:
    """The start may be under way: what may have to be started next comes on top of nothing."""
    disk = MemoryDisk()
    journal = Journal(disk, "boot-1")
    await journal.open("nonce-1")
    await journal.change(lambda known: known.put(a_record(uid="u1")))
    await journal.cover("u1", RUNS)
    await journal.cover_ahead({"u1": NEXT})
    assert await listed(disk) == (RUNS,)
