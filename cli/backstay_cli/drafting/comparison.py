"""A survey against a manifest: what is used and not declared there, and what is declared and was not found in use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .draft import mark_of
from .needs import Confidence, Need, is_below

_FOLDERS: Final = ("path", "mount")
COMMENT: Final = re.compile(r"^\s*#\s*(?:later|DECIDE|maybe|not needed):\s*(\{.*\})\s*$", re.MULTILINE)
"""A line that stands for a resource: of a draft, or `# not needed: {…}` by whoever has decided so."""


@dataclass(frozen=True)
class Comparison:
    """Both ways."""

    undeclared: tuple[Need, ...]
    unused: tuple[str, ...]
    """Of resources that stand in the manifest, those that the survey has not seen: kind and what."""


def compared(
    needs: Sequence[Need], resources: Iterable[Mapping[str, Any]], remarks: Iterable[Mapping[str, Any]]
) -> Comparison:
    """`resources`: of the manifest; `remarks`: what stands in comments of it. What may be no need never counts."""
    held = [*resources]
    declared = [*held, *remarks]
    real = [need for need in needs if not need.is_left_out]
    missing = tuple(
        need
        for need in real
        if need.confidence is not Confidence.MAYBE and not any(_declares(one, need) for one in declared)
    )
    unused = tuple(said for one in held if (said := _unused(one, real)))
    return Comparison(missing, unused)


def _declares(resource: Mapping[str, Any], need: Need) -> bool:
    """The same thing, or a directory that it lies in, or a package whose list it is on."""
    for kind in _FOLDERS:
        folder = _field(resource, kind, "path")
        if folder and need.covers and all(is_below(path, (folder,)) for path in need.covers):
            return True
    spec = resource.get(need.kind)
    if not isinstance(spec, Mapping):
        return False
    if need.kind == "virtualIP":
        return True  # any address of the service's own is an answer to that question
    if need.kind == "package":
        return need.spec["name"] in (spec.get("name"), *_list(spec.get("with")))
    name, value = _key(need)
    return spec.get(name) == value or (name == "units" and set(value) <= set(_list(spec.get(name))))


def _key(need: Need) -> tuple[str, Any]:
    return next(iter(need.spec.items()))


def _unused(resource: Mapping[str, Any], needs: list[Need]) -> str:
    """Only of kinds that the survey can see."""
    for kind, field in (("systemd", "unit"), ("mount", "path")):
        value = _field(resource, kind, field)
        if value and not any(need.spec.get(field) == value for need in needs if need.kind == kind):
            return f"{kind} {value}"
    return ""


def _field(resource: Mapping[str, Any], kind: str, field: str) -> str:
    spec = resource.get(kind)
    value = spec.get(field) if isinstance(spec, Mapping) else None
    return value if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def told(need: Need) -> dict[str, Any]:
    """For programs."""
    return {
        "kind": need.kind,
        "spec": dict(need.spec),
        "why": need.why,
        "confidence": need.confidence.name.capitalize(),
        "strategy": need.strategy,
        "consistency": need.consistency,
        "rule": need.number,
        "mark": mark_of(need),
    }
