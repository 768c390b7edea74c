"""What is said of a service of which there are several copies: each condition is that of the copy that is least well, and how many work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeVar

from backstay_api.objects.models import HAService
from backstay_api.objects.models.service import InstanceSummary, StandbySummary
from backstay_operator.planner.do.decisions import Decision
from backstay_operator.planner.judge.acceptance import Refused
from backstay_operator.planner.judge.move_budget import moves_told
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import listed

from .conditions import Finding
from .failovers import failovers_told
from .recovery import last_clear, start_failures

MOST_TOLD: Final = 128
"""Instances that a status has room for."""
MOST_STANDBYS: Final = 32
MOST_FAILURES: Final = 256
MOST_MOVES: Final = 1000
_ABOUT_THE_PROMOTED: Final = ("StandbyReady", "SurvivesHostLoss", "SurvivesDomainLoss")
_BAD_IF_TRUE: Final = ("Progressing", "Degraded", "UnitsHeld")
_MOST_SENTENCES: Final = 3


@dataclass(frozen=True)
class Copy:
    """One of them."""

    name: str
    is_well: bool
    host: str
    findings: Sequence[Finding]
    is_promoted: bool = False
    """It is the promoted role, and no copy by itself."""


class _MayBePromoted(Protocol):
    @property
    def is_promoted(self) -> bool: ...


_One = TypeVar("_One", bound=_MayBePromoted)


def what_counts(slots: Sequence[_One]) -> Sequence[_One]:
    """Of what the loss of a host is an outage: where one is promoted, that; a copy less is not missed."""
    return [one for one in slots if one.is_promoted] or slots


def findings(copies: Sequence[Copy]) -> list[Finding]:
    """The conditions of the service. The copies come in their order, that which is least well first."""
    if len(copies) == 1:
        return list(copies[0].findings)
    types = dict.fromkeys(one.type for copy in copies for one in copy.findings)
    return [_folded(type_, copies) for type_ in types]


def _folded(type_: str, copies: Sequence[Copy]) -> Finding:
    about = what_counts(copies) if type_ in _ABOUT_THE_PROMOTED else copies
    found = [(copy.name, one) for copy in about for one in copy.findings if one.type == type_]
    name, worst = next(((name, one) for name, one in found if _is_bad(one)), found[0])
    said = _one_after_the_other([one.message for _, one in found])
    if _is_bad(worst) and any(not _is_bad(one) or one.message != worst.message for _, one in found):
        said = f"{name}: {worst.message}"
    return replace(worst, message=said if type_ != "Ready" else _copies_that_work(copies, said))


def _copies_that_work(copies: Sequence[Copy], said: str) -> str:
    plain = [copy for copy in copies if not copy.is_promoted]
    well, promoted = [copy.host for copy in plain if copy.is_well], _promoted(copies)
    if all(copy.is_well for copy in copies):
        if len(plain) == 1:
            return f"Its only copy works, on {well[0]}{promoted}"
        return f"All {len(plain)} copies work, on {listed(sorted(well))}{promoted}"
    return f"{len(well)} of {len(plain)} copies work{promoted}; {said}"


def _promoted(copies: Sequence[Copy]) -> str:
    role = next((copy for copy in copies if copy.is_promoted), None)
    if role is None:
        return ""
    return f"; that on {role.host} is promoted" if role.is_well else "; none is promoted"


def _is_bad(finding: Finding) -> bool:
    return finding.is_true is (finding.type in _BAD_IF_TRUE) or finding.is_true is None


def _one_after_the_other(messages: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(messages))
    more = f"; and {len(distinct) - _MOST_SENTENCES} more" if len(distinct) > _MOST_SENTENCES else ""
    return f"{'; '.join(distinct[:_MOST_SENTENCES])}{more}"


def of_none(world: World, decision: Decision) -> list[Finding]:
    """Of a service that has no copy, and is to have none now: its manifest is refused, or its mode is EveryHost and no host is selected."""
    acceptance, state = decision.acceptance, decision.service.spec.state
    if isinstance(acceptance, Refused):
        accepted = Finding("Accepted", False, acceptance.reason, acceptance.message)
        ready = Finding("Ready", False, acceptance.reason, acceptance.message)
    else:
        accepted = Finding("Accepted", True, "Accepted", "Everything it asks for can be done")
        why = "No host is selected by placement.hosts" if world.hosts else "There are no hosts"
        ready = Finding("Ready", False, "NoHost", why if state == "Running" else "It runs on no host")
    degraded = Finding("Degraded", False, "AsWanted", "No problem was found")
    if isinstance(acceptance, Refused):
        degraded = Finding("Degraded", True, "Waiting", acceptance.message)
    return [accepted, ready, Finding("Progressing", False, "Waiting", "No change is in progress"), degraded]


def standbys_of_copies(of_copies: Sequence[Sequence[StandbySummary]]) -> list[StandbySummary]:
    """Each host once: ready, if it is for every copy that it could take over."""
    if len(of_copies) == 1:
        return list(of_copies[0])
    found: dict[str, StandbySummary] = {}
    for one in (one for of_copy in of_copies for one in of_copy):
        known = found.setdefault(one.host, one)
        if known.ready and not one.ready:
            found[one.host] = one
    return list(found.values())[:MOST_STANDBYS]


def replica_counts(decision: Decision, copies: Sequence[Copy]) -> dict[str, Any]:
    """How many there should be, and how many work."""
    plain = [copy for copy in copies if not copy.is_promoted]
    wanted = 0 if decision.is_leaving else len(plain)
    well = sum(copy.is_well for copy in plain)
    return {"replicas": wanted, "ready_replicas": well, "copies": f"{well}/{wanted}"}


def where(service: HAService, summaries: Sequence[InstanceSummary], wall: str) -> dict[str, Any]:
    """Where it runs, and its state: that of the copy that is least well, which comes first."""
    if not summaries:
        state = "Waiting" if service.spec.state == "Running" else "Stopped"
        since = service.status.since if service.status.state == state else None
        return {"host": "", "state": state, "since": since or wall, "last_failover": None}
    failovers = [one.last_failover for one in summaries if one.last_failover]
    return {
        "host": listed(sorted({one.host for one in summaries if one.host})),
        "state": summaries[0].state,
        "since": summaries[0].since,
        "last_failover": max(failovers, key=lambda one: one.at, default=None),
    }


def history(world: World, decision: Decision) -> dict[str, Any]:
    """What has happened, and counts still."""
    service = decision.service
    failures = [one for slot in decision.slots for one in start_failures(world, service, slot)]
    moves = [one for slot in decision.slots for one in moves_told(world, service, slot.name, slot.instance)]
    return {
        "start_failures": failures[-MOST_FAILURES:],
        "moves": moves[-MOST_MOVES:],
        "failovers": failovers_told(world, decision),
        "last_clear": last_clear(world, service),
    }
