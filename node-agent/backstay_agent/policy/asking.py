"""The policy of a host as the agent asks it: before it takes an order, before it looks at a standby, before it starts anything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

from backstay_api.objects.plain import RenderedPrerequisite, RenderedResource

from .files import Policy, PolicyFiles


class NotTold(Exception):
    """The host does not say now what something is, so it is not known whether it is allowed. The text is a sentence for people."""


class InForce(Protocol):
    """What a policy says at one moment."""

    def refusal(self, namespace: str, resources: Iterable[RenderedResource | RenderedPrerequisite]) -> str:
        """As `HostPolicy.refusal`."""


class HostPolicy(InForce, Protocol):
    """What this host's admin allows services to bring. A refusal is a sentence; empty: it is allowed."""

    @property
    def in_force(self) -> InForce:
        """As it is now, looked at once for many questions: another object whenever it may say anything else."""

    @property
    def sentence(self) -> str:
        """What an admin should know of the policy as a whole."""

    @property
    def faults(self) -> Sequence[str]:
        """Why it cannot be used, so that nothing new is allowed: sentences."""

    def refusal(self, namespace: str, resources: Iterable[RenderedResource | RenderedPrerequisite]) -> str:
        """By the names that they have in their manifest."""

    async def refused(self, namespace: str, resources: Iterable[RenderedResource], *, is_known: bool = False) -> str:
        """The same, and of what the host itself says that they are. Raises NotTold where it does not say so now.

        `is_known`: they run here, and were allowed once: that a file is broken, or systemd silent, says nothing against them."""

    def score_refusal(self, namespace: str, command: Sequence[str]) -> str:
        """Of the program that says how fresh data is: it runs as root, and belongs to no resource."""

    def unit_refusal(self, unit: str) -> str:
        """Of a unit that is only to be kept from starting by itself, for whatever namespace."""


class NoPolicy:
    """Allows everything."""

    sentence = ""
    faults: Sequence[str] = ()

    @property
    def in_force(self) -> InForce:
        return self

    def refusal(self, namespace: str, resources: Iterable[RenderedResource | RenderedPrerequisite]) -> str:
        return ""

    async def refused(self, namespace: str, resources: Iterable[RenderedResource], *, is_known: bool = False) -> str:
        return ""

    def score_refusal(self, namespace: str, command: Sequence[str]) -> str:
        return ""

    def unit_refusal(self, unit: str) -> str:
        return ""


class RealPolicy:
    """`HostPolicy` of this very host."""

    def __init__(self, files: PolicyFiles, own_unit: Callable[[RenderedResource], Awaitable[str]]) -> None:
        """`own_unit`: what systemd calls the unit of a resource; empty where it has none. Raises NotTold."""
        self._files, self._own_unit = files, own_unit

    @property
    def in_force(self) -> InForce:
        return self._files.now()

    @property
    def sentence(self) -> str:
        return self._files.now().sentence

    @property
    def faults(self) -> Sequence[str]:
        return self._files.now().faults

    def refusal(self, namespace: str, resources: Iterable[RenderedResource | RenderedPrerequisite]) -> str:
        return self._files.now().refusal(namespace, resources)

    async def refused(self, namespace: str, resources: Iterable[RenderedResource], *, is_known: bool = False) -> str:
        policy, resources = self._files.now(), tuple(resources)
        if not policy.exists or (is_known and policy.faults):
            return ""
        return policy.refusal(namespace, resources) or await self._by_own_name(
            policy, namespace, resources, is_known=is_known
        )

    async def _by_own_name(
        self, policy: Policy, namespace: str, resources: Sequence[RenderedResource], *, is_known: bool
    ) -> str:
        """A name that is allowed may be another name of something else."""
        for resource in resources:
            try:
                unit = await self._own_unit(resource)
            except NotTold:
                if not is_known:
                    raise
                continue
            if unit and (why := policy.unit_refusal_for(namespace, unit)):
                return f"{resource.name}: systemd calls it {unit}, and the policy of this host refuses that: {why}"
        return ""

    def score_refusal(self, namespace: str, command: Sequence[str]) -> str:
        return self._files.now().score_refusal(namespace, command)

    def unit_refusal(self, unit: str) -> str:
        return self._files.now().unit_refusal(unit)
