"""What a driver is: all that is done to one kind of resource. Drivers do not know each other, nor instances, epochs or the API.

`resource` is the plain dataclass `backstay_api.objects.plain.RenderedResource` (one kind set).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, Protocol

from backstay_api.objects.recovery import ErrorType

if TYPE_CHECKING:
    from pathlib import Path

    from backstay_api.objects.plain import Attribute, Probe, RenderedResource, RoleOrder


class State(Enum):
    """What a resource is, as far as can be seen. UNKNOWN counts as running wherever safety asks."""

    STOPPED = "Stopped"
    STARTING = "Starting"
    RUNNING = "Running"
    STOPPING = "Stopping"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """One question to a program that says whether a resource runs, as it was asked."""

    took_s: float
    limit_s: float
    """How long it was given."""
    every_s: float
    """From one question to the next."""
    in_time: bool
    """False: it was killed when its time was over, so nobody has said anything."""


@dataclass(frozen=True)
class Seen:
    """State of a resource, and why where it is not plainly running or stopped."""

    state: State
    why: str = ""
    by_admin: str = ""
    """Not empty: somebody asked the host for it ("stopped by an admin: systemctl stop web.service"). Then it is no failure."""
    left: bool = field(default=False, compare=False)
    """UNKNOWN, and yet something of it plainly runs: a part, or what it has started."""
    error_type: ErrorType = field(default="Soft", compare=False)
    """If FAILED: whether a restart here could help."""
    check: Check | None = field(default=None, compare=False)
    """By what it was seen, if by asking a program: then each look is told, also where it finds what the one before did."""
    reloadable: frozenset[str] | None = field(default=None, compare=False)
    """Parameters that can be changed while it runs, where the kind has such."""


class NotInstalled(Exception):
    """What was there is as it was. The text is a sentence for people, with the path."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What is seen of a prerequisite, a resource that is only looked at."""

    why: str = ""
    """Not empty: it is not there, not as it is declared, or cannot be seen, in a sentence."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What it is compared with other hosts by; never content, nor anything that a short secret could be found by."""


@dataclass(frozen=True, slots=True)
class AskedParts:
    """What of a copy is asked for; see `models.prerequisites.CopyQuestion`."""

    below: str
    first: int
    each: int


@dataclass(frozen=True, slots=True)
class Parts:
    """The answer; see `models.prerequisites.CopyAnswer`."""

    why: str = ""
    count: int = 0
    digests: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notification:
    """What happens to copies of a resource with roles, and where, for its agent."""

    operation: Literal["start", "stop", "promote", "demote"]
    hosts: tuple[str, ...]
    """Of those the operation is done to."""
    copies: tuple[str, ...] = ()
    """Where copies are up before that."""
    promoted: str = ""
    """Which is promoted before that."""


Looker = Callable[[Any, str], Awaitable[Observed]]
"""Looks at one kind of prerequisite: given what stands in its field, and a text that the fingerprints of one service have in common.
Answers within seconds, whatever hangs."""
TellsParts = Callable[[Any, AskedParts, bytes], Awaitable[Parts]]
"""Says of one kind of prerequisite what another host's is held against, part by part: given what stands in its field, what is asked, and
the key of the two hosts. Answers within seconds, whatever hangs."""


class StartFailed(Exception):
    """The resource is not up; parts of it may be: stop it before anything else. The text is a sentence for people."""

    def __init__(self, why: str, error_type: ErrorType = "Soft") -> None:
        super().__init__(why)
        self.error_type = error_type


class NotNamed(StartFailed):
    """systemd does not say what it calls a unit: it may, if it is asked again."""


class StopFailed(Exception):
    """The resource may still be running: the caller must treat it as running. The text is a sentence for people."""

    def __init__(self, why: str, left: Sequence[RenderedResource] = ()) -> None:
        """`left`: of several, those that may still be running."""
        super().__init__(why)
        self.left = left


class ReloadFailed(Exception):
    """What runs may be neither as it was nor as it is wanted: only a restart makes it that. The text is a sentence for people."""


class NoScore(Exception):
    """Nobody can say how fresh the data of a copy is, so that it is not to be promoted. The text is a sentence for people."""


