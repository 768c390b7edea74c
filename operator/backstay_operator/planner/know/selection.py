"""Which hosts a service may ever run on, as things are declared: labels and selectors, nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from backstay_api.objects.models import HAService, Host
from backstay_api.objects.models.placement import LabelExpression, LabelSelector

from .world import World

_DIGITS: Final = re.compile("[0-9]+")
_LARGEST: Final = 2**63 - 1


def why_not_selected(selector: LabelSelector, labels: Mapping[str, str] | None) -> str:
    """What keeps these labels from being selected, as what follows a name: `has no label pool, not db`; empty: nothing."""
    has = labels or {}
    for key, value in selector.match_labels.items():
        if has.get(key) != value:
            return f"{_has(has, key)}, not {value}"
    for one in selector.match_expressions or ():
        if not _holds(one, has.get(one.key)):
            return f"{_has(has, one.key)}, {_wanted(one)}"
    return ""


def _holds(one: LabelExpression, value: str | None) -> bool:
    """As Kubernetes has it for the labels of nodes. `value`: of that label, None without it."""
    match one.operator:
        case "In":
            return value in (one.values or ())
        case "NotIn":
            return value not in (one.values or ())
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            number, limit = _whole_number(value), int((one.values or ["0"])[0])
            return number is not None and (number > limit if one.operator == "Gt" else number < limit)


def _whole_number(value: str | None) -> int | None:
    # The value of a label begins with a letter or a digit, so that there are no signs.
    number = int(value) if value is not None and _DIGITS.fullmatch(value) else None
    return number if number is not None and number <= _LARGEST else None


def unasked(selector: LabelSelector | None, pool: LabelSelector) -> str:
    """What of a pool this selector does not ask for, so that it may select hosts of others: `pool=db`; empty: it stays within.

    By its words alone: which labels hosts have now says nothing of those that come.
    """
    for key, value in pool.match_labels.items():
        values = _values_wanted(selector, key)
        if values is None or values - {value}:
            return f"{key}={value}"
    for one in pool.match_expressions or ():
        values = _values_wanted(selector, one.key)
        is_asked = selector is not None and one in (selector.match_expressions or ())
        if not is_asked and (values is None or not all(_holds(one, value) for value in values)):
            return " ".join(filter(None, (one.key, one.operator, ", ".join(one.values or ()))))
    return ""


def _values_wanted(selector: LabelSelector | None, key: str) -> set[str] | None:
    """Which values of this label it takes; None: others too, or none at all."""
    if selector is None:
        return None
    asked = [{selector.match_labels[key]}] if key in selector.match_labels else []
    asked += [
        set(one.values or ()) for one in selector.match_expressions or () if (one.key, one.operator) == (key, "In")
    ]
    return set.intersection(*asked) if asked else None


def _has(labels: Mapping[str, str], key: str) -> str:
    return f"has {key}={labels[key]}" if key in labels else f"has no label {key}"


def _wanted(one: LabelExpression) -> str:
    values = ", ".join(one.values or ())
    return {
        "In": f"not one of {values}",
        "NotIn": f"which is ruled out (NotIn {values})",
        "Exists": "which must exist",
        "DoesNotExist": "which must not exist",
        "Gt": f"not above {values}",
        "Lt": f"not below {values}",
    }[one.operator]


def unselected(world: World, selector: LabelSelector) -> Mapping[str, str]:
    """By host that the selector does not select, what keeps it from that: worked out once a plan for all who select alike."""
    return world.once(f"unselected {selector.model_dump_json()}", (), lambda: _unselected(world, selector))


def _unselected(world: World, selector: LabelSelector) -> Mapping[str, str]:
    found = ((name, why_not_selected(selector, host.metadata.labels)) for name, host in world.hosts.items())
    return {name: why for name, why in found if why}


def selects(service: HAService, host: Host) -> bool:
    """Whether the service selects this host, be it to stay or not."""
    hosts = service.spec.placement.hosts
    return hosts is None or not why_not_selected(hosts, host.metadata.labels)


def is_declared(service: HAService, host: Host) -> bool:
    """Whether the service selects this host, and the host is to stay."""
    return _stays(host) and selects(service, host)


def declared(world: World, service: HAService) -> tuple[str, ...]:
    """The hosts that the service selects and that are to stay, in a fixed order."""
    selector = service.spec.placement.hosts
    others = unselected(world, selector) if selector is not None else {}
    return tuple(name for name in _staying(world) if name not in others) if others else _staying(world)


def _staying(world: World) -> tuple[str, ...]:
    """Hosts that are not being removed, in a fixed order."""
    return world.once("staying", (), lambda: tuple(filter(lambda name: _stays(world.hosts[name]), sorted(world.hosts))))


def _stays(host: Host) -> bool:
    return host.metadata.deletion_timestamp is None


def share_a_host(world: World, one: HAService, other: HAService) -> bool:
    """Whether any host is selected by both."""
    wanted = [*_labels_wanted(one), *_labels_wanted(other)]
    if len(dict(wanted)) < len(set(wanted)):
        return False  # they want different values of the same label
    return any(is_declared(one, host) and is_declared(other, host) for host in world.hosts.values())


def _labels_wanted(service: HAService) -> list[tuple[str, str]]:
    hosts = service.spec.placement.hosts
    return list(hosts.match_labels.items()) if hosts else []
