"""Manifests that people have in files, read as `kubectl apply` would take them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from backstay_api.objects.kinds import Kind
from backstay_api.objects.models import HAService, ServiceClass
from backstay_api.objects.models.base import Object
from backstay_api.objects.names import key_of
from backstay_api.objects.object_kinds import faults
from backstay_operator.planner.know.contents import ConfigMapSeen, seen_in

from .session import FAILED, Session, Stop

M = TypeVar("M", HAService, ServiceClass)


def documents(filename: str, *kinds: Kind[Any]) -> Iterator[Mapping[str, Any]]:
    """Every one of these kinds in it, those of a List too; of other kinds nothing is said. `-` is standard input."""
    try:
        text = sys.stdin.read() if filename == "-" else Path(filename).read_text()
        found = list(yaml.safe_load_all(text))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Stop(f"{filename} cannot be read: {error}", FAILED) from error
    for document in found:
        items = document.get("items") if isinstance(document, dict) and document.get("kind") == "List" else [document]
        for one in items if isinstance(items, list) else ():
            if isinstance(one, dict) and one.get("kind") in {kind.kind for kind in kinds}:
                yield one


def service_of(session: Session, document: Mapping[str, Any]) -> HAService:
    """Where it names no namespace, in the one that the command looks at."""
    named = _meta(document)
    here = {**named, "namespace": _home(session, named)}
    return _read(HAService, {**document, "metadata": here, "status": {}}, key_of(here["namespace"], _name(named)))


def contents_of(session: Session, found: Iterable[Mapping[str, Any]]) -> dict[str, ConfigMapSeen]:
    """What these ConfigMaps say, by `namespace/name`. One without a name is nobody's."""
    metas = ((_meta(one), one) for one in found)
    return {key_of(_home(session, meta), _name(meta)): seen_in(one) for meta, one in metas if meta.get("name")}


def class_of(document: Mapping[str, Any]) -> ServiceClass:
    return _read(ServiceClass, {**document, "metadata": _meta(document)}, _name(_meta(document)))


def _home(session: Session, meta: Mapping[str, Any]) -> str:
    return str(meta.get("namespace") or session.namespace or "default")


def _meta(document: Mapping[str, Any]) -> dict[str, Any]:
    meta = document.get("metadata")
    return meta if isinstance(meta, dict) else {}


def _name(meta: Mapping[str, Any]) -> str:
    return str(meta.get("name") or "?")


def _read(model: type[M], document: Mapping[str, Any], key: str) -> M:
    try:
        read: Object = model.from_wire(document)
        spec = read.model_dump(by_alias=True, exclude_unset=True)["spec"]
        found = list(_unknown("spec", document["spec"], spec))
    except ValidationError as error:
        found = faults(error)
    if found:
        raise Stop(f"{key}: {'; '.join(found)}", FAILED)
    assert isinstance(read, model)
    return read


def _unknown(path: str, said: Any, understood: Any) -> Iterator[str]:
    """Fields that no release of ours knows, as `kubectl apply` refuses them."""
    if isinstance(said, dict) and isinstance(understood, dict):
        for key, value in said.items():
            if key in understood:
                yield from _unknown(f"{path}.{key}", value, understood[key])
            elif value is not None:
                yield f"{path}.{key}: there is no such field"
    elif isinstance(said, list) and isinstance(understood, list):
        for number, pair in enumerate(zip(said, understood, strict=False)):
            yield from _unknown(f"{path}.{number}", *pair)
