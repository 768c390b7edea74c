"""What the admin of a host in memory allows, as a fake for tests and the simulator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from backstay_api.objects.plain import RenderedPrerequisite, RenderedResource, Systemd
from backstay_api.objects.resource_kinds import identity

from .policy.asking import NotTold


class Refusing(Protocol):
    """What tests change of a FakeMachine."""

    broken_policy: str
    unnamed: int
    refused: dict[str, str]


def bare_unit(unit: str) -> RenderedResource:
    """A unit of which nothing is known but its name."""
    return RenderedResource(name="server", systemd=Systemd(unit=unit))


class FakePolicy:
    """What a FakeMachine's admin allows: `policy.asking.HostPolicy`, as a fake."""

    def __init__(self, machine: Refusing) -> None:
        self.machine = machine

    @property
    def in_force(self) -> FakePolicy:
        """Another each time: a test may have changed what is refused."""
        return FakePolicy(self.machine)

    @property
    def sentence(self) -> str:
        return self.machine.broken_policy

    @property
    def faults(self) -> Sequence[str]:
        return [self.machine.broken_policy] if self.machine.broken_policy else []

    def refusal(self, namespace: str, resources: Iterable[RenderedResource | RenderedPrerequisite]) -> str:
        return self.machine.broken_policy or self._of(resources)

    async def refused(self, namespace: str, resources: Iterable[RenderedResource], *, is_known: bool = False) -> str:
        if self.machine.unnamed and not is_known:
            self.machine.unnamed -= 1
            raise NotTold("systemd does not say what it calls the unit")
        return self._of(resources) if is_known else self.refusal(namespace, resources)

    def score_refusal(self, namespace: str, command: Sequence[str]) -> str:
        return self.machine.refused.get(f"score {command[0]}", "")

    def unit_refusal(self, unit: str) -> str:
        return self.refusal("", [bare_unit(unit)])

    def _of(self, resources: Iterable[RenderedResource | RenderedPrerequisite]) -> str:
        whys = ((one.name, self.machine.refused.get(identity(one))) for one in resources)
        return next((f"{name}: {why}" for name, why in whys if why), "")