class Driver(Protocol):
    """Starts, stops and watches one kind of resource. All calls are idempotent. What a kind has no use for is in `Plain`."""

    async def secure(self, resource: RenderedResource) -> None:
        """Make sure it cannot start without us, now and after a boot (drop-in, mask…). Done before a host says ready."""

    async def unsecure(self, resource: RenderedResource) -> None:
        """Take back what `secure` did: the host is no longer a candidate."""

    async def not_ready(self, resource: RenderedResource) -> str | None:
        """Why this host could not start it now, in a sentence; None if it could. Looks only, touches nothing."""

    def parts(self, resource: RenderedResource) -> Sequence[str]:
        """Names of all else that starts and stops with it, as was seen when it was last secured or looked at. Answers at once."""

    def waits_for(self, resource: RenderedResource) -> str:
        """What a call that has not returned yet waits for, in a sentence; empty if that is not known."""

    async def prepare(self, resource: RenderedResource) -> None:
        """Work that may overlap with starting what stands before it (the duplicate-address probe). Raises StartFailed."""

    async def start(self, resource: RenderedResource, *, timeout_s: float) -> None:
        """Bring it up; returns when it is up. Raises StartFailed."""

    async def starts_by_itself(self, resource: RenderedResource) -> str | None:
        """Why it would start at the next boot if `unsecure` were called now, and what to do; None if it would not. Raises StartFailed."""

    async def start_limit_s(self, resource: RenderedResource) -> float | None:
        """How long a start may take by the kind's own means, where the manifest does not say; None: nobody says."""

    async def apply(self, resource: RenderedResource, before: RenderedResource, *, timeout_s: float) -> None:
        """Bring to what runs what is another than `before` and needs no restart.

        Raises StartFailed: it runs on as it was; ReloadFailed.
        """

    async def stop(self, resource: RenderedResource, *, timeout_s: float) -> str | None:
        """Bring it down; returns only when that is verified, and what is to be said about it (that it had to be killed).

        Raises StopFailed.
        """

    async def permit(self, resource: RenderedResource) -> None:
        """Let the host's admin start it by hand (maintenance mode HandsOff): open its gate, start nothing. Raises StartFailed."""

    async def check(self, resource: RenderedResource) -> Seen:
        """Look at it now."""

    async def score(self, resource: RenderedResource) -> int:
        """How fresh the data of the copy here is, of what tells it: the highest is to be promoted. Raises NoScore."""

    def noted(self, resource: RenderedResource) -> Sequence[Attribute]:
        """What its agent, which has roles, has noted for its like on other hosts. Answers at once."""

    def learn(self, resource: RenderedResource, told: RoleOrder) -> None:
        """What its like on other hosts have noted, and which copy is promoted: its agent finds it from now on. Answers at once."""

    async def notify(self, resource: RenderedResource, of: Notification) -> str:
        """Tell its agent that something has happened to copies; why that failed, in a sentence. A start or a stop cuts it short."""

    def changes(self, resource: RenderedResource) -> AsyncIterator[Seen]:
        """Tell by event, not by polling, whenever its state changes, until the iterator is closed.

        The first is the present state, looked at after the listening began: so no change between the look and the first event is missed.
        """


class Plain:
    """What a driver answers whose kind does not start by itself, needs no preparation and keeps no admin from it."""

    async def secure(self, resource: RenderedResource) -> None:
        return

    async def unsecure(self, resource: RenderedResource) -> None:
        return

    def parts(self, resource: RenderedResource) -> Sequence[str]:
        return ()

    async def starts_by_itself(self, resource: RenderedResource) -> str | None:
        return None

    def waits_for(self, resource: RenderedResource) -> str:
        return ""

    async def prepare(self, resource: RenderedResource) -> None:
        return

    async def start_limit_s(self, resource: RenderedResource) -> float | None:
        return None

    async def apply(self, resource: RenderedResource, before: RenderedResource, *, timeout_s: float) -> None:
        return

    async def permit(self, resource: RenderedResource) -> None:
        return

    async def score(self, resource: RenderedResource) -> int:
        raise NoScore("this kind of resource does not tell how fresh its data is")

    def noted(self, resource: RenderedResource) -> Sequence[Attribute]:
        return ()

    def learn(self, resource: RenderedResource, told: RoleOrder) -> None:
        return

    async def notify(self, resource: RenderedResource, of: Notification) -> str:
        return ""

    async def groups(self, resource: RenderedResource) -> list[Path]:
        return []

    async def own_unit(self, resource: RenderedResource) -> str:
        return ""

    async def ask(self, resource: RenderedResource, probe: Probe) -> str | None:
        return "this kind of resource has no check of its own that a probe could ask"
