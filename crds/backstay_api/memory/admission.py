"""What the API server would say to a write, said by the models: so that simulator and server refuse alike.

`MemoryCluster` asks `admit` before each write. It checks what the generated CRDs check: types and bounds, the rules on
one object, and the rules on a change of it. The contract tests hold it against a real API server.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final, get_args

from pydantic import ValidationError
from pydantic_core import to_json

from backstay_api.memory.store import MemoryCluster
from backstay_api.objects.kinds import Kind, Raw
from backstay_api.objects.models import ALL_OBJECTS
from backstay_api.objects.models.base import ListMap, Model, Object
from backstay_api.objects.object_kinds import OWN_KINDS

_MODELS: Final[Mapping[str, type[Object]]] = {model.__name__: model for model in ALL_OBJECTS}


def admit_as_ours(cluster: MemoryCluster) -> None:
    """From now on this cluster refuses what a real one with our CRDs would."""
    for kind in OWN_KINDS:
        cluster.admit(kind, admit)


def admit(kind: Kind[Any], old: Raw | None, new: Raw) -> str | None:
    """Why this object may not be written (old is None at creation), or None. Kinds that are not ours pass."""
    model = _MODELS.get(kind.kind)
    if model is None:
        return None
    try:
        wanted = _strictly(model, new)
    except ValidationError as error:
        return "; ".join(_sentence(detail) for detail in error.errors(include_url=False))
    if old is not None:
        try:
            present = _read_before(model, old) or model.from_wire(old)
        except ValidationError:
            return None  # stored under an older schema: a change cannot be judged by what is no object to us
        if why := next(_broken_transitions(present, wanted, ()), None):
            return why
    _remember(new, wanted)
    return None


_MOST_REMEMBERED: Final = 1024
_remembered: OrderedDict[tuple[int, int], tuple[Any, Any, Object]] = OrderedDict()
"""What was admitted lately, by its own spec and status (which are kept, so that nothing else can be at their place)."""


def _remember(raw: Raw, read: Object) -> None:
    spec, status = raw.get("spec"), raw.get("status")
    _remembered[id(spec), id(status)] = (spec, status, read)
    if len(_remembered) > _MOST_REMEMBERED:
        _remembered.popitem(last=False)


def _read_before(model: type[Object], raw: Raw) -> Object | None:
    """What is stored was read when it was admitted: bodies are never altered, only replaced."""
    spec, status = raw.get("spec"), raw.get("status")
    found = _remembered.get((id(spec), id(status)))
    is_it = found is not None and found[0] is spec and found[1] is status and type(found[2]) is model
    return found[2] if found is not None and is_it else None


def _strictly(model: type[Object], raw: Raw) -> Object:
    """As the server reads it: JSON types as they are ("5" is no number), and null is the same as nothing."""
    # Metadata is judged by the server's own rules, not by ours.
    body = {**raw, "metadata": {"name": raw["metadata"].get("name", "")}}
    text = to_json(body)
    return model.model_validate_json(to_json(_without_nulls(body)) if b"null" in text else text, strict=True)


def _without_nulls(value: Any) -> Any:
    """The server prunes nulls of fields; a null in a list stays, and is wrong."""
    if isinstance(value, Mapping):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, (list, tuple)) else value


def _sentence(detail: Any) -> str:
    message = str(detail["msg"]).removeprefix("Value error, ")
    path = ".".join(str(step) for step in detail["loc"])
    return f"{path}: {message}" if path else message


def _broken_transitions(old: Model, new: Model, path: tuple[str, ...]) -> Iterator[str]:
    """Rules about a change, of every part that is there before and after."""
    for rule in new.rules:
        if rule.is_transition and not rule.check(old, new):
            yield f"{'.'.join(path)}: {rule.message}"
    for name, key in _places(type(new)):
        before, after = getattr(old, name), getattr(new, name)
        if isinstance(before, Model) and isinstance(after, Model):
            yield from _broken_transitions(before, after, (*path, name))
        elif key:
            known = {getattr(item, key): item for item in before or ()}
            for item in after or ():
                if getattr(item, key) in known:
                    yield from _broken_transitions(known[getattr(item, key)], item, (*path, name))


@cache
def _places(model: type[Model]) -> tuple[tuple[str, str], ...]:
    """All fields with a rule about a change somewhere in them; with each that is a list whose items are known by a key, that key."""
    shapes: dict[str, Any] = {name: field.annotation for name, field in model.model_fields.items()}
    fields = [item for item in model.model_fields.items() if _leads_to_one(shapes[item[0]])]
    return tuple((name, _list_key(field.annotation, field.metadata)) for name, field in fields)


@cache
def _leads_to_one(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        inner: list[Any] = [field.annotation for field in annotation.model_fields.values()]
        return any(rule.is_transition for rule in annotation.rules) or any(_leads_to_one(one) for one in inner)
    return any(_leads_to_one(one) for one in get_args(annotation))


@cache
def _key_of_union(annotation: Any) -> str:
    metadata = getattr(annotation, "__metadata__", ())
    own = next((one.key for one in metadata if isinstance(one, ListMap)), "")
    return own or next(filter(None, map(_key_of_union, get_args(annotation))), "")


def _list_key(annotation: Any, metadata: Iterable[Any]) -> str:
    """By which key the server finds an item of a list map among the items before; empty where it does not."""
    own = next((one.key for one in metadata if isinstance(one, ListMap)), "")
    return own or next((key for arg in get_args(annotation) if (key := _key_of_union(arg))), "")
