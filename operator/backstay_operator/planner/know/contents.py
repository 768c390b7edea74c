"""What ConfigMaps that services name have in them, as the operator has read them last, and who names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from backstay_api.objects.models import HAService
from backstay_api.objects.models.prerequisites import KeyRef
from backstay_api.objects.names import key_of


@dataclass(frozen=True, kw_only=True)
class ConfigMapSeen:
    """One ConfigMap. What has never been read is in no World at all."""

    data: Mapping[str, str] = field(default_factory=dict)
    binary: frozenset[str] = frozenset()
    """Keys of what is no text."""
    why: str = ""
    """Why nothing of it can be had, as what follows its name; empty: it is there."""


MISSING: Final = ConfigMapSeen(why="is not there: create it")


def seen_in(body: Mapping[str, Any]) -> ConfigMapSeen:
    """What a ConfigMap says, as it came from the API server or stands in a file."""
    data = {str(key): str(text) for key, text in (body.get("data") or {}).items()}
    return ConfigMapSeen(data=data, binary=frozenset(body.get("binaryData") or ()))


def source(service: HAService, ref: KeyRef) -> str:
    """Which ConfigMap that is: `namespace/name`."""
    return key_of(service.metadata.namespace, ref.name)


def sources(service: HAService) -> tuple[str, ...]:
    """ConfigMaps that its files come from, each once."""
    files = (one.file for one in service.spec.resources if one.file is not None)
    refs = (file.config_map_key_ref for file in files if file.config_map_key_ref is not None)
    return tuple(dict.fromkeys(source(service, ref) for ref in refs))
