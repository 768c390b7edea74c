"""What would come of the loss of hosts: worked out beside the plans (`planner/losses.py`), told by those that are made after it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from backstay_api.objects.models import HAService


@dataclass(frozen=True)
class Domain:
    """Hosts that are lost together."""

    name: str
    """As people name them: `n1`, or `rack=a`."""
    hosts: tuple[str, ...]
    topology_key: str = ""
    """The label whose value they share; empty: it is one host by itself."""


@dataclass(frozen=True)
class HostLoss:
    """What would come of the loss of some hosts together."""

    domain: Domain
    held: tuple[str, ...]
    """Keys of the HAInstances that they hold."""
    left: tuple[tuple[str, str], ...]
    """Key of an HAInstance that runs now, wherever, and then would not; and why."""


@dataclass(frozen=True)
class Losses:
    """Of each host, and of each value of the topology keys that were asked for."""

    each: tuple[HostLoss, ...]

    @cached_property
    def left_of(self) -> Mapping[str, tuple[tuple[Domain, str], ...]]:
        """By key of an HAInstance: with whose loss it would be left over, and why."""
        found: defaultdict[str, list[tuple[Domain, str]]] = defaultdict(list)
        for loss in self.each:
            for key, why in loss.left:
                found[key].append((loss.domain, why))
        return {key: tuple(those) for key, those in found.items()}


def spread_over(service: HAService) -> tuple[str, ...]:
    """The topology keys over which a service spreads its copies."""
    return tuple(rule.topology_key for rule in service.spec.placement.spread or ())
