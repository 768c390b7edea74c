"""Would everything have a host if one, or all of one rack, were lost? As it was found for all services together (`planner/losses.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from backstay_api.objects.models import HAInstance, HAService
from backstay_operator.planner.know.losses import Domain, spread_over
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import first_words, listed

from .conditions import Finding

LEFT_OVER: Final = "LeftOver"
_MOST_CHARS: Final = 1000


def left_over(world: World, service: HAService, instance: HAInstance | None, own: Finding) -> Finding:
    """The finding about a service by itself, unless it would be left over all the same: others count on the same room, or it on them."""
    if not own.is_true or instance is None:
        return own
    if world.losses is None:  # nobody has looked since this operator began: what was told before stands
        told = [one for one in service.status.conditions if (one.type, one.reason) == (own.type, LEFT_OVER)]
        return Finding(own.type, False, LEFT_OVER, told[0].message) if told else own
    found = [(domain, why) for domain, why in world.losses.left_of.get(instance.key, ()) if not domain.topology_key]
    return Finding(own.type, False, LEFT_OVER, _would_be_left(found)) if found else own


def survives_domains(world: World, service: HAService, instance: HAInstance | None) -> Finding | None:
    """The same of the values of a label that its `spread` or the operator's settings name; nothing: none is named, or nobody has looked yet."""
    keys = {*spread_over(service), *world.settings.topology_keys}
    if not keys or instance is None or world.losses is None:
        return None
    each = [loss.domain for loss in world.losses.each if loss.domain.topology_key in keys]
    found = [(domain, why) for domain, why in world.losses.left_of.get(instance.key, ()) if domain.topology_key in keys]
    if found:
        return Finding("SurvivesDomainLoss", False, LEFT_OVER, _would_be_left(found))
    said = f"Whichever is lost of {listed([one.name for one in each])}, it would have a host"
    return Finding("SurvivesDomainLoss", True, "EveryDomain", said) if each else None


def _would_be_left(found: Sequence[tuple[Domain, str]]) -> str:
    """With whose loss, and why in the first case."""
    (first, why), *more = found
    also = f"; the same if {listed([domain.name for domain, _ in more])} were" if more else ""
    return f"Should {first.name} be lost, it would be left over: {first_words(why, _MOST_CHARS)}{also}"
