"""Where a service may run, and where it would rather: the part of an HAService about hosts and other services."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import Field, StrictInt, StringConstraints

from .base import Duration, Model, Name, Rule, Text, exactly_one_of

Weight = Annotated[int, Field(ge=-1000, le=1000)]
LabelValue = Annotated[str, StringConstraints(max_length=63)]
LabelMap = Annotated[dict[str, LabelValue], Field(max_length=32)]
LabelKey = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=317,
        pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
    ),
]
# Whole numbers that fit into 64 bits, whatever their digits.
WHOLE_NUMBER: Final = "[-+]?[0-9]{1,18}"


# No bound, and no rule on its text: for what may be both, the API server takes none. The planner says what is no amount.
Amount = Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)] | str
AmountName = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9][-A-Za-z0-9_./]*$")]
Amounts = Annotated[dict[AmountName, Amount], Field(max_length=16)]
"""By name (cpu, memory, anything): how much, as Kubernetes writes amounts."""


class LabelExpression(Model):
    """What one label must be like."""

    rules = (
        Rule(
            "!(self.operator in ['In', 'NotIn']) || (has(self.values) && size(self.values) > 0)",
            "In and NotIn need values: the label's value is one of them, or none of them",
            lambda e: e.operator not in ("In", "NotIn") or bool(e.values),
        ),
        Rule(
            "!(self.operator in ['Exists', 'DoesNotExist']) || !has(self.values) || size(self.values) == 0",
            "Exists and DoesNotExist take no values: they ask for the label alone; In and NotIn ask for its value",
            lambda e: e.operator not in ("Exists", "DoesNotExist") or not e.values,
        ),
        Rule(
            "!(self.operator in ['Gt', 'Lt']) || (has(self.values) && size(self.values) == 1"
            f" && self.values[0].matches('^{WHOLE_NUMBER}$'))",
            'Gt and Lt need one value, a whole number in quotes: values: ["4"]',
            lambda e: (
                e.operator not in ("Gt", "Lt")
                or bool(e.values and len(e.values) == 1 and re.fullmatch(WHOLE_NUMBER, e.values[0]))
            ),
        ),
    )
    key: LabelKey
    """The label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    """As in Kubernetes. NotIn and DoesNotExist hold without the label as well; Gt and Lt only where its value is a whole number."""
    values: Annotated[list[LabelValue], Field(max_length=32)] | None = None
    """For In and NotIn at least one, for Gt and Lt exactly one, else none."""


class LabelSelector(Model):
    """What carries all of these labels, and of which all of these expressions hold."""

    match_labels: LabelMap = {}
    """Labels and their values; empty asks for none."""
    match_expressions: Annotated[list[LabelExpression], Field(max_length=16)] | None = None
    """What more their labels must be like. Without either, everything is selected."""


class HostSelector(LabelSelector):
    """Hosts that carry all of these labels, and of which all of these expressions hold."""


class ServiceSelector(LabelSelector):
    """HAServices of the same namespace that carry all of these labels, and of which all of these expressions hold."""


class Preference(Model):
    """Hosts that are better, or with a negative weight worse."""

    hosts: HostSelector
    """Which hosts."""
    weight: Weight
    """Added to the score of such a host."""


Effect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class Taint(Model):
    """What keeps services from a host that do not tolerate it, in Kubernetes' form."""

    key: LabelKey
    """What it is about."""
    value: LabelValue = ""
    """More of it."""
    effect: Effect
    """NoSchedule: nothing comes here that does not tolerate it. PreferNoSchedule: only where no other host will do. NoExecute: what runs
    here moves away as well, as soon as another host is ready for it."""

    @property
    def text(self) -> str:
        """As `kubectl taint` has it: `gpu=yes:NoSchedule`."""
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


class Toleration(Model):
    """A taint of hosts that the service does not mind, in Kubernetes' form."""

    rules = (
        Rule(
            "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
            "a toleration without a key needs operator: Exists, and tolerates every taint",
            lambda t: t.key is not None or t.operator == "Exists",
        ),
        Rule(
            "!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == ''",
            "operator: Exists takes no value: it tolerates every value",
            lambda t: t.operator != "Exists" or not t.value,
        ),
    )
    key: LabelKey | None = None
    """Of the taint. Without one: every key."""
    operator: Literal["Exists", "Equal"] | None = None
    """Whether the taint's value must be the same. Default: Equal."""
    value: LabelValue | None = None
    """For Equal. Default: empty."""
    effect: Effect | None = None
    """Of the taint. Without one: every effect."""

    def tolerates(self, taint: Taint) -> bool:
        """As Kubernetes has it."""
        return (
            self.effect in (None, taint.effect)
            and self.key in (None, taint.key)
            and (self.operator == "Exists" or (self.value or "") == taint.value)
        )


