"""What each host is told: a projection of all HAInstances, never an authority, in which everything only moves forward.

Absence is no information, so an entry goes only when its epoch is over *and* its host has nothing of it left to stop. That
something was ever ordered Down is the whole memory of a move: an epoch that was ordered Down is never Up again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from backstay_api.objects.bounds import MOST_INSTANCES
from backstay_api.objects.models import HAInstance, HAService, Host, HostAssignment
from backstay_api.objects.models.assignment import HostAssignmentSpec, InstanceOrder, StandbyOrder
from backstay_api.objects.models.prerequisites import CopyQuestion, ExpectedCopy, PrerequisiteOrder
from backstay_api.objects.models.resources import RenderedResource
from backstay_api.objects.models.roles import RoleOrder
from backstay_api.objects.names import key_of
from backstay_api.objects.probe_kinds import others_ask
from backstay_api.objects.resource_kinds import is_prerequisite, units_of
from backstay_api.objects.texts import clip
from backstay_operator.planner.actions import Assign
from backstay_operator.planner.judge.prerequisites import expected
from backstay_operator.planner.judge.remains import stored_order
from backstay_operator.planner.know import fitting
from backstay_operator.planner.know.fitting import MOST_BYTES
from backstay_operator.planner.know.liveness import held
from backstay_operator.planner.know.world import World
from backstay_operator.planner.preconditions import Precondition, Unnamed, as_known, distinct
from backstay_operator.planner.words import UNMANAGED, listed

from . import leftovers
from .clears import cleared

_Rank = tuple[int, bool, int, int]
_NO_ORDERS: Final = HostAssignmentSpec()


@dataclass(frozen=True)
class Wanted:
    """What the plans of all services say about one host."""

    instances: Mapping[str, InstanceOrder]
    standbys: Mapping[str, StandbyOrder]
    prerequisites: Mapping[str, PrerequisiteOrder] = field(default_factory=dict)
    """By UID of the HAInstance: what to look at."""
    questions: Sequence[CopyQuestion] = ()
    """Where prerequisites differ."""
    over: Mapping[str, int] = field(default_factory=dict)
    """By UID of the HAInstance of a promoted role: its last epoch that is over."""
    roles: Mapping[str, RoleOrder] = field(default_factory=dict)
    """By UID of the HAInstance of a copy whose OCF agent has roles: what that is told of the others."""
    secured: frozenset[str] = frozenset()
    """Units that may not start by themselves there, with those that the orders name."""
    keep_secured: bool = False
    """Something cannot be planned now, so no unit is given back."""
    needs: Mapping[str, tuple[Precondition, ...]] = field(default_factory=dict)
    """By UID of the HAInstance: what must be so before an order about it is sent that says anything new."""
    first: frozenset[str] = frozenset()
    """UIDs of those that wait for this host's answer before they may run at all: they are asked first."""
    named: frozenset[str] = frozenset()
    """Units that services name, wherever they may run: one that waits for our word here is not given back meanwhile."""


def _hands_off(host: Host) -> str:
    """What the agent is told of the maintenance in which nothing on it is touched; empty: there is none."""
    maintenance = host.spec.maintenance
    if maintenance is None or not host.is_hands_off:
        return ""
    return clip(f"HandsOff: {maintenance.reason}") if maintenance.reason else "HandsOff"


def merge_forward(
    stored: HostAssignmentSpec, wanted: HostAssignmentSpec, over: Iterable[tuple[str, int]] = ()
) -> HostAssignmentSpec:
    """Bring stored orders forward: of two entries the later epoch wins, then Down, then the later revision.

    `over` names entries that may go: UID and the epoch up to which nothing of it is left on this host.
    """
    limits = dict(over)
    instances: dict[str, InstanceOrder] = {}
    for uid in sorted({*stored.instances, *wanted.instances}):
        entry = _later(stored.instances.get(uid), wanted.instances.get(uid))
        if uid in wanted.instances or entry.epoch > limits.get(uid, -1):
            instances[uid] = entry
    standbys = {uid: _fresher(stored.standbys.get(uid), wanted.standbys[uid]) for uid in sorted(wanted.standbys)}
    # Who stands by no more needs not know; who does is never told of an earlier end than before.
    known = {uid: epoch for uid, epoch in stored.over.items() if uid in standbys}
    ends = {uid: max(known.get(uid, 0), wanted.over.get(uid, 0)) for uid in sorted({*known, *wanted.over})}
    # What neither merges (the heartbeat, checks, prerequisites, questions, what is secured, whether hands are off) is as it is wanted now.
    return wanted.model_copy(update={"instances": instances, "standbys": standbys, "over": ends})


