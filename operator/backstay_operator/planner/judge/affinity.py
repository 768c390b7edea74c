"""Services that a service must be with, or away from: its own rules, and those of others that mind as well.

A rule is asked of what runs, and of what is on its way: by a grant of the same plan, or stopped elsewhere in order to come here. Where two
mind each other and run against the rule, one of them moves, and `comes_first` says which stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from backstay_api.objects.models import HAService
from backstay_api.objects.models.placement import Affinity
from backstay_operator.planner.know.affinity import comes_first, is_mutual, named, names, rules_of, wants_near
from backstay_operator.planner.know.parts import role_of
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import listed

from .acceptance import refused_alone
from .host_facts import HostFacts, Rejected
from .questions import Question


@dataclass(frozen=True)
class Tie:
    """One rule as it concerns the service that looks for a host."""

    rule: Affinity
    is_together: bool
    others: tuple[HAService, ...]
    """Apart: one. Together: near one of these will do."""
    title: str
    """How the others are told."""
    binds: bool
    """It is this service that follows or leaves, not the others."""
    is_awaited: bool = False
    """Where the others run nowhere, it waits for them."""
    promoted_alone: bool = False
    """Of the others only the copy counts that is promoted."""


def is_apart(ask: Question, facts: HostFacts) -> Rejected | None:
    """Nothing is on the host, or near it, that it must be apart from, nor on its way there."""
    is_here = facts.name == ask.holder
    for tie in _required(ask):
        if tie.is_together or (is_here and not tie.binds):
            continue
        if near := _near(ask, tie, _hosts_of(ask, tie, is_settled=is_here), facts):
            where = "" if near == facts.name else f" on {near}, with the same {tie.rule.topology_key}"
            has = "what it must be apart from"
            many = f"have {has} ({_kept_away_by(ask)})"
            return Rejected("Apart", f"has {has}", many, f"{tie.title}{where}", is_between_services=True)
    return None


def _kept_away_by(ask: Question) -> str:
    """All that keep it from some host, to be named where several hosts are told together."""
    ties = (tie for tie in _required(ask) if not tie.is_together and _hosts_of(ask, tie, is_settled=False))
    return ask.once("kept away by", lambda: listed(sorted({tie.title for tie in ties})))


def is_together(ask: Question, facts: HostFacts) -> Rejected | None:
    """What it must be together with is on the host, or near it, or on its way there."""
    return _together(ask, facts)


def could_be_together(ask: Question, facts: HostFacts) -> Rejected | None:
    """The same, if its host were lost now: what it runs with there is lost as well, and goes on elsewhere."""
    return _together(ask, facts, lost=ask.holder)


def _together(ask: Question, facts: HostFacts, lost: str = "") -> Rejected | None:
    for tie in _required(ask):
        if not tie.is_together or not tie.binds:
            continue
        hosts = _hosts_of(ask, tie, is_settled=True) - {lost}
        if _near(ask, tie, hosts, facts) or (not hosts and (lost or facts.name == ask.holder or not tie.is_awaited)):
            continue
        where = f"is on {listed(sorted(hosts))}" if hosts else "runs nowhere"
        lacks = "what it must run together with"
        many = f"lack {lacks}{_bound_to(ask)}"
        return Rejected("Together", f"lacks {lacks}", many, f"{tie.title} {where}", is_between_services=True)
    return None


def _bound_to(ask: Question) -> str:
    """All that it must be near, where that is more than one: to be named where several hosts are told together."""
    titles = sorted({tie.title for tie in _required(ask) if tie.is_together and tie.binds})
    return f" ({listed(titles)})" if len(titles) > 1 else ""


def follows(ask: Question) -> frozenset[str]:
    """UIDs of the services that it must run together with, and that go where they like."""
    ties = (tie for tie in _required(ask) if tie.is_together and tie.binds)
    return frozenset(other.uid for tie in ties for other in tie.others)


def tied_to(ask: Question) -> frozenset[str]:
    """UIDs of the services with which it must run together, or from which it must be apart."""
    return frozenset(other.uid for tie in _required(ask) for other in tie.others)


def broken(ask: Question, facts: HostFacts) -> list[str]:
    """Of all rules that must hold, those that would not hold here: the others by name. What follows it elsewhere would have to move."""
    ties = ((tie, _hosts_of(ask, tie, is_settled=tie.is_together)) for tie in _required(ask))
    return [tie.title for tie, hosts in ties if hosts and bool(_near(ask, tie, hosts, facts)) != tie.is_together]


def weight(ask: Question, facts: HostFacts) -> int:
    """What the rules that need not hold say of this host: their weights, for it or against it."""
    points = 0
    for tie in _ties(ask):
        is_settled = tie.is_together or facts.name == ask.holder
        if tie.rule.weight and _near(ask, tie, _hosts_of(ask, tie, is_settled=is_settled), facts):
            points += tie.rule.weight if tie.is_together else -tie.rule.weight
    return points


# --- where the others are --------------------------------------------------------------------------------------------


def _hosts_of(ask: Question, tie: Tie, *, is_settled: bool) -> frozenset[str]:
    """Hosts that have one of the others or will have it; settled: without those that it is leaving."""
    return frozenset(
        host
        for other in tie.others
        for holder, bound in _places(ask, other, promoted_alone=tie.promoted_alone)
        for host in ((bound or holder,) if is_settled else (holder, bound))
        if host
    )


def _places(ask: Question, other: HAService, *, promoted_alone: bool) -> Sequence[tuple[str, str]]:
    """Of each of its instances that counts: who holds it, and the host that it is on its way to, if it is."""
    there = ((key, ask.world.instances[key]) for key in sorted(ask.world.instances_of.get(other.uid, ())))
    return ask.once(
        f"places of {other.uid}{' promoted' if promoted_alone else ''}",
        lambda: [(one.holder, _bound(ask, key)) for key, one in there if one.is_promoted or not promoted_alone],
    )


def _bound(ask: Question, key: str) -> str:
    return next((host for host, keys in ask.planned.items() if key in keys), "")


def _near(ask: Question, tie: Tie, hosts: Iterable[str], facts: HostFacts) -> str:
    """The first of these hosts that counts as this one; empty: none does."""
    return next((host for host in sorted(hosts) if _is_near(ask.world, tie.rule.topology_key, host, facts)), "")


def _is_near(world: World, key: str | None, host: str, facts: HostFacts) -> bool:
    if host == facts.name or key is None or host not in world.hosts:
        return host == facts.name
    value = (facts.host.metadata.labels or {}).get(key)
    return value is not None and value == (world.hosts[host].metadata.labels or {}).get(key)


# --- whose rules -----------------------------------------------------------------------------------------------------


def _required(ask: Question) -> Iterator[Tie]:
    return (tie for tie in _ties(ask) if tie.rule.required)


def has_ties(ask: Question) -> bool:
    """Whether any rule about other services concerns it."""
    return bool(_ties(ask))


def _ties(ask: Question) -> tuple[Tie, ...]:
    world, service = ask.world, ask.service
    if not world.ruled and not (service.spec.placement.together or service.spec.placement.apart):
        return ()
    return ask.once(
        "ties", lambda: world.once("ties", (service,), lambda: (*_own(world, service), *_mirrored(world, service)))
    )


def _own(world: World, service: HAService) -> Iterator[Tie]:
    for path, rule in rules_of(service):
        others, mutual = named(world, service, rule), is_mutual(path, rule)
        if wants_near(path):
            yield from _near_ties(service, rule, others, mutual)
        else:
            for one in others:
                binds = not mutual or comes_first(one, service)
                yield Tie(rule, False, (one,), _title(rule, one.key), binds, promoted_alone=rule.is_promoted)


def _near_ties(service: HAService, rule: Affinity, others: tuple[HAService, ...], mutual: bool) -> Iterator[Tie]:
    """Those that it follows, and those that follow it."""
    title = _title(rule, listed([one.key for one in others]) or rule.service or "any that its selector selects")
    leaders, alone = tuple(one for one in others if not mutual or comes_first(one, service)), rule.is_promoted
    if leaders or not mutual:
        yield Tie(rule, True, leaders, title, True, is_awaited=not mutual, promoted_alone=alone)
    if followers := tuple(one for one in others if one not in leaders):
        told = _title(rule, listed([one.key for one in followers]))
        yield Tie(rule, True, followers, told, False, promoted_alone=alone)


def _title(rule: Affinity, names: str) -> str:
    return f"the promoted copy of {names}" if rule.is_promoted else names


def _mirrored(world: World, service: HAService) -> Iterator[Tie]:
    """Rules of others that mind as well: who has been refused, or is being deleted, asks nothing of anybody."""
    for key in sorted(world.ruled - {service.key}):
        owner = world.services[key]
        for path, rule in rules_of(owner):
            is_about_it = names(owner, rule, service) and (not rule.is_promoted or role_of(service) == "Promoted")
            if not is_mutual(path, rule) or not is_about_it:
                continue
            if owner.metadata.deletion_timestamp is None and refused_alone(world, owner) is None:
                yield Tie(rule, wants_near(path), (owner,), owner.key, comes_first(owner, service))
