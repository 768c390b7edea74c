"""What of the chart is generated: the rules of its roles, and the table of its values in the README."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from backstay_api import VERSION
from backstay_api.objects.rbac import chart_rules

_README: Final = """\
<!-- Generated from values.yaml by `python -m backstay_api.generate`. -->

# Backstay's Helm chart

Installs the definitions of our kinds, the operator, the fencer, their identities with exactly the rights they use, roles
for people, admission policies and a place of their own for heartbeats at the API server.

    helm install backstay charts/backstay --namespace backstay-system --create-namespace --set image.registry=registry.example
    helm upgrade backstay charts/backstay --namespace backstay-system --reset-then-reuse-values --set image.tag=…

Uninstalling it stops nothing on any host. Definitions, the namespaces `backstay-hosts` and `backstay-fencing`, and so
agents' identities and the Secrets of fence devices, are kept.

| Value | Default | Means |
| --- | --- | --- |
"""
_RULES: Final = "# Generated from crds/backstay_api/objects/rbac.py by `python -m backstay_api.generate`: the rules of every role.\n"


def rules_file() -> str:
    """`files/rbac.yaml`, which the templates read."""
    return _RULES + yaml.dump(chart_rules(), Dumper=_WithoutAliases, sort_keys=False, width=120)


def with_version(head: str) -> str:
    """`Chart.yaml`, of the version of all other parts; the rest of it is written by hand."""
    return re.sub(r"^(version|appVersion): .*$", rf"\1: {VERSION}", head, flags=re.MULTILINE)


def readme(values_text: str) -> str:
    """The chart's README; each value's meaning is the `# --` comment above it."""
    meanings = dict(_meanings(values_text))
    lines = [
        f"| `{path}` | `{_short(value)}` | {meanings.get(path, '')} |"
        for path, value in _leaves(yaml.safe_load(values_text), "", meanings)
    ]
    return _README + "\n".join(lines) + "\n"


def _leaves(values: Mapping[str, Any], path: str, meanings: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        here = f"{path}{name}"
        if isinstance(value, dict) and value and here not in meanings:
            yield from _leaves(value, f"{here}.", meanings)
        else:
            yield here, value


def _meanings(text: str) -> Iterator[tuple[str, str]]:
    """(path, meaning) of every value with a `# --` comment right above it."""
    path: list[str] = []
    meaning = ""
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("# -- "):
            meaning = bare.removeprefix("# -- ")
            continue
        if bare and not bare.startswith(("#", "-")):
            depth = (len(line) - len(line.lstrip())) // 2
            path = [*path[:depth], bare.partition(":")[0]]
            if meaning:
                yield ".".join(path), meaning
        meaning = ""


def _short(value: Any) -> str:
    flow = yaml.safe_dump(value, default_flow_style=True, width=1000).strip()
    return flow.removesuffix("\n...").strip().replace("|", "\\|")


class _WithoutAliases(yaml.SafeDumper):
    """Anchors are legal YAML and unreadable."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
