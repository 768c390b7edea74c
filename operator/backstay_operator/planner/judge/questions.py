"""What the judges of hosts are asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TypeVar

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.names import instance_name
from backstay_operator.planner.know.world import World

T = TypeVar("T")


class Point(Enum):
    """What the judges are asked about a host."""

    START = "may it start there?"
    RETRY = "may it be tried there again, though a start has failed there?"
    STAY = "may what runs well stay there?"
    FIRST_EPOCH = "before the first epoch: does the host have to say that nothing of it runs there?"
    STANDBY = "may the host be asked to keep itself ready?"
    TAKE_OVER = "could it take over? Being late lasts for a moment, and is nothing to write a status about."


Planned = Mapping[str, Collection[str]]


@dataclass(frozen=True)
class Room:
    """The host on which something leaves room for others, and for whom."""

    host: str
    why: str


@dataclass(frozen=True)
class Question:
    """One service, looking for a host."""

    world: World
    service: HAService
    instance: HAInstance | None
    to: str | None = None
    """The only host that a person wants."""
    away_from: frozenset[str] = frozenset()
    """Hosts that it shall leave."""
    planned: Planned = field(default_factory=dict)
    """Keys of HAInstances on their way to each host: given by this same plan, or stopped elsewhere in order to go there."""
    announced: str = ""
    """The host for which it was stopped where it ran."""
    ran_on: str = ""
    """The host where it was stopped for another service, in order to start there again: it ran this very manifest, and need not be asked."""
    room: Room | None = None
    """Where it leaves room for those that wait with it."""
    retry: bool = False
    """No host is without a failed start: one where the last is long enough ago will do."""
    leaving: frozenset[str] = frozenset()
    """Keys of HAInstances that take no room on any host: as if they were stopped for this service."""
    noted: dict[str, object] = field(default_factory=dict, compare=False, repr=False)
    """What judges have worked out for all hosts at once. It is the same for the same question."""

    def once(self, topic: str, make: Callable[[], T]) -> T:
        """What `make` says, worked out for the first host that asks."""
        if topic not in self.noted:
            self.noted[topic] = make()
        return self.noted[topic]  # type: ignore[return-value]

    @cached_property
    def holder(self) -> str:
        return self.instance.holder if self.instance else ""

    @cached_property
    def slot(self) -> str:
        """Of an instance that is not there yet: the first, the only one of a Single service; nothing has failed in it."""
        return self.instance.metadata.name if self.instance else instance_name(self.service.metadata.name)


def held_by_nobody(instance: HAInstance) -> HAInstance:
    """The instance without its holder. Not validated: it is no state that could be stored, only the question "where, then?"."""
    return instance.model_copy(update={"spec": instance.spec.model_copy(update={"grant": None})})
