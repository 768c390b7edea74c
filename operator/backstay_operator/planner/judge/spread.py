"""Copies of one service over the values of a label, as even as `placement.spread` asks: Kubernetes' topologySpreadConstraints.

A domain is a value that any host has which the service selects and which is to stay, be it on or not. A copy counts where it is held, or
where it is on its way to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backstay_api.objects.models.placement import Spread
from backstay_operator.planner.know.selection import declared

from .host_facts import HostFacts, Rejected
from .questions import Question


@dataclass(frozen=True)
class Domains:
    """One rule, and how many of the other copies there are in each domain."""

    path: str
    """The rule's place in the manifest: `spec.placement.spread[0]`."""
    rule: Spread
    copies: Mapping[str, int]
    """By value of the label."""

    def excess(self, value: str | None) -> int:
        """By how many copies too many this domain would have if one more came; without the label, more than any that has it."""
        if value is None:
            return 1 + sum(self.copies.values())
        return max(0, self.copies.get(value, 0) + 1 - min(self.copies.values(), default=0) - self.rule.max_skew)


def is_spread(ask: Question, facts: HostFacts) -> Rejected | None:
    """One more copy on this host leaves no domain with more above another than its rule's maxSkew."""
    for domains in _domains(ask):
        value = _value(facts, domains.rule)
        if domains.rule.is_required and domains.excess(value):
            return _rejected(domains, value)
    return None


def excess(ask: Question, facts: HostFacts) -> int:
    """By how many copies too many the domains of this host would have, by all rules together."""
    return sum(domains.excess(_value(facts, domains.rule)) for domains in _domains(ask))


def _rejected(domains: Domains, value: str | None) -> Rejected:
    key, path = domains.rule.topology_key, domains.path
    if value is None:
        lacks = f"no label {key}"
        return Rejected("Spread", f"has {lacks}", f"have {lacks}", f"{path} spreads its copies over that")
    fewest = min(domains.copies, key=lambda one: (domains.copies[one], one))
    said = f"{domains.copies.get(value, 0) + 1} with {key}={value}, {domains.copies[fewest]} with {key}={fewest}"
    says = "would have too many of its copies"
    return Rejected("Spread", says, f"{says} by {key}", f"{said}, and {path}.maxSkew is {domains.rule.max_skew}")


def _value(facts: HostFacts, rule: Spread) -> str | None:
    return (facts.host.metadata.labels or {}).get(rule.topology_key)


def _domains(ask: Question) -> Sequence[Domains]:
    rules = ask.service.spec.placement.spread
    return ask.once("domains", lambda: [_counted(ask, *one) for one in enumerate(rules)]) if rules else ()


def _counted(ask: Question, number: int, rule: Spread) -> Domains:
    hosts, key = ask.world.hosts, rule.topology_key
    labels = {name: (host.metadata.labels or {}).get(key) for name, host in hosts.items()}
    copies = {value: 0 for name in declared(ask.world, ask.service) if (value := labels[name]) is not None}
    for host in _others(ask):
        if (value := labels.get(host)) in copies:
            copies[value] += 1
    return Domains(f"spec.placement.spread[{number}]", rule, copies)


def _others(ask: Question) -> list[str]:
    """The host of each other copy: where it is on its way to, else where it is held."""
    keys = ask.world.instances_of.get(ask.service.uid, set()) - {ask.instance.key if ask.instance else ""}
    bound = {key: host for host, coming in ask.planned.items() for key in keys.intersection(coming)}
    return [bound.get(key) or ask.world.instances[key].holder for key in keys]
