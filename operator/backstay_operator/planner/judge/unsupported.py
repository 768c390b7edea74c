"""Fields that stand in the schema and are not carried out yet: set to anything but what happens anyway, they are refused.

A field that is silently ignored is a promise broken in silence. When a later issue implements one, its line goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from backstay_api.objects.models import HAService
from backstay_api.objects.models.base import Model
from backstay_api.objects.resource_kinds import RESOURCE_KINDS, kinds_in

# What the row of the resource's kind says of this field.
_AS_THE_KIND: Final = object()
# Path below spec (`[]`: each entry of a list) → the values that say what is done today. Not set and empty always do.
_TODAY: Final[dict[str, tuple[object, ...]]] = {
    **{f"resources[].{kind.field}": () for kind in RESOURCE_KINDS if not kind.is_implemented},
    "resources[].strategy": (_AS_THE_KIND,),
    "resources[].consistency": (_AS_THE_KIND,),
    "resources[].bound": (),
    "resources[].gate": (_AS_THE_KIND,),
    "rollout.strategy": ("Reload", "Restart"),
}
# What else may be said of what is only looked at.
_OF_PREREQUISITES: Final[dict[str, tuple[object, ...]]] = {"consistency": ("Any",), "gate": ("Block", "Strict", "Warn")}

_PATHS: Final = tuple((tuple(path.split(".")), today) for path, today in _TODAY.items())


def first_unsupported(service: HAService) -> str:
    """A sentence about the first field that asks for something we cannot do yet, or nothing."""
    for path, today in _PATHS:
        for owner, where, value in _values(service.spec, path, "spec"):
            allowed = _today(owner, path[-1], today)
            if value not in (None, [], {}, *allowed):
                return _sentence(where, value, allowed)
    return ""


def _today(owner: Model, field: str, today: tuple[object, ...]) -> tuple[object, ...]:
    if today != (_AS_THE_KIND,):
        return today
    ((kind, _),) = kinds_in([owner])
    more = _OF_PREREQUISITES.get(field, ()) if kind.is_prerequisite else ()
    return tuple(dict.fromkeys((getattr(kind, field), *more)))


def _sentence(where: str, value: object, today: tuple[object, ...]) -> str:
    said = f" ({value})" if isinstance(value, str | int) else ""
    can = " or ".join(str(allowed) for allowed in today)
    instead = f"today it can only be {can}, or left out" if can else "leave it out for now"
    return f"{where}{said} is not supported yet: {instead}"


def _values(model: Model, path: tuple[str, ...], said: str) -> Iterator[tuple[Model, str, Any]]:
    """Every value at a path, with its owner and the path as people write it: `spec.resources[web].probes[alive].ocf`."""
    step, rest = path[0], path[1:]
    name = step.removesuffix("[]")
    value = getattr(model, name)
    said = f"{said}.{type(model).model_fields[name].alias or name}"
    if not rest:
        yield model, said, value
    elif step.endswith("[]"):
        for entry in value or ():
            yield from _values(entry, rest, f"{said}[{entry.name}]")
    elif value is not None:
        yield from _values(value, rest, said)
