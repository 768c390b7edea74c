"""The heartbeat object: how a host's Lease is read and written, by both sides. Standard library only, pure.

`backstay-hosts/<host>`: holderIdentity is σ (`bootID/nonce`); the annotations carry what we decide by. `renewTime` is for people.
The operator creates, seals and reopens; the agent renews. All of it by compare-and-swap on resourceVersion.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from .promise import Contract
from .texts import read_json

NAMESPACE: Final = "backstay-hosts"
_PREFIX: Final = "backstay.dev/"
_SEALED_ALIVE: Final = f"{_PREFIX}sealed-alive"


@dataclass(frozen=True)
class HostLease:
    """One host's Lease, read."""

    host: str
    resource_version: str
    holder: str
    """σ as `bootID/nonce`; empty: nobody has held it yet."""
    seq: int
    """`session.seq` of the holder."""
    renewal: int
    """Grows with each renewal of this holder: the only thing in here that says it lives."""
    sealed: bool
    """No renewal of the holder can ever succeed again."""
    contract: Contract
    """The timings the holder obeys, as it published them."""
    sealed_alive: bool = False
    """Sealed while it renewed, for a stop that does not succeed: it was not silent, and is no part of a storm."""
    uid: str = ""
    metadata: Mapping[str, Any] | None = None
    spec: Mapping[str, Any] | None = None

    def renewed(self, contract: Contract, *, renew_time: str) -> HostLease:
        """The holder's next renewal. Writing it over a sealed lease would undo the seal: that is a broken program."""
        assert not self.sealed, f"{self.host}: a sealed lease is never renewed"
        return replace(
            self, renewal=self.renewal + 1, contract=contract, spec={**(self.spec or {}), "renewTime": renew_time}
        )

    def taken(self, holder: str, seq: int, contract: Contract, *, renew_time: str) -> HostLease:
        """The lease in the hands of a newer session of the same host."""
        assert not self.sealed, f"{self.host}: only the operator reopens a sealed lease"
        spec = {**(self.spec or {}), "renewTime": renew_time}
        return replace(self, holder=holder, seq=seq, renewal=1, contract=contract, spec=spec)

    def sealed_(self, *, alive: bool = False) -> HostLease:
        """No renewal of this holder can succeed once this is written."""
        return replace(self, sealed=True, sealed_alive=alive)

    def sealed_as(self, holder: str, seq: int) -> HostLease:
        """Sealed in the name of a newer session that does not hold it: it can never take it."""
        assert not self.sealed and seq > self.seq, f"{self.host}: sealed only for a session newer than its holder"
        return replace(self, holder=holder, seq=seq, renewal=0, sealed=True)

    def reopened(self, holder: str, seq: int) -> HostLease:
        """Open again, for exactly one newer session."""
        assert self.sealed and seq > self.seq, f"{self.host}: reopened only for a session newer than the sealed one"
        return replace(self, holder=holder, seq=seq, renewal=0, sealed=False, sealed_alive=False)


def read(raw: Mapping[str, Any]) -> HostLease:
    """Read a Lease object. Raises ValueError with a sentence where it, or an annotation of it, makes no sense."""
    try:
        return _read(raw)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"what was read is not the Lease of a host: {error!r}") from error


def _read(raw: Mapping[str, Any]) -> HostLease:
    metadata, spec = raw["metadata"], raw.get("spec") or {}
    notes = metadata.get("annotations") or {}
    return HostLease(
        host=metadata["name"],
        resource_version=metadata.get("resourceVersion", ""),
        holder=spec.get("holderIdentity") or "",
        seq=_number(metadata, notes, "session-seq"),
        renewal=_number(metadata, notes, "renewal"),
        sealed=notes.get(_PREFIX + "sealed") == "true",
        sealed_alive=notes.get(_SEALED_ALIVE) == "true",
        contract=_contract(metadata, notes.get(_PREFIX + "contract") or "{}"),
        uid=metadata.get("uid", ""),
        metadata=metadata,
        spec=spec,
    )


def write(lease: HostLease) -> dict[str, Any]:
    """The Lease object to PUT; its resourceVersion makes it a compare-and-swap."""
    metadata = dict(lease.metadata or {"name": lease.host, "namespace": NAMESPACE})
    if lease.resource_version:
        metadata["resourceVersion"] = lease.resource_version
    others = {name: said for name, said in (metadata.get("annotations") or {}).items() if name != _SEALED_ALIVE}
    metadata["annotations"] = {
        **others,
        _PREFIX + "session-seq": str(lease.seq),
        _PREFIX + "renewal": str(lease.renewal),
        _PREFIX + "sealed": "true" if lease.sealed else "false",
        _PREFIX + "contract": _published(lease.contract),
        **({_SEALED_ALIVE: "true"} if lease.sealed_alive else {}),
    }
    spec = {**(lease.spec or {}), "holderIdentity": lease.holder or None}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": {key: value for key, value in spec.items() if value is not None},
    }


def is_over(lease: HostLease, *, holder: str, seq: int) -> bool:
    """Whether no renewal of this session can ever succeed again: it is sealed, or a newer session holds the Lease.

    True stays true, so any version of the Lease may be asked, however old; an older session in it proves nothing.
    """
    return (lease.holder == holder and lease.sealed) or lease.seq > seq


def new(host: str, holder: str = "", seq: int = 0) -> HostLease:
    """The Lease the operator creates for a host that has none: nobody holds it, or the session that has yet to renew it."""
    return HostLease(
        host=host, resource_version="", holder=holder, seq=seq, renewal=0, sealed=False, contract=Contract()
    )


@lru_cache(maxsize=256)
def _published(contract: Contract) -> str:
    return json.dumps(contract.wire(), sort_keys=True)


@lru_cache(maxsize=256)
def _promised(text: str) -> Contract:
    """The same in each renewal of a host, and in those of all hosts of one profile."""
    raw = read_json(text)
    if not isinstance(raw, dict):
        raise ValueError("not an object")
    return Contract.from_wire(raw)


def _contract(metadata: Mapping[str, Any], text: str) -> Contract:
    try:
        return _promised(text)
    except (ValueError, TypeError) as error:
        raise ValueError(f"Lease {metadata['name']}: annotation {_PREFIX}contract makes no sense: {error}") from error


def _number(metadata: Mapping[str, Any], notes: Mapping[str, str], name: str) -> int:
    text = notes.get(_PREFIX + name) or "0"
    if not text.isdecimal():
        raise ValueError(f"Lease {metadata['name']}: annotation {_PREFIX}{name} is {text!r}, not a number")
    return int(text)
