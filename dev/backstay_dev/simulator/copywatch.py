"""The judge of services of several copies: two of one instance never run where it is exclusive, and no host is told to run two copies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field

from backstay_api.memory.server import Change
from backstay_api.objects.kinds import Raw
from backstay_api.objects.names import promoted_name


def judged_as(service: str, instance: str) -> str:
    """Under which name the monitor keeps what an HAInstance runs: the promoted role is a thing by itself, of which there is one."""
    return instance if instance == promoted_name(service) else service


@dataclass
class CopyWatch:
    """Knows which instance each host was told to run."""

    accuse: Callable[[str], None]
    many: Callable[[str], bool]
    """Whether a service may have several copies."""
    told: dict[tuple[str, str], str] = field(default_factory=dict)
    """By service and host: the HAInstance that it was told last to run there."""
    runs: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By HAInstance: where it runs."""

    def note_assignment(self, change: Change) -> None:
        """What a host is told now."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        host, status = change.key[1], change.body.get("status") or {}
        said, session = status.get("instances") or {}, status.get("session") or {}
        for uid, order in ((change.body.get("spec") or {}).get("instances") or {}).items():
            if order["want"] == "Up" and _is_of(order["session"], session) and not _is_over(order, said.get(uid)):
                found[judged_as(order["service"], order["name"])].add(order["name"])
        for service, names in found.items():
            self.told[service, host] = min(names)
            if len(names) > 1 and self.many(service):
                self.accuse(f"{host} is told to run {' and '.join(sorted(names))} at once")

    def places(self, service: str, name: str, active: Mapping[str, Mapping[str, set[str]]]) -> Mapping[str, set[str]]:
        """Where this copy runs, and what of it."""
        there = active.get(service, {})
        return {host: what for host, what in there.items() if not self.many(service) or host in self.runs[name]}

    def note(self, service: str, host: str, places: Mapping[str, Set[str]], *, is_exclusive: bool) -> None:
        """Something of the service has started or stopped on this host."""
        if not self.many(service):
            return
        if host not in places:
            for hosts in self.runs.values():
                hosts.discard(host)
        elif name := self.told.get((service, host)):
            self.runs[name].add(host)
            if is_exclusive and len(self.runs[name]) > 1:
                self.accuse(f"TWO ACTIVE COPIES of {name}: on {' and '.join(sorted(self.runs[name]))}")


def _is_of(one: Raw, other: Raw) -> bool:
    return (one["bootID"], one["nonce"]) == (other.get("bootID"), other.get("nonce"))


def _is_over(order: Raw, report: Raw | None) -> bool:
    return report is not None and (report["epoch"] > order["epoch"] or bool(report.get("released")))
