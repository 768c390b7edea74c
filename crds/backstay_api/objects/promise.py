"""The lease arithmetic, both halves in one file: what a host promises by its heartbeat, and what others may conclude from silence.

Pure. The holder counts from the moment it *sent* a renewal; the waiter counts from the moment it *first saw* one. SAFETY 4 and
PROTOCOL 4 give the reasons. The watchdog half (`Lw`) comes with Lease evidence, later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

SUSPECT_RENEWALS: Final = 1.5
"""Half a renewal late: time to look at the power, not to act."""
SILENT_RENEWALS: Final = 3.0
"""Two renewals lost and a third late: seal."""
FENCE_TEST_EVERY_S: Final = 300.0
"""How often the fencer tests each fence path; who has not said so twice in a row is not believed to be able to fence."""


@dataclass(frozen=True)
class Contract:
    """The timings a host obeys, published in its own Lease: silence is judged by these, never by what an admin wishes now."""

    profile: str = "default"
    renew_s: float = 2.0
    """T_renew: from one renewal's send to the next."""
    request_s: float = 2.0
    """t_req: how long one renewal may take before the next is tried."""

    def wire(self) -> dict[str, Any]:
        return {"profile": self.profile, "renewS": self.renew_s, "requestS": self.request_s}

    @classmethod
    def from_wire(cls, raw: Mapping[str, Any]) -> Contract:
        """Read what a host published. Raises ValueError with a sentence where the numbers make no sense."""
        contract = cls(
            profile=str(raw.get("profile", "default")),
            renew_s=float(raw.get("renewS", 2.0)),
            request_s=float(raw.get("requestS", 2.0)),
        )
        if not (0.1 <= contract.renew_s <= 300 and 0.1 <= contract.request_s <= 300):
            raise ValueError(f"heartbeat contract {dict(raw)} is out of bounds: periods lie between 0.1 s and 300 s")
        return contract


PROFILES: Final[Mapping[str, Contract]] = {
    "lab": Contract("lab", renew_s=0.5, request_s=0.4),
    "fast": Contract("fast", renew_s=1.0, request_s=1.0),
    "default": Contract("default", renew_s=2.0, request_s=2.0),
    "tolerant": Contract("tolerant", renew_s=5.0, request_s=5.0),
}


class Silence(Enum):
    """What the age of the last renewal says about a host."""

    LIVE = "live"
    SUSPECT = "suspect"
    SILENT = "silent"


def judge_silence(*, age_s: float, contract: Contract) -> Silence:
    """What a renewal first seen `age_s` ago says (PROTOCOL 4)."""
    if age_s <= suspect_after_s(contract):
        return Silence.LIVE
    if age_s <= silent_after_s(contract):
        return Silence.SUSPECT
    return Silence.SILENT


def suspect_after_s(contract: Contract) -> float:
    """Age of the last seen renewal beyond which power status reads begin."""
    return SUSPECT_RENEWALS * contract.renew_s


def silent_after_s(contract: Contract) -> float:
    """Age of the last seen renewal beyond which the session is sealed."""
    return SILENT_RENEWALS * contract.renew_s


def next_renewal_s(*, sent_at_s: float, contract: Contract) -> float:
    """When the holder sends its next renewal, successful or not: retries come every T_renew, however long the outage."""
    return sent_at_s + contract.renew_s
