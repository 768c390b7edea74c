"""The draft: a manifest as text, in which every resource says why it is there, and what only a person can know is marked DECIDE.

What Backstay carries out today stands as resources. What it cannot do yet, and what is undecided, stands as one comment a line that is
itself a resource (`# later: {…}`, `# DECIDE: {…}`, `# maybe: {…}`): nothing is refused, nothing is forgotten, and `discover --diff` reads them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from backstay_api.objects.models.resources import Resource
from backstay_api.objects.resource_kinds import RESOURCE_KINDS
from backstay_api.objects.survey import Survey

from .needs import Confidence, Need, label

CARRIED_OUT: Final = {kind.wire: kind for kind in RESOURCE_KINDS if kind.is_implemented}
"""Kinds that stand in a draft as resources."""
MARKS: Final = ("later", "DECIDE", "maybe")
_ORDER: Final = (
    "package",
    "path",
    "file",
    "setting",
    "certificate",
    "endpoint",
    "device",
    "mount",
    "systemd",
    "virtualIP",
)
_SAYS: Final = {Confidence.SURE: "sure", Confidence.LIKELY: "likely", Confidence.MAYBE: "maybe"}
_PLAIN: Final = re.compile(
    r"-{0,2}[A-Za-z/][A-Za-z0-9/._@+-]*(?: [A-Za-z0-9/._@+-]+)*|\d+(?:ms|[smh])|\d+\.\d+\.\d+\.\d+/\d+"
)
_WORDS_OF_YAML: Final = ("true", "false", "yes", "no", "on", "off", "null", "y", "n")
_MOST_WHY: Final = 400


def draft(survey: Survey, needs: Iterable[Need], namespace: str = "default") -> str:
    """The text of a manifest that today's release accepts."""
    some = in_order(needs)
    lines = [
        *(f"# {line}" for line in _header(survey, some)),
        "apiVersion: backstay.dev/v1alpha1",
        "kind: HAService",
        f"metadata: {{name: {_service_name(survey.unit)}, namespace: {namespace}}}",
        "spec:",
        "  resources:",
    ]
    lines += [f"    {line}" if line else "" for line in lines_of(some, set())]
    return "\n".join(lines) + "\n"


def lines_of(needs: Iterable[Need], names: set[str]) -> Iterator[str]:
    """The entries of these needs in a list of resources, in which these names are taken."""
    for need in needs:
        yield from _resource(need, _unique(need.name, names))


def in_order(needs: Iterable[Need]) -> list[Need]:
    """As they stand in a draft: what is needed by others above those; what is left out at the end."""
    return sorted(needs, key=lambda need: (need.is_left_out, _place(need)))


def _place(need: Need) -> tuple[int, int]:
    at = _ORDER.index(need.kind) if need.kind in _ORDER else len(_ORDER)
    # Units that it requires stand above the unit itself, and what only works on its data below.
    return at, {1: 1, 28: 2}.get(need.number, 0)


def mark_of(need: Need) -> str:
    """How it stands in a draft: as a comment of that mark, or, empty, as a resource."""
    if need.is_undecided:
        return "DECIDE"
    if need.confidence is Confidence.MAYBE:
        return "maybe"
    return "" if _is_carried_out(need) else "later"


def _is_carried_out(need: Need) -> bool:
    """Whether today's release takes it as it is. It looks at no file that is the host's own, nor at one with an odd name."""
    kind = CARRIED_OUT.get(need.kind)
    if kind is None or not kind.is_prerequisite:
        return kind is not None
    try:
        spec = Resource.model_validate({"name": "one", need.kind: _without_others(need)})
    except ValidationError:
        return False
    return not kind.fault(getattr(spec, kind.field)) and need.consistency in ("", "Any", kind.consistency)


def _without_others(need: Need) -> dict[str, Any]:
    """Of a package, it alone: packages `with` it have a line of their own, since nothing compares them yet."""
    return {field: value for field, value in need.spec.items() if (need.kind, field) != ("package", "with")}


