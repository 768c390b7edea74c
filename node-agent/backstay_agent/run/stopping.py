"""What has come of the stops of one instance: in vain how often, when it is tried again, what is to be said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from backstay_agent.core.machine import Phase
from backstay_agent.drivers.base import StopFailed
from backstay_agent.store.disk import DiskTrouble
from backstay_api.objects.ocf_roles import is_promotion
from backstay_api.objects.plain import RenderedResource
from backstay_api.process.waiting import clock_s

RETRY_S: Final = 5.0
"""Until what could not be stopped, or recorded, is tried again."""


class NotRecorded(StopFailed):
    """It is verifiably stopped, and only the disk is in the way."""

    def __init__(self, error: DiskTrouble) -> None:
        super().__init__(f"stopped verifiably, but that cannot be recorded: {error}")


class Stops:
    """Only for this life of the agent: the next one tries anew before it says that something cannot be stopped."""

    def __init__(self) -> None:
        self.note = ""
        """Of the last that succeeded: that it had to be killed."""
        self.failed = 0
        """So many in a row could not bring it down."""
        self.retry_at_s = 0.0
        self.would_not = False
        """The last attempt has failed, be it that only the disk was in the way."""
        self.unrecorded = False
        self.is_first = False
        """The first since it was up is under way."""
        self._left: Sequence[RenderedResource] = ()

    @property
    def demote_failed(self) -> bool:
        """Whether what did not stop at the last attempt is the promotion of a copy by its own agent, among others."""
        return bool(self.failed) and any(map(is_promotion, self._left))

    def learn(self, error: Exception | None) -> None:
        """How the effect has ended that leads to the next phase."""
        self.unrecorded = isinstance(error, NotRecorded)
        self._left = error.left if isinstance(error, StopFailed) else ()

    def enter(self, phase: Phase) -> None:
        self.is_first = phase is Phase.STOPPING and not self.failed
        match phase:
            case Phase.STUCK:
                self.retry_at_s, self.would_not = clock_s() + RETRY_S, True
                self.failed = 0 if self.unrecorded else self.failed + 1
            case Phase.STOPPING:
                pass
            case _:
                self.failed = 0
