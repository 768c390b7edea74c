"""Reference pages, one a kind: every field with its type, default, writer and meaning, and every rule in its own words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from backstay_api.generate.definitions import object_schema
from backstay_api.generate.schema import FREE_FORM, INT_OR_STRING, RULES, Json
from backstay_api.objects.models.base import GROUP, VERSION, Object

_HEADER: Final = "<!-- Generated from crds/backstay_api/objects/models by `python -m backstay_api.generate`. -->\n"
_WRITER: Final = re.compile(r"Written (?:once, )?by ((?:[^.,;:]|:(?=\S))+)")
_WRITER_OF: Final = re.compile(r"`(\w+)` by ((?:[^.,;:]|:(?=\S))+)")


@dataclass(frozen=True)
class Row:
    """One field, as the table shows it."""

    path: str
    node: Json
    required: bool
    writer: str


def page(kind: type[Object]) -> str:
    """The whole page of one kind."""
    schema = object_schema(kind)
    names = ", ".join(f"`{name}`" for name in (kind.plural, *kind.short_names))
    scope = "in a namespace" if kind.namespaced else "for the whole cluster"
    parts = [_HEADER, f"# {kind.__name__}\n", f"{schema['description']}\n"]
    parts.append(f"`{GROUP}/{VERSION}`, {scope}; `kubectl get` knows it as {names}.\n")
    for name in ("spec", "status"):
        if name in schema["properties"]:
            parts += _section(name, schema)
    return "\n".join(parts)


_OTHER_PAGES: Final = (
    "* [Events](events.md): what people are told of what is done.",
    "* [Layers and modules](modules.md): what each part of the code is for, and what it may use.",
)


def index(kinds: tuple[type[Object], ...]) -> str:
    """The page that leads to all others."""
    lines = [f"* [{kind.__name__}]({kind.plural}.md): {object_schema(kind)['description']}" for kind in kinds]
    return "\n".join([_HEADER, "# Reference\n", *lines, *_OTHER_PAGES, ""])


def _section(name: str, schema: Json) -> list[str]:
    node = schema["properties"][name]
    rows = list(_rows(node, name, _writer_in(node, "")))
    table = ["| Field | Type | Default | Written by | Meaning |", "| --- | --- | --- | --- | --- |"]
    table += [_line(row) for row in rows]
    rules = [f"* `{path}`: {message}" for path, message in _rules(node, name)]
    heading = [f"## {name}\n", f"{_one_line(node.get('description', ''))}\n"]
    return [*heading, "\n".join(table), "", *(["Rules that the API server holds:\n", *rules, ""] if rules else [])]


def _rows(node: Json, path: str, writer: str) -> Iterator[Row]:
    for name, child in node.get("properties", {}).items():
        by = _writer_of(node, name) or _writer_in(child, writer)
        here = f"{path}.{name}{_suffix(child)}"
        yield Row(here, child, name in node.get("required", ()), by)
        yield from _rows(_inside(child), here, by)


def _inside(node: Json) -> Json:
    """What the fields of a list's items, or of a map's values, are."""
    inner: Json = node.get("items") or node.get("additionalProperties") or node
    return inner


def _suffix(node: Json) -> str:
    return "[]" if "items" in node else ".*" if "additionalProperties" in node else ""


def _writer_in(node: Json, otherwise: str) -> str:
    found = _WRITER.search(node.get("description", ""))
    return found[1] if found else otherwise


def _writer_of(node: Json, field: str) -> str | None:
    """Some fields have another writer than their siblings: "`confirm` by a person"."""
    return dict(_WRITER_OF.findall(node.get("description", ""))).get(field)


def _line(row: Row) -> str:
    default = "required" if row.required else _default(row.node)
    cells = (f"`{row.path}`", _type(row.node), default, row.writer, _one_line(row.node.get("description", "")))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(node: Json) -> str:
    default = node.get("default")
    return "" if default in (None, {}) else f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _type(node: Json) -> str:
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    if "items" in node:
        return f"list of {_type(node['items'])}"
    if "additionalProperties" in node:
        return f"map to {_type(node['additionalProperties'])}"
    if node.get(INT_OR_STRING):
        return "integer or string"
    return "anything" if node.get(FREE_FORM) else str(node["type"])


def _rules(node: Json, path: str) -> Iterator[tuple[str, str]]:
    for rule in node.get(RULES, ()):
        yield path, rule["message"]
    for name, child in node.get("properties", {}).items():
        yield from _rules(child, f"{path}.{name}")
    inner = _inside(node)
    if inner is not node:
        yield from _rules(inner, path + _suffix(node))


def _one_line(text: str) -> str:
    return " ".join(text.split())
