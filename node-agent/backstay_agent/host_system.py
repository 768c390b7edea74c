"""All that an agent uses of its host, behind one interface: drivers by kind, probes, and what is found there of ours.

The real ones (`real.py`) import D-Bus and the like only when `open` is called: the heartbeat must beat before that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from backstay_api.objects.plain import (
    HeldUnit,
    HostAssignment,
    HostAssignmentStatus,
    RenderedPrerequisite,
    RenderedResource,
    StandbyOrder,
    StandbyReport,
)

from .core.editions import Edition
from .core.health import Signs, Verdict
from .detection import Detection
from .drivers.base import AskedParts, Driver, Observed, Parts
from .policy.asking import HostPolicy

OnVerdict = Callable[[Verdict, str], None]
"""Told when the probes of a resource change their mind, and why. Where it works: why it is degraded, if it is."""


class Standbys(Protocol):
    """Keeps this host ready for what it may have to run, and says whether it is."""

    @property
    def reports(self) -> Mapping[str, StandbyReport]:
        """By UID of the HAInstance; what was not examined yet is missing."""

    @property
    def held(self) -> tuple[HeldUnit, ...]:
        """Units that wait for our word, and why each would start by itself at the next boot if it did not."""

    def update(
        self,
        orders: Mapping[str, StandbyOrder],
        *,
        ours: Mapping[str, Sequence[RenderedResource]],
        secured: frozenset[str] | None,
        up: Collection[tuple[str, str]] = (),
        over: Mapping[str, int] = MappingProxyType({}),
        services: Mapping[str, tuple[str, str]] = MappingProxyType({}),
    ) -> None:
        """What to be ready for from now on, what runs here by us (or may), and which units may not start by themselves. `up`: namespace
        and name of services of which a copy is up here: how fresh its data is can be asked. `over`: by UID the last epoch of a promoted
        role that is over: how fresh the data is then is told at once. `services`: of which service each UID is.

        `secured` is None for as long as we have not been told: then nothing is given back.
        """

    def read(self, stored: HostAssignment) -> None:
        """A HostAssignment in which stands what this life has written last, and which came after all orders from before that."""

    def says(self, status: HostAssignmentStatus) -> None:
        """This is about to be written: whoever decides on it knows of no other unit than it names."""

    def forget_who_has_read(self) -> None:
        """The HostAssignment was made anew: whoever reads it knows nothing of what stood in the one before."""

    async def run(self) -> None:
        """Examine, secure, and look again whenever something may have changed; until cancelled."""


class Installer(Protocol):
    """Puts files in place. Each answers within its time, whatever hangs, and says why not by NotInstalled: then nothing has changed."""

    async def read(self, path: str) -> Edition:
        """What is in place."""

    async def put(self, path: str, edition: Edition) -> None:
        """It is in place, whole and on the disk, when this returns."""

    async def check(self, argv: Sequence[str], editions: Mapping[str, Edition]) -> str:
        """Let a program look, as root, at what would be with these editions at their paths, which nobody else sees. What it says against them,
        in a sentence; empty: they are right."""

    async def tell(self, resource: RenderedResource) -> None:
        """Make what runs read its files anew. Raises StartFailed: it runs on, as it was."""


class HostSystem(Protocol):
    """Everything on the host that an agent drives."""

    @property
    def detection(self) -> Detection:
        """How late is seen what happens there."""

    @property
    def files(self) -> Installer:
        """Who puts there what services bring."""

    @property
    def policy(self) -> HostPolicy:
        """What its admin allows services to bring."""

    async def open(self) -> None:
        """Import and connect what is heavy; before anything else here is called."""

    def driver(self, resource: RenderedResource) -> Driver:
        """Who drives this kind of resource."""

    async def look(self, resource: RenderedPrerequisite, salt: str) -> Observed:
        """What is seen of a prerequisite now. Answers within seconds, whatever hangs."""

    async def parts(self, resource: RenderedPrerequisite, asked: AskedParts, key: bytes) -> Parts:
        """What another host's copy of it is held against, part by part; digests by that key. Answers within seconds, whatever hangs."""

    async def probe(self, resource: RenderedResource, on_verdict: OnVerdict, *, starting: bool = False) -> None:
        """Run the resource's probes until cancelled. Good is what all of them have called good.

        `starting`: it is only coming up, so their initial delay is kept, and they are asked often.
        """

    async def signs(self, resource: RenderedResource) -> Signs:
        """Whether this host or what runs of the resource is under pressure, and what of it hangs. Answers soon, if with nothing."""

    async def leftovers(self, *, run_is_intact: bool) -> Sequence[RenderedResource]:
        """Whatever on this host is recognisable as started by an agent of ours, and may still run, or be started by anybody.

        `run_is_intact`: `/run` is as we left it, so what we have opened no gate for was started by somebody else, before
        it was made to wait for us. Else everything that looks like ours is ours. Raises StopFailed where it cannot be seen.
        """

    def standbys(self, on_change: Callable[[], None]) -> Standbys:
        """The keeper of readiness, who tells when a report has changed."""

    def obstacle(self) -> str:
        """Why nothing exclusive may run on this host (it may fall asleep…), in a sentence; empty if it may."""
