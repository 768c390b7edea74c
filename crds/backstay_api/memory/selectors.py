"""Label and field selectors, as far as the in-memory API has to understand them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from backstay_api.client.errors import Invalid

Labels = Mapping[str, str]
Test = Callable[[Labels], bool]

_SET = re.compile(r"^(?P<key>\S+)\s+(?P<verb>in|notin)\s*\((?P<values>[^)]*)\)$")
_EQUALITY = re.compile(r"^(?P<key>[^\s=!]+)\s*(?P<verb>==|=|!=)\s*(?P<value>[^\s=!]*)$")
_PRESENCE = re.compile(r"^(?P<absent>!?)\s*(?P<key>[^\s=!()]+)$")


def matches_labels(selector: str, labels: Labels) -> bool:
    """Whether every comma-separated requirement of the selector holds; the empty selector always does."""
    return all(_requirement(part)(labels) for part in _parts(selector))


def matches_fields(selector: str, body: Mapping[str, Any]) -> bool:
    """The two fields that every kind can be selected by: metadata.name and metadata.namespace."""
    meta = body["metadata"]
    fields = {"metadata.name": meta["name"], "metadata.namespace": meta.get("namespace", "")}
    for part in _parts(selector):
        found = _EQUALITY.match(part)
        if not found or found["key"] not in fields:
            raise Invalid(f"field label not supported: {part}", code=400, reason="BadRequest")
        if (fields[found["key"]] == found["value"]) is (found["verb"] == "!="):
            return False
    return True


def _parts(selector: str) -> list[str]:
    return [part.strip() for part in re.split(r",(?![^(]*\))", selector) if part.strip()]


def _requirement(part: str) -> Test:
    if found := _SET.match(part):
        key, values = found["key"], {value.strip() for value in found["values"].split(",")}
        wanted = found["verb"] == "in"
        return lambda labels: (labels.get(key) in values) is wanted
    if found := _EQUALITY.match(part):
        key, value, unequal = found["key"], found["value"], found["verb"] == "!="
        return lambda labels: (labels.get(key) == value) is not unequal
    if found := _PRESENCE.match(part):
        key, absent = found["key"], bool(found["absent"])
        return lambda labels: (key not in labels) is absent
    raise Invalid(f"unable to parse requirement: {part}", code=400, reason="BadRequest")
