"""What a JSON value must look like to be one of our plain objects, and in which way one that comes from elsewhere does not.

The API server checks against the schema it has, which may be that of a later release: an old reader must notice what it does
not know. `plain.py` carries the shapes, generated from the models. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field, as the wire has it."""

    of: Any
    """`str`, `int`, `bool`, the words that are allowed, or a class with a SHAPE; None: anything."""
    many: Literal["", "list", "map"] = ""
    required: bool = False
    pattern: str = ""
    least: int | None = None
    most: int | None = None


Shape = Mapping[str, Field]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A field or a word that this release does not know: a later one does."""

    what: str
    is_field: bool = False


@dataclass(frozen=True, slots=True)
class Wrong:
    """A value that no release could mean. A sentence."""

    why: str


_TYPES: Final[Mapping[type, str]] = {str: "a text", int: "a whole number", bool: "true or false"}


def without_nulls(raw: Any) -> Any:
    """The same without fields that are null: they say as little as those that are not there."""
    if isinstance(raw, Mapping):
        return {name: without_nulls(value) for name, value in raw.items() if value is not None}
    return [without_nulls(item) for item in raw] if isinstance(raw, list) else raw


def oddities(shape: Shape, raw: Any, *, at: str = "") -> Iterator[Unknown | Wrong]:
    """Everything in which `raw` is not of this shape. An unknown field that is empty says nothing, and is not odd."""
    if not isinstance(raw, Mapping):
        yield Wrong(f"{at or 'it'} is no object")
        return
    for name, value in raw.items():
        if name not in shape and value not in (None, "", [], {}, False):
            yield Unknown(_path(at, str(name)), is_field=True)
    for name, field in shape.items():
        if (value := raw.get(name)) is not None:
            yield from _in_field(field, value, _path(at, name))
        elif field.required:
            yield Wrong(f"{_path(at, name)} is missing")


def _in_field(field: Field, value: Any, at: str) -> Iterator[Unknown | Wrong]:
    if field.many == "":
        yield from _in_value(field, value, at)
    elif field.many == "list" and isinstance(value, list):
        for item in value:
            yield from _in_value(field, item, at)
    elif field.many == "map" and isinstance(value, Mapping):
        for item in value.values():
            yield from _in_value(field, item, at)
    else:
        yield Wrong(f"{at} is no {field.many}")


def _in_value(field: Field, value: Any, at: str) -> Iterator[Unknown | Wrong]:
    if field.of is None:
        return
    if isinstance(field.of, tuple):
        if not isinstance(value, str):
            yield Wrong(f"{at} is no word")
        elif value not in field.of:
            yield Unknown(f"{at}: {value}")
    elif field.of in _TYPES:
        yield from _in_scalar(field, value, at)
    else:
        yield from oddities(field.of.SHAPE, value, at=at)


def _in_scalar(field: Field, value: Any, at: str) -> Iterator[Unknown | Wrong]:
    if type(value) is not field.of:
        yield Wrong(f"{at} is {_short(value)}, not {_TYPES[field.of]}")
    elif field.pattern and not _compiled(field.pattern).fullmatch(value):
        yield Unknown(f"{at}: {_short(value)}")
    elif (field.least is not None and value < field.least) or (field.most is not None and value > field.most):
        yield Wrong(f"{at} is {value}, out of bounds")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.removesuffix("$"))


def _path(at: str, name: str) -> str:
    return f"{at}.{name[:80]}" if at else name[:80]


def _short(value: Any) -> str:
    return repr(value)[:80]