def keep_secured(stored: HostAssignmentSpec, merged: HostAssignmentSpec, *, but: frozenset[str]) -> HostAssignmentSpec:
    """A unit that waits for our word goes on doing so, but those that were decided to be given back."""
    return merged.model_copy(update={"secured": sorted({*merged.secured} | ({*stored.secured} - but))})


def order(
    world: World, service: HAService | None, instance: HAInstance, want: Literal["Up", "Down"], why: str, to: str = ""
) -> InstanceOrder:
    """What the holder shall be told. Without a service (none any more, or refused) its resources stay as they were."""
    grant = instance.spec.grant
    assert grant is not None, f"{instance.key}: an order needs a grant"
    assert service is not None or want == "Down", f"{instance.key}: without a service there is nothing to run"
    stored, clears = stored_order(world, grant.host, instance), cleared(service, grant.host)
    revision = service.metadata.generation or 0 if service else 0
    if stored is not None and (service is None or want == "Down" or stored.revision >= revision):
        news = {"want": want, "why": clip(why), "to": to} if want == "Down" else {"cleared": clears}
        is_news = stored.want != "Down" and (want == "Down" or stored.cleared < clears)
        return stored.model_copy(update=news) if is_news else stored
    return InstanceOrder(
        namespace=instance.metadata.namespace or "",
        name=instance.metadata.name,
        service=instance.spec.service.name,
        epoch=instance.spec.epoch,
        session=grant.session,
        want=want,
        exclusive=instance.spec.exclusive,
        role="Promoted" if instance.is_promoted else None,
        revision=revision,
        cleared=clears,
        why=clip(why),
        to=to,
        expects=_expects(world, service, instance, stored),
        **(_carried_out(service, want) if service else {}),
    )


def _expects(
    world: World, service: HAService | None, instance: HAInstance, stored: InstanceOrder | None
) -> list[ExpectedCopy]:
    """What made the host fit to be chosen, as it was then: for the whole epoch, since it is looked at before the first start alone."""
    if stored is not None and stored.epoch == instance.spec.epoch:
        return stored.expects
    return expected(world, service, instance, instance.holder) if service else []


def _carried_out(service: HAService, want: Literal["Up", "Down"]) -> dict[str, Any]:
    """What an order takes from the manifest."""
    recovery, is_unmanaged = service.spec.recovery, service.spec.state == "Unmanaged" and want == "Up"
    return {
        "resources": rendered(service),
        "recovery": recovery.rendered if recovery else None,
        "state": "Unmanaged" if is_unmanaged else "Running",
        "hands_off": UNMANAGED if is_unmanaged else "",
    }


def rendered(service: HAService) -> list[RenderedResource]:
    """The resources as agents are told them."""
    return [resource.rendered for resource in service.spec.resources if not is_prerequisite(resource)]


def standby_order(world: World, host: str, service: HAService, instance: HAInstance) -> StandbyOrder:
    """What a host shall keep itself ready for."""
    assignment = world.assignments.get(host)
    stored = assignment.spec.standbys.get(instance.uid) if assignment else None
    revision, ask_epoch = service.metadata.generation or 0, _ask_epoch(service, instance)
    if stored is not None and stored.revision >= revision:
        return stored if stored.ask_epoch == ask_epoch else stored.model_copy(update={"ask_epoch": ask_epoch})
    return StandbyOrder(
        namespace=instance.metadata.namespace or "",
        name=instance.metadata.name,
        service=instance.spec.service.name,
        revision=revision,
        resources=rendered(service),
        score_command=service.spec.promotion.score_command if instance.is_promoted and service.spec.promotion else None,
        ask_epoch=ask_epoch,
    )


def _ask_epoch(service: HAService, instance: HAInstance) -> int | None:
    """In which epoch other hosts ask after it. What is said of an earlier one counts for nothing, so a failover begins anew."""
    probes = (probe for resource in service.spec.resources for probe in resource.probes or ())
    return instance.spec.epoch if instance.spec.grant and any(map(others_ask, probes)) else None


