"""What judges say of a host to which a service is a stranger: it neither holds it nor was asked about it, nor has it said anything of it.

Of a thousand services nearly every host knows nearly none, and of those that say the same about where they may run, judges say the same
there: once a plan for all of them. To have a judge's word shared, give it a row that says what else it reads of the question.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Set
from dataclasses import replace
from typing import Final

from .agents import asked_of_agents, is_understood
from .judges import has_room, has_session, is_open, is_reachable, is_ready, is_selected, is_tolerated, may_answer
from .questions import Question, held_by_nobody
from .scores import already_asked, fewer_services, fewest_taints, readiness


def acquainted(ask: Question) -> Set[str]:
    """Hosts that are none: whose word about this service may be another one than about the next."""
    if ask.instance is None:
        return frozenset()
    asked: Set[str] = ask.world.asked_on.get(ask.instance.uid, frozenset())
    return {ask.holder, *asked} if ask.holder else asked


def as_a_stranger(ask: Question) -> Question:
    """The same question about an instance that no host knows."""
    instance = ask.instance
    if instance is None:
        return ask
    nobody = held_by_nobody(instance)
    unknown = nobody.model_copy(update={"metadata": nobody.metadata.model_copy(update={"uid": ""})})
    return replace(ask, instance=unknown, noted={})


def what_they_read(ask: Question, judges: Iterable[Callable[..., object]]) -> Hashable | None:
    """All that these judges read of a question about a stranger; None: one of them reads more than stands here."""
    if ask.planned or any(judge not in READS for judge in judges):
        return None
    return tuple([READS[judge](ask) for judge in judges])


def _nothing(ask: Question) -> Hashable:
    return None


def _whether_it_is_there(ask: Question) -> Hashable:
    return ask.instance is None


def _selector(ask: Question) -> Hashable:
    hosts = ask.service.spec.placement.hosts
    return hosts.model_dump_json() if hosts is not None else None


def _tolerations(ask: Question) -> Hashable:
    return tuple([one.model_dump_json() for one in ask.service.spec.placement.tolerations or ()])


def _where_it_ran(ask: Question) -> Hashable:
    return ask.ran_on


# What is on its way to hosts (`planned`) all services of a question have in common: there is none.
READS: Final[Mapping[Callable[..., object], Callable[[Question], Hashable]]] = {
    is_selected: _selector,
    is_open: _nothing,
    is_tolerated: _tolerations,
    is_understood: asked_of_agents,
    is_reachable: _nothing,
    may_answer: _nothing,
    has_room: _whether_it_is_there,
    has_session: _nothing,
    is_ready: _where_it_ran,
    fewest_taints: _tolerations,
    already_asked: _nothing,
    fewer_services: _nothing,
    readiness: _where_it_ran,
}