class Spread(Model):
    """Keep copies of the service itself apart by a label, as Kubernetes' topologySpreadConstraints."""

    topology_key: LabelKey
    """The label: a rack, a room, a power feed. Each of its values is a domain, as far as a host has it that the service selects."""
    max_skew: Annotated[int, Field(ge=1, le=100)]
    """How many more copies a domain may have than the one that has fewest."""
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] | None = None
    """DoNotSchedule: a copy starts on no host where there would be more, nor on one without the label. ScheduleAnyway: only where no other
    host will do. Default: DoNotSchedule."""

    @property
    def is_required(self) -> bool:
        """Whether it must hold where a copy is started."""
        return self.when_unsatisfiable != "ScheduleAnyway"


class Affinity(Model):
    """Another service, or several, to be near to, or far from."""

    rules = (
        exactly_one_of(service="service", services="services"),
        Rule(
            "has(self.weight) != (has(self.required) && self.required)",
            "either required: true, or a weight: a rule that must hold has none, and one that only counts needs one",
            lambda a: (a.weight is not None) != bool(a.required),
        ),
    )
    service: Name | None = None
    """Its name, in the same namespace."""
    services: ServiceSelector | None = None
    """Or all that these labels select, but for the service itself."""
    role: Literal["Any", "Promoted"] | None = None
    """Which copy of the other counts. Promoted: of a service of mode Promotable the one that is promoted, of any other none. Default: Any."""
    topology_key: LabelKey | None = None
    """Two hosts with the same value of this label count as one: a rack, a room, a power feed. Default: each host by itself."""
    weight: Annotated[int, Field(ge=1, le=1000)] | None = None
    """How much it counts beside `prefer`, where it need not hold."""
    required: bool | None = None
    """It must hold where the service is started, and what runs otherwise moves as soon as another host is ready for it."""
    mutual: bool | None = None
    """Whether the other service minds as well. Without that the other goes where it likes, and this one follows it, or leaves it, as in
    Pacemaker's colocation. Default: true for `apart`, false for `together`."""

    @property
    def is_promoted(self) -> bool:
        """Whether only the copy of the other that is promoted counts."""
        return self.role == "Promoted"


class Window(Model):
    """When a service may move back."""

    schedule: Text
    """When it opens, as a cron expression of five fields: `0 2 * * sun`."""
    time_zone: Text | None = None
    """Of the schedule: `Europe/Berlin`. Default: UTC."""
    duration: Duration
    """How long the window stays open, up to 168h. A move that has begun is finished."""

    @property
    def zone(self) -> str:
        """The time zone by its name."""
        return self.time_zone or "UTC"


class Placement(Model):
    """Where the service may run, and where it would rather."""

    rules = (
        Rule(
            "(has(self.failback) && self.failback == 'Window') == has(self.window)",
            "failback: Window and window go together: one says that it moves back in a window, the other when that is",
            lambda p: (p.failback == "Window") == (p.window is not None),
        ),
    )
    hosts: HostSelector | None = None
    """Hosts that may run it. Default: all."""
    prefer: Annotated[list[Preference], Field(max_length=16)] | None = None
    """Better and worse hosts among them."""
    tolerations: Annotated[list[Toleration], Field(max_length=16)] | None = None
    """Taints of hosts that it does not mind."""
    spread: Annotated[list[Spread], Field(max_length=8)] | None = None
    """Keep copies of it apart by a label. What runs stays, whatever it says."""
    together: Annotated[list[Affinity], Field(max_length=16)] | None = None
    """Services to be with."""
    apart: Annotated[list[Affinity], Field(max_length=16)] | None = None
    """Services to be away from."""
    capacity: Amounts | None = None
    """What it needs of the host's capacity, by name: cpu, memory, licences. A host that says nothing of a name has none of it."""
    stickiness: Annotated[int, Field(ge=0, le=100000)] = 100
    """How much better another host must be before a running service moves there (with `failback: Always` or `Window`)."""
    priority: Annotated[int, Field(ge=-1000, le=1000)] | None = None
    """Who goes first where several wait for a host: the higher, then the first by name; and for whom what has a lower one is stopped, where
    not all has room. Default: 0."""
    failback: Literal["Never", "Always", "Window"] = "Never"
    """Whether a service moves back to a better host that has returned: never, as soon as that is ready, or then in the next `window`."""
    window: Window | None = None
    """For `failback: Window`: when it may move back."""
