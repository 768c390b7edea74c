"""What an edit of a service's resources does to what runs. Decided here alone: agents do it, `backstay diff` tells it.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from .resource_kinds import is_address, kinds_in
from .sequence import needs

Effect = Literal["Restart", "Start", "Stop", "Apply", "None"]
Reloadable = Mapping[str, Collection[str]]
"""By resource, the parameters that its agent can reload, as the host says that runs it. Of what is not in it nobody has said anything."""

SENTENCES: Final[dict[Effect, str]] = {
    "Restart": "it is stopped and started again where it runs",
    "Start": "it is started",
    "Stop": "it is stopped",
    "Apply": "it is brought to what runs; nothing is restarted",
    "None": "it counts at once; nothing is restarted",
}


class Edit(NamedTuple):
    """What becomes of one resource."""

    resource: str
    effect: Effect
    why: str


def same_work(one: Sequence[Any], other: Sequence[Any], reloadable: Reloadable | None = None) -> bool:
    """Whether resources are the same but for what needs no restart: probes, time limits, and what their kinds name."""
    known = reloadable or {}
    return [_work(each, known) for each in one] == [_work(each, known) for each in other]


def may_be_same_work(one: Sequence[Any], other: Sequence[Any], reloadable: Reloadable) -> bool:
    """The same, if the agents of which nothing is known can reload everything."""
    everything: dict[str, Collection[str]] = {}
    for resource in (*one, *other):
        everything[resource.name] = {*everything.get(resource.name, ()), *_parameters(resource)}
    return same_work(one, other, {**everything, **reloadable})


def same_watch(one: Any, other: Any) -> bool:
    """Whether a watch of the one tells of the other what is to be told."""
    return same_work([one], [other]) and _watched(one) == _watched(other)


def same_stop(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether whoever remembers the ones stops the others as they are to be stopped."""
    return same_work(one, other) and list(map(_for_a_stop, one)) == list(map(_for_a_stop, other))


def restarted(
    before: Sequence[Any], wanted: Sequence[Any], reloadable: Reloadable | None = None, *, also: Collection[str] = ()
) -> frozenset[str]:
    """The names of all that is stopped, started, or both: what is gone, new or other work, and `also` what is down, say; and what stands
    on one of these, as it was or as it is wanted.

    Addresses stay up, unless they are themselves among those: to clients a server that dies and comes back under its address is a very
    quick restart, and nothing more.
    """
    names = [{one.name for one in resources} for resources in (before, wanted)]
    found = {*also, *names[0] ^ names[1], *_other_work(before, wanted, reloadable or {})}
    stays = {one.name for one in (*before, *wanted) if is_address(one)}
    while more := {
        one.name
        for resources in (before, wanted)
        for one, under in zip(resources, needs(resources), strict=True)
        if one.name not in found | stays and any(resources[at].name in found for at in under)
    }:
        found |= more
    return frozenset(found & (names[0] | names[1]))


def _other_work(before: Sequence[Any], wanted: Sequence[Any], reloadable: Reloadable) -> set[str]:
    old = {one.name: one for one in before}
    return {one.name for one in wanted if one.name in old and not same_work([old[one.name]], [one], reloadable)}


def is_applied(before: Any, wanted: Any) -> bool:
    """Whether there is something that a driver has to bring to what runs; the work of both is the same."""
    return _live(before) != _live(wanted)


def edits(before: Sequence[Any], wanted: Sequence[Any], reloadable: Reloadable) -> Iterator[Edit]:
    """Every resource that is another, or is restarted, in the order of the manifest; what is gone comes last."""
    old, new = {one.name: one for one in before}, {one.name: one for one in wanted}
    stay = [name for name in old if name in new], [name for name in new if name in old]
    names = restarted(before, wanted, reloadable)
    for name, resource in new.items():
        if name not in old:
            yield Edit(name, "Start", "it is new")
        elif (found := _edit(old[name], resource, reloadable)) and (found.effect == "Restart" or name not in names):
            yield found
        elif name in names:
            yield Edit(name, "Restart", "it stands on what is stopped or started")
    for name in old:
        if name not in new:
            yield Edit(name, "Stop", "it is gone")
    if stay[0] != stay[1]:
        yield Edit(", ".join(stay[1]), "None", "they stand in another order")


def _edit(before: Any, wanted: Any, reloadable: Reloadable) -> Edit | None:
    if not same_work([before], [wanted], reloadable):
        is_open = may_be_same_work([before], [wanted], reloadable)
        unless = ", unless its agent can reload that: no host has said so yet" if is_open else ""
        return Edit(wanted.name, "Restart", f"what a start carries out is another{unless}")
    if _parameters(before) != _parameters(wanted):
        return Edit(wanted.name, "Apply", "its agent reloads that; should that fail, it is restarted")
    if is_applied(before, wanted):
        return Edit(wanted.name, "Apply", "its kind can be changed while it runs")
    return Edit(wanted.name, "None", "no start depends on it") if before != wanted else None


def _work(resource: Any, reloadable: Reloadable) -> tuple[object, ...]:
    live = reloadable.get(resource.name, ())
    lasting = {name: value for name, value in _parameters(resource).items() if name not in live}
    return resource.name, *((kind.field, kind.work(spec)) for kind, spec in kinds_in([resource])), lasting


def _parameters(resource: Any) -> Mapping[str, str]:
    return next((kind.parameters(spec) for kind, spec in kinds_in([resource])), {})


def _watched(resource: Any) -> tuple[object, ...]:
    return resource.timeouts.check, *(kind.watched(spec) for kind, spec in kinds_in([resource]))


def _for_a_stop(resource: Any) -> list[object]:
    return [kind.for_a_stop(spec) for kind, spec in kinds_in([resource])]


def _live(resource: Any) -> tuple[object, ...]:
    reloaded_at = getattr(resource, "reloaded_at", None)
    return reloaded_at, *((kind.live(spec), kind.parameters(spec)) for kind, spec in kinds_in([resource]))
