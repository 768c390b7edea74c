"""What a ServiceClass says of a service as a whole: what it may do to others, and how much it may ask for.

What harms others is refused unless the class says so; amounts are free unless the class has a number, as with Kubernetes' LimitRange.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from backstay_api.objects.models.service import HAServiceSpec
from backstay_api.objects.models.service_class import ServiceClassSpec
from backstay_api.objects.quantities import amount


@dataclass(frozen=True)
class Bound:
    """One field of a service that its classes have a word for."""

    path: str
    """Where it stands in the manifest."""
    is_asked: Callable[[HAServiceSpec], bool]
    """Whether the service asks for more there than any service has."""
    refusal: Callable[[ServiceClassSpec, HAServiceSpec], str]
    """What the class allows instead, as what follows `only`, and what to do; empty: it allows it."""


def has_fence(spec: HAServiceSpec) -> bool:
    """Whether a stop that fails shall have the host fenced."""
    return spec.recovery is not None and spec.recovery.on_stop_failure == "Fence"


def allows_fence(one: ServiceClassSpec) -> bool:
    """Whether the class lets a stop that fails have the host fenced."""
    return one.on_stop_failure == "Fence"


def _fence(one: ServiceClassSpec, _: HAServiceSpec) -> str:
    if allows_fence(one):
        return ""
    return "Block, for Fence powers a host off: say that, or add `onStopFailure: Fence`"


def _priority(one: ServiceClassSpec, spec: HAServiceSpec) -> str:
    most = one.max_priority or 0
    if (spec.placement.priority or 0) <= most:
        return ""
    return f"a priority up to {most}, for a higher one has others stopped: say a lower one, or raise `maxPriority`"


def _replicas(one: ServiceClassSpec, spec: HAServiceSpec) -> str:
    if one.max_replicas is None or (spec.mode != "EveryHost" and (spec.replicas or 1) <= one.max_replicas):
        return ""
    if spec.mode == "EveryHost":
        return f"up to {one.max_replicas} copies, and mode EveryHost has any number: choose another, or take out `maxReplicas`"
    return f"up to {one.max_replicas} copies: ask for fewer, or raise `maxReplicas`"


def _resources(one: ServiceClassSpec, spec: HAServiceSpec) -> str:
    if one.max_resources is None or len(spec.resources) <= one.max_resources:
        return ""
    return f"up to {one.max_resources} resources, not {len(spec.resources)}: bring fewer, or raise `maxResources`"


def _capacity(one: ServiceClassSpec, spec: HAServiceSpec) -> str:
    most, asked = one.max_capacity or {}, spec.placement.capacity or {}
    return next((why for name in sorted(asked.keys() & most.keys()) if (why := _too_much(name, asked, most))), "")


def _too_much(name: str, asked: dict[str, int | str], most: dict[str, int | str]) -> str:
    limit = amount(most[name])
    if limit is None:
        return f"what it can understand, and {most[name]!r} for {name} is no amount: mend `maxCapacity`"
    # What is no amount in the manifest is refused for that, whatever classes say.
    if (amount(asked[name]) or 0) <= limit:
        return ""
    return f"up to {most[name]} of {name}: ask for less, or raise it in `maxCapacity`"


BOUNDS: Final = (
    Bound("spec.recovery.onStopFailure", has_fence, _fence),
    Bound("spec.placement.priority", lambda spec: (spec.placement.priority or 0) > 0, _priority),
    Bound("spec.replicas", lambda spec: spec.mode == "EveryHost" or (spec.replicas or 1) > 1, _replicas),
    Bound("spec.resources", lambda spec: len(spec.resources) > 1, _resources),
    Bound("spec.placement.capacity", lambda spec: bool(spec.placement.capacity), _capacity),
)


def asked_of(spec: HAServiceSpec) -> Iterator[Bound]:
    """What of this service classes are asked."""
    return (bound for bound in BOUNDS if bound.is_asked(spec))
