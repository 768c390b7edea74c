"""`-o jsonpath=…` as kubectl has it: `{.services[*].metadata.name}`, `{range .hosts[*]}{.metadata.name}{end}`, `[?(@.type=="Ready")]`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

_PART: Final = re.compile(r"\{([^{}]*)\}|([^{}]+)")
_STEP: Final = re.compile(
    r"\.?\[\?\(@((?:\.[\w-]+)+)\s*==\s*(?P<quote>['\"])(?P<value>.*?)(?P=quote)\)\]"
    r"|\.?\[(?P<index>-?\d+|\*)\]|\.?\['(?P<key>[^']+)'\]|\.(?P<name>[\w-]+|\*)"
)


def rendered(template: str, data: Any) -> str:
    """The template with what it asks for.

    Raises ValueError with a sentence where it cannot be read.
    """
    parts = _parts(template)
    text, rest = _render(parts, data, data)
    if rest:
        raise ValueError("jsonpath: {end} without {range}")
    return text


def _parts(template: str) -> list[tuple[str, str]]:
    """What stands in braces, and what stands between."""
    if not template:
        raise ValueError("jsonpath: the template is empty")
    found = [(one[1], one[2]) for one in _PART.finditer(template)]
    if sum(len(inner) + 2 if not text else len(text) for inner, text in found) != len(template):
        raise ValueError(f"jsonpath: unbalanced braces in {template!r}")
    if not any(inner for inner, _ in found):  # as kubectl, which takes it without braces
        return [(template, "")]
    return [(inner or "", text or "") for inner, text in found]


def _render(parts: Sequence[tuple[str, str]], root: Any, here: Any) -> tuple[str, Sequence[tuple[str, str]]]:
    """The text up to {end}, and what stands after it."""
    text = ""
    while parts:
        (inner, between), parts = parts[0], parts[1:]
        inner = inner.strip()
        if between:
            text += between
        elif inner == "end":
            return text, parts if parts else [("", "")]
        elif inner.startswith("range "):
            pieces = [_render(parts, root, one) for one in _found(inner.removeprefix("range ").strip(), root, here)]
            text += "".join(piece for piece, _ in pieces)
            parts = _after_end(parts)
        elif inner[:1] in ("'", '"'):
            text += _unquoted(inner)
        else:
            text += " ".join(_text(one) for one in _found(inner, root, here))
    return text, ()


def _after_end(parts: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    depth = 1
    for number, (inner, _) in enumerate(parts):
        depth += inner.strip().startswith("range ")
        depth -= inner.strip() == "end"
        if not depth:
            return parts[number + 1 :]
    raise ValueError("jsonpath: {range} without {end}")


def _found(path: str, root: Any, here: Any) -> list[Any]:
    start = root if path.startswith("$") else here
    rest, values = path.lstrip("$@"), [start]
    rest = rest if not rest or rest[0] in ".[" else f".{rest}"
    if rest == ".":
        return values
    while rest:
        step = _STEP.match(rest)
        if step is None:
            raise ValueError(f"jsonpath: cannot read {rest!r}")
        values = [found for value in values for found in _taken(step, value)]
        rest = rest[step.end() :]
    return values


def _taken(step: re.Match[str], value: Any) -> Iterator[Any]:
    if step["value"] is not None:
        keys = step[1].strip(".").split(".")
        yield from (one for one in value or () if _text(_deep(one, keys)) == step["value"])
    elif step["index"] not in (None, "*"):
        if isinstance(value, list) and -len(value) <= int(step["index"]) < len(value):
            yield value[int(step["index"])]
    elif "*" in (step["index"], step["name"]):
        yield from value.values() if isinstance(value, dict) else value or ()
    elif isinstance(value, dict) and (key := step["key"] or step["name"]) in value:
        yield value[key]


def _deep(value: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(f'"{text[1:-1]}"'))
    except ValueError:
        raise ValueError(f"jsonpath: cannot read {text}") from None
