"""What the operator wrote for this host, read entry by entry: what this release does not know is noticed and answered, never guessed.

The operator may be of a later release. An order that is not understood is no order to start; an order to stop needs no more than
to know what it is about. One odd entry never keeps the others from being obeyed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from backstay_api import VERSION
from backstay_api.objects.plain import (
    CopyQuestion,
    Heartbeat,
    HostAssignmentSpec,
    HostChecks,
    InstanceOrder,
    PrerequisiteOrder,
    Probe,
    RenderedResource,
    RoleOrder,
    StandbyOrder,
    StandbyReport,
)
from backstay_api.objects.probe_kinds import PROBE_KINDS
from backstay_api.objects.resource_kinds import STARTED, kinds_in
from backstay_api.objects.sequence import fault
from backstay_api.objects.shapes import Unknown, Wrong, oddities, without_nulls

_REQUIRED: Final = frozenset(name for name, field in InstanceOrder.SHAPE.items() if field.required)


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """An order to run something that is not taken: this release does not know parts of it, or the host's policy refuses it."""

    order: InstanceOrder
    """Without its resources."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What the assignment says, as far as it is understood."""

    spec: HostAssignmentSpec = field(default_factory=HostAssignmentSpec)
    not_understood: Mapping[str, NotUnderstood] = field(default_factory=dict)
    """Entries that cannot be carried out, by UID: the answer is a report that it failed, and why."""
    not_ready: Mapping[str, StandbyReport] = field(default_factory=dict)
    """Standby entries that are not understood, by UID, with the answer to them."""
    trouble: str = ""
    """Entries of which not even the frame can be read: nobody can be answered."""

    @property
    def services(self) -> dict[str, tuple[str, str]]:
        """Namespace and name of the service that each UID is of, where that was told."""
        told: dict[str, StandbyOrder | InstanceOrder] = {**self.spec.standbys, **self.spec.instances}
        return {uid: (one.namespace, one.service) for uid, one in told.items() if one.service}


def read_orders(raw: Any) -> Orders:
    """Read a spec as it came. Raises ValueError where it is not even a list of entries."""
    if not isinstance(raw, Mapping):
        raise ValueError("its spec is not an object")
    read = {uid: _instance(entry) for uid, entry in _entries(raw, "instances")}
    kept = {uid: _standby(entry) for uid, entry in _entries(raw, "standbys")}
    heartbeat, late = _heartbeat(without_nulls(raw.get("heartbeat", {})))
    checks, odd = _checks(without_nulls(raw.get("checks")))
    spec = HostAssignmentSpec(
        heartbeat=heartbeat,
        checks=checks,
        instances={uid: entry for uid, entry in read.items() if isinstance(entry, InstanceOrder)},
        standbys={uid: entry for uid, entry in kept.items() if isinstance(entry, StandbyOrder)},
        prerequisites=_prerequisites(raw),
        questions=_questions(without_nulls(raw.get("questions"))),
        over=_over(raw.get("over")),
        roles=_roles(raw.get("roles")),
        secured=_secured(raw.get("secured", [])),
        hands_off=_hands_off(raw.get("handsOff")),
    )
    unreadable = [f"instances.{uid[:64]}: {entry}" for uid, entry in read.items() if isinstance(entry, str)]
    return Orders(
        spec=spec,
        not_understood={uid: entry for uid, entry in read.items() if isinstance(entry, NotUnderstood)},
        not_ready={uid: entry for uid, entry in kept.items() if isinstance(entry, StandbyReport)},
        trouble="; ".join(filter(None, [late, odd, *unreadable])),
    )


def allowed(orders: Orders, refusals: Mapping[str, str]) -> Orders:
    """Without what the host's policy refuses (`refusals`: why, by UID), which is answered instead."""
    if not refusals:
        return orders
    known = orders.spec.instances
    refused = {uid: NotUnderstood(replace(known[uid], resources=()), why) for uid, why in refusals.items()}
    taken = {uid: order for uid, order in orders.spec.instances.items() if uid not in refused}
    spec = replace(orders.spec, instances=taken)
    return replace(orders, spec=spec, not_understood={**orders.not_understood, **refused})


