"""Specs of an HAInstance, and of a ResourceClaim, as they are in their lives, and everything that somebody might try to make of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

GRANT_1: Json = {"host": "n1", "session": {"bootID": "b1", "nonce": "x", "seq": 1}, "machineUUID": "m1"}
GRANT_2: Json = {"host": "n2", "session": {"bootID": "b2", "nonce": "y", "seq": 1}, "machineUUID": "m2"}


def instance(epoch: int, grant: Json | None, closed: int | None, evidence: str = "Released") -> Json:
    end = None if closed is None else {"epoch": closed, "evidence": evidence}
    spec = {"service": {"name": "web", "uid": "u1"}, "exclusive": True, "epoch": epoch}
    return without_none({**spec, "grant": grant, "closed": end})


def without_none(spec: Json) -> Json:
    return {name: value for name, value in spec.items() if value is not None}


OWNER: Json = {"namespace": "shop", "name": "web", "uid": "u1", "instance": "i1", "epoch": 1, "revision": 2}
SANE_CLAIMS = (
    {"type": "Address", "key": "192.0.2.10", "owner": OWNER},
    {"type": "Device", "key": "/dev/disk/by-id/wwn-0x5000c5", "owner": OWNER},
    {"type": "Unit", "key": "web.service", "hosts": [{"host": "n1", **OWNER}, {"host": "n2", **OWNER, "uid": "u2"}]},
    {"type": "Command", "key": "/bin/true", "hosts": []},
)
SANE_INSTANCES = (
    instance(0, None, None),
    instance(1, GRANT_1, None),
    instance(1, None, 1),
    instance(2, GRANT_1, 1),
    instance(2, None, 2),
    instance(3, GRANT_2, 2),
)


def steps_from(spec: Json) -> Iterator[Json]:
    """The right steps, and one that is too large."""
    epoch = spec["epoch"]
    yield spec
    yield instance(epoch, None, epoch, "Device")
    yield instance(epoch + 1, GRANT_2, epoch)
    yield instance(epoch + 2, GRANT_2, epoch + 1)


def spoilt(spec: Json) -> Iterator[Json]:
    """The same; with one field otherwise; with two fields otherwise."""
    epoch = spec["epoch"]
    ends = [{"epoch": e, "evidence": kind} for e in (epoch - 1, epoch, epoch + 1) for kind in ("Boot", "NotExclusive")]
    fields: dict[str, list[Any]] = {
        "service": [{"name": "web", "uid": "u2"}],
        "exclusive": [False],
        "epoch": [epoch - 1, epoch + 1, epoch + 2],
        "grant": [None, GRANT_1, GRANT_2, {**GRANT_1, "machineUUID": "m3"}],
        "closed": [None, *ends],
    }
    changes = [{name: value} for name, values in fields.items() for value in values]
    yield spec
    for one in changes:
        yield without_none({**spec, **one})
        for other in changes:
            if [*other] > [*one]:
                yield without_none({**spec, **one, **other})
