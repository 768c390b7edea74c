"""From the JSON Schema that pydantic writes to the structural OpenAPI v3 schema that the API server demands.

Pure: dictionaries in, a dictionary out. Each branch answers one refusal, or one silent loss, of a real API server
(FACTS 3.2). What has no honest translation raises `Untranslatable`, so it is found when the CRDs are generated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

Json = dict[str, Any]

INT_OR_STRING: Final = "x-kubernetes-int-or-string"
RULES: Final = "x-kubernetes-validations"
LIST_TYPE: Final = "x-kubernetes-list-type"
LIST_KEYS: Final = "x-kubernetes-list-map-keys"
FREE_FORM: Final = "x-kubernetes-preserve-unknown-fields"

_KEPT: Final = (
    *("type", "enum", "minimum", "maximum", "multipleOf", "minLength", "maxLength", "pattern"),
    *("minItems", "maxItems", "minProperties", "maxProperties", LIST_TYPE, LIST_KEYS, RULES),
)
# RE2 has no look-around and no back references; \s, \w, \d and \b are ASCII in RE2 and Unicode in pydantic's engine.
_NOT_RE2: Final = re.compile(r"\(\?(?:=|!|<=|<!)|\\[1-9]|\\[sSwWdDbB]")
_SENTENCE_END: Final = re.compile(r"(?<=[.:!?])\s+")


class Untranslatable(ValueError):
    """The model says something that no structural schema can say, or that the API server would refuse for cost."""


def structural(schema: Mapping[str, Any]) -> Json:
    """The structural schema of one pydantic JSON Schema, with everything inlined, bounded and described."""
    result = _Translator(schema.get("$defs", {})).node(dict(schema), ())
    for path, fault in _unbounded(result, ()):
        raise Untranslatable(f"{'.'.join(path)}: {fault}; the API server needs a bound to estimate the cost of rules")
    return result


class _Translator:
    def __init__(self, definitions: Mapping[str, Json]) -> None:
        self._definitions = definitions

    def node(self, raw: Json, trail: tuple[str, ...]) -> Json:
        raw, trail = self._inlined(raw, trail)
        if "anyOf" in raw:
            return self._union(raw, trail)
        if "oneOf" in raw:
            raise Untranslatable("a discriminated union: write one field for each member and `exactly_one_of`")
        if "prefixItems" in raw:
            raise Untranslatable("a tuple: the API server knows only lists of one type")
        result = _described(raw)
        result |= {key: raw[key] for key in _KEPT if key in raw}
        result |= _enumeration(raw) | _exclusive_bounds(raw)
        if "pattern" in raw and _NOT_RE2.search(raw["pattern"]):
            raise Untranslatable(f"pattern {raw['pattern']!r} means something else, or nothing, in RE2")
        if raw.get("type") == "array":
            result |= self._list(raw, trail)
        if raw.get("type") == "object":
            result |= self._object(raw, result, trail)
        return result

    def _inlined(self, raw: Json, trail: tuple[str, ...]) -> tuple[Json, tuple[str, ...]]:
        """`$ref` replaced by what it names; the field's own words come before those of the type."""
        reference = raw.get("$ref")
        if reference is None:
            return raw, trail
        name = reference.removeprefix("#/$defs/")
        if name in trail:
            raise Untranslatable(f"{name} contains itself: a structural schema cannot say that")
        target = self._definitions[name]
        words = _without_echo(raw.get("description", ""), target.get("description", ""))
        return target | raw | {"$ref": None, "description": words}, (*trail, name)

    def _union(self, raw: Json, trail: tuple[str, ...]) -> Json:
        """`X | None` is X that may be left out; int or str has a word of its own; nothing else can be said."""
        members = [member for member in raw["anyOf"] if member.get("type") != "null"]
        outside = {key: value for key, value in raw.items() if key != "anyOf"}
        if {member.get("type") for member in members} == {"integer", "string"}:
            return {**_described(raw), INT_OR_STRING: True}
        if len(members) != 1:
            raise Untranslatable(f"a union of {len(members)} types: write one field for each member")
        return self.node(members[0] | outside, trail)

    def _list(self, raw: Json, trail: tuple[str, ...]) -> Json:
        result: Json = {"items": self.node(raw["items"], trail)}
        if raw.get("uniqueItems"):
            result[LIST_TYPE] = "set"
        keys = raw.get(LIST_KEYS, [])
        items = result["items"]
        missing = [key for key in keys if "default" not in items["properties"][key]]
        if missing:
            items["required"] = sorted({*items.get("required", []), *missing})
        return result

    def _object(self, raw: Json, so_far: Json, trail: tuple[str, ...]) -> Json:
        if raw.get("properties"):
            properties = {name: self._property(value, trail) for name, value in raw["properties"].items()}
            return {"properties": properties} | ({"required": raw["required"]} if raw.get("required") else {})
        values = _map_values(raw)
        if values is True:
            return {FREE_FORM: True}
        if not isinstance(values, dict):
            return {}
        rules = [*so_far.get(RULES, []), *_key_rules(raw)]
        return {"additionalProperties": self.node(values, trail)} | ({RULES: rules} if rules else {})

    def _property(self, raw: Json, trail: tuple[str, ...]) -> Json:
        result = self.node(raw, trail)
        default = raw.get("default")
        if "properties" in result:
            if default is not None and _something_hangs_on(result):
                result["default"] = {}
        elif default not in (None, "", [], {}):
            result["default"] = default
        return result