def _entries(raw: Mapping[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    found = raw.get(name) or {}
    if not isinstance(found, Mapping):
        raise ValueError(f"its {name} are not a map")
    yield from ((uid, without_nulls(entry)) for uid, entry in found.items())


def _instance(entry: Any) -> InstanceOrder | NotUnderstood | str:
    frame = _frame(entry)
    least = {name: value for name, value in frame.items() if name in _REQUIRED}
    if why := "; ".join(_wrong_in(InstanceOrder.SHAPE, least)):
        return why
    wrong = {
        name: why for name in frame if (why := "; ".join(_wrong_in(InstanceOrder.SHAPE, {**least, name: frame[name]})))
    }
    understood = {name: value for name, value in frame.items() if name not in wrong}
    order = InstanceOrder.from_wire(
        understood | ({"handsOff": _hands_off(frame["handsOff"])} if "handsOff" in wrong else {})
    )
    if order.want == "Down":
        return order  # what is to be stopped stands in the journal
    resources, not_known = _resources(entry.get("resources"))
    why = "; ".join(filter(None, (*wrong.values(), not_known)))
    return NotUnderstood(order, why) if why else replace(order, resources=resources)


def _standby(entry: Any) -> StandbyOrder | StandbyReport:
    frame = _frame(entry)
    why = "; ".join(_wrong_in(StandbyOrder.SHAPE, frame))
    resources, not_known = _resources(entry.get("resources") if isinstance(entry, Mapping) else None)
    if why or not_known:
        revision = frame.get("revision", 0)
        return StandbyReport(
            ready=False,
            revision=revision if type(revision) is int else 0,
            why="; ".join(filter(None, (why, not_known))),
        )
    return replace(StandbyOrder.from_wire(frame), resources=resources)


def _frame(entry: Any) -> dict[str, Any]:
    """An entry without its resources. What a later release has added beside them may be left aside."""
    if not isinstance(entry, Mapping):
        return {}
    return {name: value for name, value in entry.items() if name != "resources" and value is not None}


def _wrong_in(shape: Any, frame: Mapping[str, Any]) -> Iterator[str]:
    for odd in oddities(shape, frame):
        if not (isinstance(odd, Unknown) and odd.is_field):
            yield _sentence(odd)


def _resources(raw: Any) -> tuple[tuple[RenderedResource, ...], str]:
    """The resources, or why they are not understood."""
    items = [] if raw is None else raw
    if not isinstance(items, list):
        return (), "the order cannot be read: its resources are not a list"
    whys = [why for item in items for why in _odd(item)]
    if whys:
        return (), "; ".join(whys)
    resources = tuple(RenderedResource.from_wire(item) for item in items)
    whys = [f"{one.name}: the order cannot be read: {why}" for one in resources for why in _senseless(one)]
    if len({one.name for one in resources}) < len(resources):
        whys.append("the order cannot be read: two resources have the same name")
    if why := fault(resources):
        whys.append(f"the order cannot be read: {why}")
    return ((), "; ".join(whys)) if whys else (resources, "")


def _odd(raw: Any) -> Iterator[str]:
    name = raw.get("name") if isinstance(raw, Mapping) else None
    for odd in oddities(RenderedResource.SHAPE, raw):
        yield f"{str(name)[:63]}: {_sentence(odd)}"


def _senseless(resource: RenderedResource) -> Iterator[str]:
    """What the shape alone does not show."""
    if sum(getattr(resource, kind.field) is not None for kind in STARTED) != 1:
        yield "it must name exactly one kind of resource"
    yield from filter(None, (kind.senseless(spec) for kind, spec in kinds_in([resource])))
    for probe in resource.probes:
        yield from _senseless_probe(probe)


def _senseless_probe(probe: Probe) -> Iterator[str]:
    asked = [(kind, spec) for kind in PROBE_KINDS if (spec := getattr(probe, kind.field)) is not None]
    if len(asked) != 1:
        yield f"probe {probe.name} must ask exactly one question"
    yield from (f"probe {probe.name} {why}" for kind, spec in asked if (why := kind.senseless(spec)))


def _prerequisites(raw: Mapping[str, Any]) -> dict[str, PrerequisiteOrder]:
    """What is not understood of them is not looked at, and who is not told of it chooses another host."""
    found: dict[str, PrerequisiteOrder] = {}
    for uid, entry in _entries(raw, "prerequisites"):
        with suppress(KeyError, TypeError, ValueError, AttributeError):
            if any(oddities(PrerequisiteOrder.SHAPE, entry)):
                continue
            order = PrerequisiteOrder.from_wire(entry)
            if not any(kind.senseless(spec) for kind, spec in kinds_in(order.resources)):
                found[uid] = order
    return found


def _questions(raw: Any) -> tuple[CopyQuestion, ...]:
    """What is not understood is not answered: then nobody is told where copies differ, and all else goes on."""
    found = raw if isinstance(raw, list) else []
    return tuple(CopyQuestion.from_wire(one) for one in found if not any(oddities(CopyQuestion.SHAPE, one)))


def _over(raw: Any) -> dict[str, int]:
    """What is not understood is not answered: nobody waits for it longer than a start may take."""
    found = raw if isinstance(raw, Mapping) else {}
    return {str(uid): epoch for uid, epoch in found.items() if type(epoch) is int and epoch > 0}


def _roles(raw: Any) -> dict[str, RoleOrder]:
    """What is not understood is told to no agent, and nothing waits for that."""
    found = raw if isinstance(raw, Mapping) else {}
    told = {str(uid): without_nulls(one) for uid, one in found.items()}
    understood = {uid: one for uid, one in told.items() if not any(oddities(RoleOrder.SHAPE, one))}
    return {uid: RoleOrder.from_wire(one) for uid, one in understood.items()}


def _heartbeat(raw: Any) -> tuple[Heartbeat, str]:
    whys = [_sentence(odd) for odd in oddities(Heartbeat.SHAPE, raw or {}, at="heartbeat")]
    return (Heartbeat(), "; ".join(whys)) if whys else (Heartbeat.from_wire(raw or {}), "")


def _checks(raw: Any) -> tuple[HostChecks | None, str]:
    """What is not understood is looked at by nobody, and said."""
    whys = [_sentence(odd) for odd in oddities(HostChecks.SHAPE, raw or {}, at="checks")]
    return (None, "; ".join(whys)) if whys or not raw else (HostChecks.from_wire(raw), "")


def _secured(raw: Any) -> tuple[str, ...]:
    if raw is not None and not (isinstance(raw, list) and all(isinstance(unit, str) for unit in raw)):
        raise ValueError("its list of secured units is not a list")
    return tuple(raw or ())


def _hands_off(raw: Any) -> str:
    """In doubt nothing is touched: what is not touched can be touched later."""
    return raw if isinstance(raw, str) else "" if raw is None else "for a reason that cannot be read"


def _sentence(odd: Unknown | Wrong) -> str:
    if isinstance(odd, Unknown):
        return f"agent {VERSION} does not know `{odd.what}`: upgrade the agent"
    return f"the order cannot be read: {odd.why}"
