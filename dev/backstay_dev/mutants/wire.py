"""Mutants of what is written and read: Leases, schemas and their rules (PROTOCOL 2)."""

from __future__ import annotations

from typing import Final

from .kinds import API, UNIT, Mutant, one

_LEASE: Final = f"{API}/objects/lease.py"
_INSTANCE: Final = f"{API}/objects/models/instance.py"
_ASSIGNMENT: Final = f"{API}/objects/models/assignment.py"
_M: Final = (
    f"{UNIT}/api/objects/test_schema_rules.py",
    f"{UNIT}/control/act/test_apply.py",
    f"{UNIT}/control/act/test_apply_grants.py",
)

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "a Lease is written by compare-and-swap",
        _LEASE,
        '        metadata["resourceVersion"] = lease.resource_version',
        '        metadata.pop("resourceVersion", None)',
        f"{UNIT}/control/act/test_apply.py",
        f"{UNIT}/agent/test_trouble.py",
        f"{UNIT}/agent/test_stories.py",
    ),
    one(
        "an older session in the Lease proves nothing",
        _LEASE,
        "    return (lease.holder == holder and lease.sealed) or lease.seq > seq",
        "    return (lease.holder == holder and lease.sealed) or lease.holder != holder",
        f"{UNIT}/planner/judge/test_evidence.py",
        f"{UNIT}/fencer/test_stories.py",
        "tests/stories",
        "tests/property",
    ),
    one(
        "only a seal or a newer session ends a session",
        _LEASE,
        "    return (lease.holder == holder and lease.sealed) or lease.seq > seq",
        "    return lease.holder == holder or lease.seq > seq",
        f"{UNIT}/planner/judge/test_evidence.py",
        f"{UNIT}/fencer/test_stories.py",
    ),
    one(
        "the schema: epochs grow by one",
        _INSTANCE,
        "    lambda old, new: new.epoch in (old.epoch, old.epoch + 1),",
        "    lambda old, new: True,",
        *_M,
    ),
    one(
        "the schema: what is exclusive needs real evidence",
        _INSTANCE,
        '    lambda s: s.closed is None or s.closed.evidence != "NotExclusive" or not s.exclusive,',
        "    lambda s: True,",
        *_M,
    ),
    one(
        "the schema: a grant does not change within its epoch",
        _INSTANCE,
        "            new.grant == old.grant\n",
        "            True\n",
        *_M,
    ),
    one(
        "the schema: evidence is never taken back",
        _INSTANCE,
        "        old.closed is None\n        or (new.closed is not None",
        "        True\n        or (new.closed is not None",
        *_M,
    ),
    one(
        "the schema: seq only grows",
        _ASSIGNMENT,
        "    rules = (_SEQ, _SEQ_SESSION, _MACHINE)",
        "    rules = (_SEQ_SESSION, _MACHINE)",
        *_M,
    ),
    one(
        "the schema: another session needs a higher seq",
        _ASSIGNMENT,
        "    rules = (_SEQ, _SEQ_SESSION, _MACHINE)",
        "    rules = (_SEQ, _MACHINE)",
        *_M,
    ),
    one(
        "the schema: machineUUID never changes",
        _ASSIGNMENT,
        "    rules = (_SEQ, _SEQ_SESSION, _MACHINE)",
        "    rules = (_SEQ, _SEQ_SESSION)",
        *_M,
    ),
    one(
        "the schema: a request is for one session for ever",
        f"{API}/objects/models/fencing.py",
        "            lambda old, new: new.host == old.host and new.session == old.session,",
        "            lambda old, new: True,",
        *_M,
    ),
    one(
        "the schema: a claim goes from one service to the next only by way of nobody",
        f"{API}/objects/models/claim.py",
        "                new.uid == old.uid\n                and new.revision",
        "                new.revision",
        *_M,
    ),
)