def too_large(world: World, host: str, service: HAService, instance: HAInstance) -> str | None:
    """Why one more order does not fit on this host, as a sentence."""
    assignment = world.assignments.get(host)
    stored = assignment.spec if assignment else _NO_ORDERS
    if instance.uid not in stored.instances and len(stored.instances) >= MOST_INSTANCES:
        return f"{host} has orders for {MOST_INSTANCES} instances already, and no more fit into its HostAssignment"
    size = fitting.size(stored.model_copy(update={"standbys": {}}))
    size += sum(map(fitting.size, rendered(service)))
    if size <= MOST_BYTES:
        return None
    return f"the orders for {host} would be {size // 1024} KiB, more than the {MOST_BYTES // 1024} that fit: make it smaller"


def assign(world: World, host: str, wanted: Wanted) -> Assign | None:
    """The write that brings this host's orders forward, if there is anything to bring."""
    assignment = world.assignments.get(host)
    if assignment is None or not _is_all_wanted(assignment, wanted):
        return _assign(world, host, wanted)
    # Of what is about anything else only the host's object counts then. `needs` and `first` say of it what the same plans have said.
    looks = wanted.prerequisites, wanted.questions, wanted.over, wanted.roles
    asked = (wanted.instances, wanted.standbys, *looks, wanted.secured, wanted.named, wanted.keep_secured)
    made_from = (assignment, world.hosts.get(host), *asked)
    kept = world.keep("orders", host, made_from, lambda: _assign(world, host, wanted))
    is_by_itself = kept is None or not kept.gives_back  # of what is given back all services are asked
    return kept if is_by_itself else _assign(world, host, wanted)


def _is_all_wanted(assignment: HostAssignment, wanted: Wanted) -> bool:
    """Whether the host has orders only about what shall be there, and says nothing of anything else: nothing is left over."""
    ordered = assignment.spec.instances.keys()
    return assignment.status.instances.keys() <= ordered <= wanted.instances.keys()


def _assign(world: World, host: str, wanted: Wanted) -> Assign | None:
    assignment = world.assignments.get(host)
    if assignment is None and not _may_be_made(world, host):
        return None
    stored = assignment.spec if assignment else _NO_ORDERS
    left = leftovers.left_on_host(world, assignment, wanted.instances) if assignment else leftovers.NONE
    spec, merged = _brought_forward(world, host, wanted, left)
    if assignment is not None and _is_same(stored, merged):
        return None
    fitted = fitting.fitted(stored, spec, merged, wanted.first)
    last = merge_forward(stored, fitted, left.over)
    if assignment is not None and _is_same(stored, last):
        return None
    asked = {**wanted.needs, **left.needs}
    needs = [need for uid in _news(stored, last) for need in asked.get(uid, ())]
    given_back = frozenset(stored.secured) - frozenset(last.secured)
    return Assign(
        host,
        fitted,
        clip(_why(stored, merged, created=assignment is None)),
        left.over,
        distinct([*needs, *(_needs_to_give_back(world, host, given_back) if given_back else ())]),
        given_back,
        (assignment.metadata.resource_version or "") if assignment else "",
    )


def _needs_to_give_back(world: World, host: str, units: frozenset[str]) -> tuple[Precondition, ...]:
    """That nobody else names them, and that the host is as we know it: an older picture may lack a service, an edit or a label."""
    what_for, seen = f"{listed(sorted(units))} would start by itself on {host}", world.hosts.get(host)
    named = (one for one in world.services.values() if not units.isdisjoint(units_of(one.spec.resources)))
    known = frozenset((one.uid, one.metadata.generation or 0) for one in named)
    return as_known(seen, host, what_for), Unnamed(tuple(sorted(units)), known, what_for)


def _may_be_made(world: World, host: str) -> bool:
    """Whether this host needs a HostAssignment: it is to stay, or it holds something that it has to be told of, and to give back."""
    known = world.hosts.get(host)
    is_staying = known is not None and known.metadata.deletion_timestamp is None
    return (is_staying or bool(held(world, host))) and not world.cannot_read(HostAssignment, host)


def _brought_forward(
    world: World, host: str, wanted: Wanted, left: leftovers.Leftovers
) -> tuple[HostAssignmentSpec, HostAssignmentSpec]:
    """What is wanted on top of what is stored, and both merged."""
    assignment, known = world.assignments.get(host), world.hosts.get(host)
    stored = assignment.spec if assignment else _NO_ORDERS
    spec = stored.model_copy(
        update={
            "heartbeat": known.spec.heartbeat if known else stored.heartbeat,
            "checks": known.spec.checks if known else stored.checks,
            "instances": {**wanted.instances, **left.downs},
            "standbys": dict(wanted.standbys),
            "prerequisites": fitting.fitted_prerequisites(stored.prerequisites, wanted.prerequisites),
            "over": dict(wanted.over),
            "roles": fitting.fitted_roles(stored.roles, wanted.roles),
            "questions": fitting.fitted_questions(stored.questions, wanted.questions),
            "hands_off": _hands_off(known) if known else stored.hands_off,
        }
    )
    merged = merge_forward(stored, spec, left.over)
    # What an earlier manifest named may still run: given back, it would start by itself at the next boot.
    secured = sorted(_secured(assignment, wanted) | _units(merged))
    return spec.model_copy(update={"secured": secured}), merged.model_copy(update={"secured": secured})


