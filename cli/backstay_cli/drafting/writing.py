"""Adds what a survey has found to the text of a manifest, and touches no line of it that is there: comments, order and edits stay. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import yaml

from backstay_api.objects.object_kinds import HA_SERVICES

from .draft import lines_of
from .needs import Need

_HEAD: Final = re.compile(r"^( *)resources:[ \t]*(#.*)?$")
_KIND: Final = re.compile(rf"^kind:[ \t]*[\"']?{HA_SERVICES.kind}[\"']?[ \t]*(#.*)?$")


class Unwritable(Exception):
    """The manifest is not written as lists are in a draft. The text is a sentence for people."""


def added(text: str, needs: Iterable[Need]) -> str:
    """The manifest with these needs above its other resources, which may stand on them. Raises Unwritable."""
    lines = text.splitlines(keepends=True)
    at = _head(lines)
    indent = _indent(lines, at)
    names = {str(one.get("name")) for one in _resources(text)}
    new = [f"{indent}{line}\n" if line else "\n" for line in lines_of(needs, names)]
    whole = "".join([*lines[: at + 1], *new, *lines[at + 1 :]])
    before, after = _resources(text), _resources(whole)
    # Held against what YAML makes of both: a text that looks odd to us is rather not written.
    if after[len(after) - len(before) :] != before or _without_resources(text) != _without_resources(whole):
        raise Unwritable("what would be written means something else than the manifest with these resources added")
    return whole


def _head(lines: Sequence[str]) -> int:
    """The line of its list of resources."""
    kind = next((at for at, line in enumerate(lines) if _KIND.match(line.rstrip("\n"))), None)
    starts = [at for at, line in enumerate(lines) if line.startswith("---")]
    if kind is not None:
        begin = max((at for at in starts if at < kind), default=-1) + 1
        end = min((at for at in starts if at > kind), default=len(lines))
        found = [at for at in range(begin, end) if _HEAD.match(lines[at].rstrip("\n"))]
        if len(found) == 1:
            return found[0]
    raise Unwritable("it has no one line `resources:` of an HAService, with one resource a `-` below it")


def _indent(lines: Sequence[str], at: int) -> str:
    """That of the list's first entry."""
    for line in lines[at + 1 :]:
        if (found := re.match(r"^( *)-[ \n]", line)) is not None:
            return found[1]
        if line.strip() and not line.lstrip().startswith("#"):
            break
    raise Unwritable("the line below `resources:` does not begin with `-`")


def _first(text: str) -> Mapping[str, Any]:
    for one in yaml.safe_load_all(text):
        if isinstance(one, dict) and one.get("kind") == HA_SERVICES.kind and isinstance(one.get("spec"), dict):
            return one
    raise Unwritable("it holds no HAService")


def _resources(text: str) -> list[Mapping[str, Any]]:
    found = _first(text)["spec"].get("resources")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _without_resources(text: str) -> list[Any]:
    found = [one for one in yaml.safe_load_all(text) if one is not None]
    first = _first(text)
    return [{**one, "spec": {**one["spec"], "resources": None}} if one == first else one for one in found]
