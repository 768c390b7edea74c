"""CustomResourceDefinitions: the structural schema of a kind, and how `kubectl` shows it."""

from __future__ import annotations

from typing import Any, Final

import yaml

from backstay_api.generate.schema import Json, structural
from backstay_api.objects.models.base import GROUP, VERSION, Column, Object

_HEADER: Final = """\
# Generated from crds/backstay_api/objects/models by `python -m backstay_api.generate`: change the models, not this file.
"""
_TYPE_FIELDS: Final[dict[str, Json]] = {
    "apiVersion": {"description": "Version of this object's schema.", "type": "string"},
    "kind": {"description": "Kind of this object.", "type": "string"},
    "metadata": {"type": "object"},
}


def definition(kind: type[Object]) -> Json:
    """The whole CustomResourceDefinition of one kind."""
    name = kind.__name__
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": name,
                "listKind": f"{name}List",
                "plural": kind.plural,
                "singular": name.lower(),
                "shortNames": list(kind.short_names),
                "categories": list(kind.categories),
            },
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [_version(kind)],
        },
    }


def definition_yaml(kind: type[Object]) -> str:
    """The file that is committed."""
    return _HEADER + yaml.safe_dump(definition(kind), sort_keys=False, width=120, allow_unicode=True)


def object_schema(kind: type[Object]) -> Json:
    """The schema of a whole object: ours for spec and status, the server's own for the rest."""
    raw = kind.model_json_schema(by_alias=True)
    own = {name: value for name, value in raw["properties"].items() if name not in _TYPE_FIELDS}
    required = [name for name in raw.get("required", []) if name in own]
    schema = structural(raw | {"properties": own, "required": required})
    schema["properties"] = _TYPE_FIELDS | schema["properties"]
    return schema


def _version(kind: type[Object]) -> dict[str, Any]:
    version: Json = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [_column(column) for column in kind.columns],
        "schema": {"openAPIV3Schema": object_schema(kind)},
    }
    if kind.has_status:
        version["subresources"] = {"status": {}}
    if kind.scales:
        version["subresources"]["scale"] = {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
        }
    return version


def _column(column: Column) -> Json:
    result: Json = {"name": column.name, "type": column.type, "jsonPath": column.json_path}
    if column.description:
        result["description"] = column.description
    if column.wide:
        result["priority"] = 1
    return result