def _secured(assignment: HostAssignment | None, wanted: Wanted) -> frozenset[str]:
    """Candidates' units; and those that the host has not given back because they would start by themselves at its next boot, for as
    long as a service names them: one that runs elsewhere would then run twice. The host goes on saying so until that is mended. What was
    given back before the host could say so is asked for once more, whoever names it: then it is given back by a write that knows it.
    """
    if assignment is None:
        return wanted.secured
    if wanted.keep_secured:
        return wanted.secured | frozenset(assignment.spec.secured)
    held = assignment.status.held
    return wanted.secured | frozenset(one.unit for one in held if one.unit in wanted.named or one.ask_again)


# --- comparing -------------------------------------------------------------------------------------------------------


def _later(one: InstanceOrder | None, other: InstanceOrder | None) -> InstanceOrder:
    if one is None or other is None:
        entry = one or other
        assert entry is not None, "one of two entries exists"
        return entry
    if one.epoch == other.epoch and one.session != other.session:
        # An epoch has one session for ever, so a hand has been in there: ours is right, and a Down stays a Down.
        return other.model_copy(update={"want": "Down"}) if one.want == "Down" else other
    return one if _rank(one) >= _rank(other) else other


def _rank(entry: InstanceOrder) -> _Rank:
    return entry.epoch, entry.want == "Down", entry.revision, entry.cleared


def _fresher(stored: StandbyOrder | None, wanted: StandbyOrder) -> StandbyOrder:
    if stored is None or stored.revision < wanted.revision:
        return wanted
    return stored if stored.ask_epoch == wanted.ask_epoch else stored.model_copy(update={"ask_epoch": wanted.ask_epoch})


def _is_same(stored: HostAssignmentSpec, merged: HostAssignmentSpec) -> bool:
    """Whether nothing was brought forward. Merging keeps what it does not change, so that identity will do."""
    return (
        stored.heartbeat == merged.heartbeat
        and stored.secured == merged.secured
        and stored.hands_off == merged.hands_off
        and stored.checks == merged.checks
        and stored.prerequisites == merged.prerequisites
        and stored.questions == merged.questions
        and stored.over == merged.over
        and stored.roles == merged.roles
        and stored.instances.keys() == merged.instances.keys()
        and stored.standbys.keys() == merged.standbys.keys()
        and all(merged.instances[uid] is entry for uid, entry in stored.instances.items())
        and all(merged.standbys[uid] is entry for uid, entry in stored.standbys.items())
    )


def _news(stored: HostAssignmentSpec, merged: HostAssignmentSpec) -> list[str]:
    """UIDs of entries that say anything new."""
    return [uid for uid, entry in sorted(merged.instances.items()) if stored.instances.get(uid) is not entry]


def _units(spec: HostAssignmentSpec) -> set[str]:
    ordered = [order.resources for orders in (spec.instances, spec.standbys) for order in orders.values()]
    return {unit for resources in ordered for unit in units_of(resources)}


def _why(stored: HostAssignmentSpec, merged: HostAssignmentSpec, *, created: bool) -> str:
    if created:
        return "the host has no HostAssignment yet"
    new = [merged.instances[uid] for uid in _news(stored, merged)]
    if new:
        return "; ".join(f"{key_of(e.namespace, e.name)} epoch {e.epoch} {e.want}: {e.why}" for e in new[:3])
    if stored.instances.keys() != merged.instances.keys():
        return "entries of epochs that are over are removed"
    if asked := [uid for uid, epoch in merged.over.items() if uid in stored.standbys and stored.over.get(uid) != epoch]:
        ended = (
            f"{key_of(of.namespace, of.name)} epoch {merged.over[uid]}" for uid in asked if (of := stored.standbys[uid])
        )
        return f"{listed([*ended])} is over: how far its data goes is asked once more"
    if stored.roles != merged.roles:
        return "OCF agents with roles are told what others of their service have noted, and which copy is promoted"
    return "other standbys, other units to secure, or another heartbeat"