def _without_echo(field: str, type_: str) -> str:
    """The words of the field, then those sentences of its type that the field has not said already."""
    said = set(_SENTENCE_END.split(field))
    rest = [sentence for sentence in _SENTENCE_END.split(type_) if sentence not in said]
    return "\n".join(text for text in (field, " ".join(rest)) if text)


def _described(raw: Json) -> Json:
    return {"description": raw["description"]} if raw.get("description") else {}


def _enumeration(raw: Json) -> Json:
    """`const` would be dropped without a word, null in an enum is about X | None."""
    if "const" in raw:
        return {"enum": [raw["const"]]}
    return {"enum": [value for value in raw["enum"] if value is not None]} if "enum" in raw else {}


def _exclusive_bounds(raw: Json) -> Json:
    """In OpenAPI v3.0 the exclusive bounds are flags beside the inclusive ones."""
    result: Json = {}
    if "exclusiveMinimum" in raw:
        result |= {"minimum": raw["exclusiveMinimum"], "exclusiveMinimum": True}
    if "exclusiveMaximum" in raw:
        result |= {"maximum": raw["exclusiveMaximum"], "exclusiveMaximum": True}
    if raw.get("type") == "integer":
        result["format"] = "int64"
    return result


def _map_values(raw: Json) -> Any:
    patterns = raw.get("patternProperties")
    if patterns:
        assert len(patterns) == 1, patterns
        return next(iter(patterns.values()))
    return raw.get("additionalProperties")


def _key_rules(raw: Json) -> Iterator[Json]:
    """Structural schemas say nothing of a map's keys, so CEL does."""
    names = raw.get("propertyNames", {})
    shortest, longest = names.get("minLength", 0), names.get("maxLength")
    if longest is not None:
        at_least = f"size(key) >= {shortest} && " if shortest else ""
        yield {
            "rule": f"self.all(key, {at_least}size(key) <= {longest})",
            "message": f"keys must have {shortest} to {longest} characters",
        }
    for pattern in raw.get("patternProperties", {}):
        if _NOT_RE2.search(pattern):
            raise Untranslatable(f"key pattern {pattern!r} means something else, or nothing, in RE2")
        yield {"rule": f"self.all(key, key.matches({json.dumps(pattern)}))", "message": f"keys must match {pattern}"}


def _something_hangs_on(part: Json) -> bool:
    """Whether a part that is left out must be there all the same: for the defaults in it, or for rules on it."""
    if part.get(RULES):
        return True
    return any("default" in child for child in part["properties"].values())


def _unbounded(node: Json, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    kind = node.get("type")
    if kind == "string" and "enum" not in node and "maxLength" not in node:
        yield path, "a string without maxLength"
    if kind == "array" and "maxItems" not in node:
        yield path, "a list without maxItems"
    if "additionalProperties" in node and "maxProperties" not in node:
        yield path, "a map without maxProperties"
    for name, child in node.get("properties", {}).items():
        yield from _unbounded(child, (*path, name))
    for word in ("items", "additionalProperties"):
        if word in node:
            yield from _unbounded(node[word], (*path, word))
