"""Who has been started anew time and again stays where it is: what one service does may make another leave, and that the first, on and on.

Such a circle may go through many services, and comes and goes with labels, so that nobody looks for it: grants are counted, whatever they
were made for, be it to the same host. Only rules between services and preferences are held up by it, never a person's word, a drain or a
failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from backstay_api.objects.durations import between_s, later
from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.instance import GrantRecord
from backstay_operator.planner.know.clearing import is_forgotten
from backstay_operator.planner.know.world import Failed, World

MOST_STARTS: Final = 4
"""After the first: an HAInstance remembers five grants."""
PERIOD_S: Final = 3600.0
SKEW_S: Final = 60.0
"""The clocks of two operators differ by less, or one of them is wrong."""


class Rests(NamedTuple):
    """It stays."""

    why: str
    until_s: float
    """On the clock of `World.now_s`."""


def rests(world: World, service: HAService, instance: HAInstance) -> Rests | None:
    """Whether rules and preferences leave it where it is for now."""
    anew = _lately(world, instance)
    if not anew or any(_is_cleared(service, instance, one) for one in anew):
        return None
    name, last = service.metadata.name, anew[-1]
    until = later(last.at, PERIOD_S)
    why = (
        f"it has been started anew {MOST_STARTS} times within an hour, and stays until {until}: rules or preferences of services may"
        f" contradict each other (`backstay explain {name} --last`); `backstay clear {name} --reason WHY` lets it go on at once"
    )
    return Rests(why, world.now_s + PERIOD_S - _ago_s(world, last))


def is_let_go(world: World, service: HAService, instance: HAInstance) -> bool:
    """Whether nothing but a person's clear lets it go on."""
    return any(_is_cleared(service, instance, one) for one in _lately(world, instance))


def _lately(world: World, instance: HAInstance) -> Sequence[GrantRecord]:
    """The grants by which it has been started anew so often within the time, the last first; empty: it has not."""
    anew = (instance.spec.grants or [])[:MOST_STARTS]
    is_often = len(anew) == MOST_STARTS and instance.spec.epoch > MOST_STARTS
    return anew if is_often and all(-SKEW_S <= _ago_s(world, one) < PERIOD_S for one in anew) else ()


def _is_cleared(service: HAService, instance: HAInstance, grant: GrantRecord) -> bool:
    return is_forgotten(service, Failed(instance.metadata.name, grant.host, grant.epoch))


def _ago_s(world: World, grant: GrantRecord) -> float:
    """By the clocks of operators: it is a matter of comfort alone. What a hand has written there that is no time was long ago."""
    try:
        return between_s(grant.at, world.wall)
    except ValueError:
        return PERIOD_S