def resource_of(need: Need, name: str) -> dict[str, Any]:
    """As a resource of a manifest. What is as always for a kind that is carried out is left out of it."""
    if _is_carried_out(need) and not need.is_undecided:
        kind = CARRIED_OUT[need.kind]
        said = {"consistency": need.consistency, "gate": need.gate} if kind.is_prerequisite else {}
        other = {field: value for field, value in said.items() if value not in ("", getattr(kind, field))}
        return {"name": name, need.kind: _without_others(need), **other, **need.rest}
    held = {"strategy": "" if need.is_undecided else need.strategy, "consistency": need.consistency, "gate": need.gate}
    return {
        "name": name,
        need.kind: dict(need.spec),
        **{field: value for field, value in held.items() if value},
        **need.rest,
    }


# --- header --------------------------------------------------------------------------------------------------------------


def _header(survey: Survey, needs: list[Need]) -> Iterator[str]:
    kept = [need for need in needs if not need.is_left_out]
    counts = {mark: sum(mark_of(need) == mark for need in kept) for mark in ("", *MARKS)}
    also = f" (asked for as {survey.asked})" if survey.asked else ""
    yield f"Drafted by `backstay discover` from a survey of {survey.unit}{also} on {survey.host}, which took {survey.duration_s:g} s."
    decided = f"{counts['']} are carried out as they stand, {counts['later']} later, {counts['DECIDE']} to DECIDE"
    yield f"{len(kept)} needs: {decided}, {counts['maybe']} that may be none."
    yield "Backstay starts, stops and watches units, commands, addresses, mounts and OCF resources; of files, folders, packages,"
    yield "certificates, settings and endpoints it sees that each host has them, alike: you bring them there. What stands behind `# later:`"
    yield (
        "it can neither bring to another host nor compare there: see to that yourself."
        " Keep those: `backstay discover HOST --diff SERVICE` reads them."
    )
    yield from _left_out(needs)
    for one in survey.skipped:
        yield f"Not looked at: {one.source}: {one.why}."
    yield "Not looked at: files that were opened and closed before the survey, schedules of cron, what the service does once a day."


def _left_out(needs: list[Need]) -> Iterator[str]:
    by_reason: dict[str, list[str]] = {}
    for need in needs:
        if need.is_left_out:
            known = by_reason.setdefault(need.why if need.number in (23, 24, 30) else "", [])
            known.append(need.name if need.number in (23, 24, 30) else f"{need.name} ({need.why})")
    for why, names in by_reason.items():
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        yield f"Left out{f', for {why}' if why else ''}: {', '.join(names[:8])}{more}."


def _service_name(unit: str) -> str:
    return label(unit.rpartition(".")[0].split("@")[0])


def _unique(name: str, names: set[str]) -> str:
    found = next(
        each
        for number in range(1, len(names) + 2)
        if (each := name if number == 1 else f"{name}-{number}") not in names
    )
    names.add(found)
    return found


# --- one need --------------------------------------------------------------------------------------------------------------


def _resource(need: Need, name: str) -> Iterator[str]:
    if need.is_left_out:
        return
    mark = mark_of(need)
    said = "DECIDE" if mark == "DECIDE" else _SAYS[need.confidence]
    yield f"# {said}: {need.why[:_MOST_WHY]}"
    for letter, choice in zip("abcdefgh", need.choices, strict=False):
        yield f"#   {letter}) {choice}"
    if mark:
        yield f"# {mark}: {flow(resource_of(need, name))}"
    else:
        yield from _block(resource_of(need, name))
    if others := need.spec.get("with") if need.kind == "package" and not mark else None:
        yield f"# later: {flow({'name': f'{name}-with', 'package': {'name': need.spec['name'], 'with': others}})}"


def _block(resource: Mapping[str, Any]) -> Iterator[str]:
    """As people write it: one field a line."""
    start = "- "
    for field, value in resource.items():
        if field == "probes":
            yield "  probes:"
            yield from (f"    - {flow(probe)}" for probe in value)
        else:
            yield f"{start}{field}: {flow(value)}"
        start = "  "


def flow(value: Any) -> str:
    """YAML on one line. A text is written as it is where nobody could take it for anything else."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(str(name))}: {flow(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(each) for each in value) + "]"
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and value.lower() not in _WORDS_OF_YAML else _quoted(value)
    return json.dumps(value)


def _quoted(text: str) -> str:
    """Not as JSON has it: to YAML, a pair of surrogates is two letters."""
    return (
        '"'
        + "".join(each if each.isprintable() and each not in '"\\' else f"\\U{ord(each):08x}" for each in text)
        + '"'
    )
