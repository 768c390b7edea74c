"""Writes `plain.py`: the models of one object as standard library dataclasses, for the agent.

pydantic costs an agent 16 MB. So the agent reads the same shapes with code that is as plain as if written by hand: no
reflection when it runs, one line a field. What an agent receives carries its SHAPE, for a later release may say more than this one
knows; what it says is kept within its bounds, for a write that is refused says nothing at all.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from backstay_api.objects.models import HostAssignment
from backstay_api.objects.models.assignment import HostAssignmentSpec, HostAssignmentStatus
from backstay_api.objects.models.base import Model, Object
from backstay_api.objects.texts import MOST

_HEADER: Final = '''"""The objects that an agent reads and writes, as plain dataclasses. Standard library only.

Generated from `models/` by `python -m backstay_api.generate`: change the models, not this file.
Lists are tuples here. What comes from elsewhere is held against its SHAPE before it is read (`shapes.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, ClassVar, Literal, Self

from .names import key_of
from .shapes import Field, Shape
from .texts import clip
'''


def plain_module(root: type[Model] = HostAssignment) -> str:
    """The source of `plain.py`: every model that `root` is made of, the innermost first."""
    classes = list(dict.fromkeys(_parts_first(root)))
    names = [part.__name__ for part in classes]
    assert len(set(names)) == len(names), f"two models of one name: {sorted(names)}"
    listing = "__all__ = [\n" + "".join(f'    "{name}",\n' for name in sorted(names)) + "]\n"
    return "\n".join([_HEADER, listing, *("\n" + _class(part) for part in classes)])


def _parts_first(model: type[Model]) -> Iterator[type[Model]]:
    for field in model.model_fields.values():
        for part in _models_in(field.annotation):
            yield from _parts_first(part)
    yield model


def _models_in(hint: Any) -> Iterator[type[Model]]:
    if isinstance(hint, type) and issubclass(hint, Model):
        yield hint
    for argument in get_args(hint):
        yield from _models_in(argument)


def _class(model: type[Model]) -> str:
    lines = [
        "@dataclass(frozen=True, slots=True, kw_only=True)",
        f"class {model.__name__}:",
        f'    """{inspect.getdoc(model)}"""',
        "",
        *(f"    {line}" for line in _constants(model)),
        *(f"    {_declaration(name, field)}" for name, field in model.model_fields.items()),
        *([""] if model.model_fields else []),
        *(line for source in _properties(model) for line in [*source.splitlines(), ""]),
        *_reader(model),
        "",
        *_writer(model),
        "",
    ]
    return "\n".join(lines)


def _constants(model: type[Model]) -> list[str]:
    if issubclass(model, Object):
        return [f'plural: ClassVar[str] = "{model.plural}"', f"namespaced: ClassVar[bool] = {model.namespaced}"]
    if model not in _received():
        return []
    fields = [_in_shape(field) for field in model.model_fields.values()]
    return ["SHAPE: ClassVar[Shape] = {", *fields, "}"]


def _received() -> set[type[Model]]:
    """What an agent is told."""
    return set(_parts_first(HostAssignmentSpec))


def _said() -> set[type[Model]]:
    """What only an agent itself says."""
    return set(_parts_first(HostAssignmentStatus)) - _received()


def _in_shape(field: FieldInfo) -> str:
    parts = _shape(field)
    line = f'    "{field.alias}": Field({", ".join(parts)}),'
    if len(line) <= 116:
        return line
    inner = "".join(f"            {part},\n" for part in parts)  # as the formatter would break it
    return f'    "{field.alias}": Field(\n{inner}        ),'


def _shape(field: FieldInfo) -> list[str]:
    hint = _bare(field.annotation)
    hint = _bare(_of_optional(hint) or hint)
    many = {list: "list", dict: "map"}.get(get_origin(hint), "")
    item = field.annotation if not many else get_args(hint)[-1]
    limits = _limits(item, () if many else field.metadata)
    parts = [f"of={_kind(_bare(_of_optional(_bare(item)) or item))}"]
    parts += [f'many="{many}"'] if many else []
    parts += ["required=True"] if field.is_required() else []
    parts += [f'pattern=r"{limits.pattern}"'] if limits.pattern else []
    parts += [
        f"{name}={value}" for name, value in (("least", limits.least), ("most", limits.most)) if value is not None
    ]
    return parts


def _kind(hint: Any) -> str:
    if get_origin(hint) is Literal:
        words = ", ".join(map(_quoted, get_args(hint)))
        return f"({words},)" if len(get_args(hint)) == 1 else f"({words})"  # one word in brackets would be no tuple
    return "None" if hint is Any else str(hint.__name__)


@dataclass
class _Limits:
    pattern: str = ""
    length: int | None = None
    least: int | None = None
    most: int | None = None


def _limits(hint: Any, metadata: Iterable[Any]) -> _Limits:
    """What the annotation says about one value."""
    found = _Limits()
    for one in [*metadata, *_metadata_of(hint)]:
        found.pattern = getattr(one, "pattern", None) or found.pattern
        found.length = getattr(one, "max_length", None) or found.length
        found.least = getattr(one, "ge", found.least)
        found.most = getattr(one, "le", found.most)
    return found


def _metadata_of(hint: Any) -> Iterator[Any]:
    if get_origin(hint) is Annotated:
        inner, *metadata = get_args(hint)
        for one in metadata:
            yield from one.metadata if isinstance(one, FieldInfo) else [one]
        yield from _metadata_of(inner)
    elif (inner := _of_optional(hint)) is not None:
        yield from _metadata_of(inner)


def _properties(model: type[Model]) -> Iterator[str]:
    """Properties of our own models are copied as they stand: they speak only of fields, which are the same here."""
    for owner in reversed(model.__mro__):
        if owner is Model or not issubclass(owner, Model):
            continue
        for value in vars(owner).values():
            if isinstance(value, property) and value.fget is not None:
                yield textwrap.indent(textwrap.dedent(inspect.getsource(value.fget)), "    ")


def _declaration(name: str, field: FieldInfo) -> str:
    hint = _spelled(field.annotation)
    return f"{name}: {hint}" if field.is_required() else f"{name}: {hint} = {_default(field)}"


def _default(field: FieldInfo) -> str:
    value = field.get_default()
    if isinstance(value, Model):
        assert value == type(value)(), f"{field}: a default part must be the part's own default"
        return f"{type(value).__name__}()"
    if isinstance(value, dict):
        assert not value
        return "field(default_factory=dict)"
    if isinstance(value, list):
        assert not value
        return "()"
    return _quoted(value)


def _quoted(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _spelled(hint: Any) -> str:
    """The type as it is written in the plain class."""
    hint = _bare(hint)
    if (inner := _of_optional(hint)) is not None:
        return f"{_spelled(inner)} | None"
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is list:
        return f"tuple[{_spelled(arguments[0])}, ...]"
    if origin is dict:
        return f"Mapping[str, {_spelled(arguments[1])}]"
    if origin is Literal:
        return f"Literal[{', '.join(map(_quoted, arguments))}]"
    return "Any" if hint is Any else str(hint.__name__)


def _bare(hint: Any) -> Any:
    return _bare(get_args(hint)[0]) if get_origin(hint) is Annotated else hint


def _of_optional(hint: Any) -> Any:
    """What X is, if this is `X | None`."""
    if get_origin(hint) not in (Union, UnionType):
        return None
    others = [argument for argument in get_args(hint) if argument is not NoneType]
    assert len(others) == 1, f"a union of {others}: write one field for each member"
    return others[0]


def _reader(model: type[Model]) -> list[str]:
    lines = [
        "    @classmethod",
        "    def from_wire(cls, raw: Mapping[str, Any]) -> Self:",
        "        return cls(",
        *(_fitted(f"            {name}={_read_field(field)},") for name, field in model.model_fields.items()),
        "        )",
    ]
    return lines if model.model_fields else [*lines[:2], "        return cls()"]


def _fitted(line: str) -> str:
    """As the formatter would break it."""
    if len(line) <= 120:
        return line
    return line.replace(" if (part", "\n            if (part").replace(" else ", "\n            else ")


def _read_field(field: FieldInfo) -> str:
    key = f'"{field.alias}"'
    bare = _bare(field.annotation)
    inner = _of_optional(bare)
    hint = bare if inner is None else inner
    if field.is_required():
        return _read(hint, f"raw[{key}]")
    if _is_scalar(hint):
        return f"raw.get({key})" if inner is not None else f"raw.get({key}, {_default(field)})"
    if inner is not None:
        return f"None if (part := raw.get({key})) is None else {_read(hint, 'part')}"
    empty = "()" if get_origin(_bare(hint)) is list else "{}"
    return _read(hint, f"raw.get({key}, {empty})")


def _read(hint: Any, value: str) -> str:
    """An expression that makes the plain value of a JSON value."""
    hint = _bare(hint)
    arguments = get_args(hint)
    if get_origin(hint) is list:
        item = _bare(arguments[0])
        return f"tuple({value})" if _is_scalar(item) else f"tuple({_read(item, 'item')} for item in {value})"
    if get_origin(hint) is dict:
        item = _bare(arguments[1])
        return f"dict({value})" if _is_scalar(item) else f"{{k: {_read(item, 'v')} for k, v in {value}.items()}}"
    return value if _is_scalar(hint) else f"{hint.__name__}.from_wire({value})"


def _is_scalar(hint: Any) -> bool:
    hint = _bare(hint)
    return hint is Any or hint in (str, int, bool) or get_origin(hint) is Literal


def _writer(model: type[Model]) -> list[str]:
    always, sometimes = [], []
    for name, field in model.model_fields.items():
        inner = _of_optional(_bare(field.annotation))
        write = _write_bounded if model in _said() else _write_field
        if inner is None:
            always.append(f'            "{field.alias}": {write(field, f"self.{name}")},')
        else:
            sometimes.append(f"        if self.{name} is not None:")
            sometimes.append(f'            wire["{field.alias}"] = {write(field, f"self.{name}")}')
    head = "    def to_wire(self) -> dict[str, Any]:"
    if not sometimes:
        return [head, "        return {", *always, "        }"] if always else [head, "        return {}"]
    start = (
        ["        wire: dict[str, Any] = {", *always, "        }"] if always else ["        wire: dict[str, Any] = {}"]
    )
    return [head, *start, *sometimes, "        return wire"]


def _write_field(field: FieldInfo, value: str) -> str:
    bare = _bare(field.annotation)
    return _write(_of_optional(bare) or bare, value)


def _write_bounded(field: FieldInfo, value: str) -> str:
    """As `_write_field`, and never more than the schema takes."""
    bare = _bare(field.annotation)
    bare = _of_optional(bare) or bare
    if get_origin(bare) is list:
        length, item = _limits(None, field.metadata).length, get_args(bare)[0]
        if _is_text(item, ()):
            return f"[clip(item) for item in {value}[:{length}]]"
        return _write(bare, f"{value}[:{length}]")
    if get_origin(bare) is dict:
        length, item = _limits(None, field.metadata).length, get_args(bare)[1]
        few, written = f"islice({value}.items(), {length})", _write(item, "v")
        return f"dict({few})" if written == "v" else f"{{k: {written} for k, v in {few}}}"
    return f"clip({value})" if _is_text(field.annotation, field.metadata) else _write(bare, value)


def _is_text(hint: Any, metadata: Iterable[Any]) -> bool:
    """For people: it may be cut. Whatever has a form of its own is a name."""
    limits = _limits(hint, metadata)
    return limits.length == MOST and not limits.pattern


def _write(hint: Any, value: str) -> str:
    """An expression that makes the JSON value of a plain value."""
    hint = _bare(hint)
    arguments = get_args(hint)
    if get_origin(hint) is list:
        item = _bare(arguments[0])
        return f"list({value})" if _is_scalar(item) else f"[{_write(item, 'item')} for item in {value}]"
    if get_origin(hint) is dict:
        item = _bare(arguments[1])
        return f"dict({value})" if _is_scalar(item) else f"{{k: {_write(item, 'v')} for k, v in {value}.items()}}"
    return value if _is_scalar(hint) else f"{value}.to_wire()"
