"""`backstay-agent policy`: what this host allows services to bring, and what it would say of a manifest."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from backstay_api import VERSION
from backstay_api.objects.plain import RenderedPrerequisite, RenderedResource
from backstay_api.objects.policies import WORDS, Answer, PolicyRow
from backstay_api.objects.resource_kinds import PREREQUISITES, kinds_in
from backstay_api.objects.shapes import Wrong, oddities

from .files import FOLDER, Policy, read_policy

OK: Final = 0
REFUSED: Final = 1
NOT_READ: Final = 2
_JSON: Final = "give it as JSON: kubectl create --dry-run=client -o json -f web.yaml | backstay-agent policy test -"


class NotRead(Exception):
    """Of a manifest; the text is a sentence."""


def main(arguments: Sequence[str], folder: Path = FOLDER) -> int:
    options = _options().parse_args(arguments)
    policy = read_policy(folder)
    if options.verb == "show":
        print("\n".join(_shown(policy)))
        return REFUSED if policy.faults else OK
    try:
        services = list(_services(_given(options.manifest), options.namespace))
        return _tested(
            policy,
            [(f"{ns}/{name}", one) for ns, name, spec in services for one in _answers(policy, ns, spec)],
            options.output,
        )
    except NotRead as error:
        print(f"backstay-agent policy: {error}", file=sys.stderr)
        return NOT_READ


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="backstay-agent policy", description=f"What this host allows services to bring: the files in {FOLDER}."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("show", help="what is in force; exit code 1: a file cannot be used, so nothing new is allowed")
    test = verbs.add_parser(
        "test",
        help="what of a manifest is allowed, and why not",
        epilog="exit code 0: all of it; 1: not all; 2: it cannot be read",
    )
    test.add_argument("manifest", metavar="MANIFEST", help="an HAService, or a List of them, as JSON; -: stdin")
    test.add_argument("--output", "-o", choices=("text", "yaml"), default="text", help="for people, or for programs")
    test.add_argument("--namespace", "-n", default="default", help="where the manifest names none (default: default)")
    return parser


def _shown(policy: Policy) -> Iterator[str]:
    yield policy.sentence
    for row in policy.rows:
        yield f"\n{row.where}: namespaces {', '.join(row.namespaces)}"
        yield from (f"  {line}" for line in _lines(row))


def _lines(row: PolicyRow) -> Iterator[str]:
    if row.kinds is not None:
        yield f"kinds: {', '.join(row.kinds)}"
    yield from (f"{word}: {', '.join(row.patterns[word])}" for word in WORDS if word in row.patterns)


def _answers(policy: Policy, namespace: str, spec: Mapping[str, Any]) -> Iterator[Answer]:
    for resource in _resources(spec):
        yield from policy.answers(namespace, resource)
    promotion = spec.get("promotion")
    command = promotion.get("scoreCommand") if isinstance(promotion, Mapping) else None
    if command is not None and not (isinstance(command, list) and all(isinstance(word, str) for word in command)):
        raise NotRead("promotion.scoreCommand is no list of texts")
    yield from policy.score_answers(namespace, command)


def _tested(policy: Policy, answers: Sequence[tuple[str, Answer]], output: str) -> int:
    if output == "yaml":
        print("\n".join(_yaml(policy, answers)))
    else:
        print("\n".join(_text(policy, answers)))
    return REFUSED if any(one.why for _, one in answers) else OK


def _text(policy: Policy, answers: Sequence[tuple[str, Answer]]) -> Iterator[str]:
    if not policy.exists or policy.faults:
        yield policy.sentence
    for title, one in answers:
        yield f"{title}: {one.item.name}: {f'refused: {one.why}' if one.why else f'allowed ({one.by})'}"


def _yaml(policy: Policy, answers: Sequence[tuple[str, Answer]]) -> Iterator[str]:
    """By hand: an agent has the standard library only, and a text in JSON is one in YAML as well."""
    yield f"policy: {json.dumps(policy.sentence)}"
    yield "answers:" if answers else "answers: []"
    for title, one in answers:
        said = {"service": title, "item": one.item.name, "allowed": not one.why, "by": one.by, "why": one.why}
        yield from (f"{'- ' if key == 'service' else '  '}{key}: {json.dumps(value)}" for key, value in said.items())


def _given(manifest: str) -> Any:
    try:
        text = sys.stdin.read() if manifest == "-" else Path(manifest).read_text()
        return json.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise NotRead(f"{manifest} cannot be read: {getattr(error, 'strerror', error)}") from error
    except (ValueError, RecursionError) as error:
        raise NotRead(f"{manifest} is not JSON: {_JSON}") from error


def _services(given: Any, namespace: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Namespace, name and spec of each."""
    items = given.get("items") if isinstance(given, Mapping) and given.get("kind") == "List" else [given]
    for one in items if isinstance(items, list) else [items]:
        if not isinstance(one, Mapping) or one.get("kind") != "HAService" or not isinstance(one.get("spec"), Mapping):
            raise NotRead("it is no HAService")
        meta = one.get("metadata")
        meta = meta if isinstance(meta, Mapping) else {}
        yield str(meta.get("namespace") or namespace), str(meta.get("name") or "?"), one["spec"]


def _resources(spec: Mapping[str, Any]) -> Iterator[RenderedResource | RenderedPrerequisite]:
    resources = spec.get("resources")
    for one in resources if isinstance(resources, list) else []:
        yield _resource(one)


def _resource(raw: Any) -> RenderedResource | RenderedPrerequisite:
    """As an agent is told of it. Raises NotRead: what is not understood would not be judged."""
    given: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
    is_looked_at = any(kind.wire in given for kind in PREREQUISITES)
    form = RenderedPrerequisite if is_looked_at else RenderedResource
    told = {key: value for key, value in given.items() if key in form.SHAPE} if given else raw
    for odd in oddities(form.SHAPE, told):
        raise NotRead(
            f"a resource cannot be read: {odd.why if isinstance(odd, Wrong) else f'agent {VERSION} does not know `{odd.what}`'}"
        )
    if len(list(kinds_in([resource := form.from_wire(told)]))) != 1:
        raise NotRead(f"resource {resource.name} is of no kind that agent {VERSION} knows")
    return resource
