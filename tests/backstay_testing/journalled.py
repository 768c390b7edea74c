"""What an agent has journalled, and what it is ordered, in a few words: for tests of its core."""

from __future__ import annotations

from typing import Any

from backstay_agent.core.checkpoint import Checkpoint, Record
from backstay_api.objects.plain import InstanceOrder, SessionRef
from backstay_testing.agent_world import unit

MINE = SessionRef(boot_id="b", nonce="mine", seq=5)


def an_order(want: str = "Up", **more: Any) -> InstanceOrder:
    values: dict[str, Any] = {
        "namespace": "shop",
        "name": "web-0",
        "service": "web",
        "epoch": 3,
        "session": MINE,
        "want": want,
        "exclusive": True,
        "revision": 1,
        "resources": (unit(),),
    }
    return InstanceOrder(**{**values, **more})


def a_record(**more: Any) -> Record:
    values: dict[str, Any] = {
        "uid": "u1",
        "namespace": "shop",
        "name": "web-0",
        "service": "web",
        "epoch": 3,
        "nonce": "mine",
        "want": "Up",
        "exclusive": True,
        "revision": 1,
        "wanted": (unit(),),
    }
    return Record(**{**values, **more})


def checkpoint(*records: Record, **more: Any) -> Checkpoint:
    values: dict[str, Any] = {"boot_id": "b", "nonce": "mine", "seq": 5}
    return Checkpoint(**{**values, **more}, records={record.uid: record for record in records})


RUNNING = a_record(may_run=True, resources=(unit(),), running_revision=1)
CLOSED = a_record().over()


CARRIED = a_record(nonce="old", exclusive=False, may_run=True, resources=(unit(),), running_revision=1)
