"""What has come of the stops of one instance: in vain how often, when it is tried again, what is to be said."""

from __future__ import annotations

from backstay_agent.core.machine import Phase
from backstay_api.process.waiting import clock_s

from .tools import RETRY_S, NotRecorded


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

    def learn(self, error: Exception | None) -> None:
        """How the effect has ended that leads to the next phase."""
        self.unrecorded = isinstance(error, NotRecorded)

    def enter(self, phase: Phase) -> None:
        match phase:
            case Phase.STUCK:
                self.retry_at_s, self.would_not = clock_s() + RETRY_S, True
                self.failed = 0 if self.unrecorded else self.failed + 1
            case Phase.STOPPING:
                pass
            case _:
                self.failed = 0
