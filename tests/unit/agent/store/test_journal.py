"""The journal as text: what is known of a record's text is that of this very record."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from backstay_agent.core.checkpoint import Checkpoint
from backstay_agent.store.disk import MemoryDisk
from backstay_agent.store.journal import JOURNAL, Journal
from backstay_dev.simulator.virtualtime import in_virtual_time
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
