"""What ConfigMaps and Secrets that services name have in them, as the operator has read them last, and who names them.

Of a Secret only names of contents are known here, and nothing that is in it: whoever decides or tells cannot tell what he does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from backstay_api.objects.models import HAService
from backstay_api.objects.models.prerequisites import File, KeyRef
from backstay_api.objects.names import key_of

_SECRET: Final = "secret:"
"""Before the key of a Secret: no name of a namespace has a colon in it."""


@dataclass(frozen=True, kw_only=True)
class ConfigMapSeen:
    """One ConfigMap. What has never been read is in no World at all."""

    data: Mapping[str, str] = field(default_factory=dict)
    """What is in it, by key. Of a Secret: what that is called."""
    binary: frozenset[str] = frozenset()
    """Keys of what is no text."""
    why: str = ""
    """Why nothing of it can be had, as what follows its name; empty: it is there."""


@dataclass(frozen=True, kw_only=True)
class SecretSeen(ConfigMapSeen):
    """One Secret."""

    sizes: Mapping[str, int] = field(default_factory=dict)
    """By key: how much it is, as ConfigMaps are counted."""
    faults: Mapping[str, str] = field(default_factory=dict)
    """By key: why that cannot be brought to hosts, as what follows its name."""
    is_forbidden: bool = False
    """The operator may not read it."""


Seen = ConfigMapSeen | SecretSeen
MISSING: Final = ConfigMapSeen(why="is not there: create it")
SECRET_MISSING: Final = SecretSeen(why=MISSING.why)


def seen_in(body: Mapping[str, Any]) -> ConfigMapSeen:
    """What a ConfigMap says, as it came from the API server or stands in a file."""
    data = {str(key): str(text) for key, text in (body.get("data") or {}).items()}
    return ConfigMapSeen(data=data, binary=frozenset(body.get("binaryData") or ()))


def ref_of(file: File) -> KeyRef | None:
    """Where its content stands, if not in the manifest."""
    return file.config_map_key_ref or file.secret_key_ref


def source(service: HAService, file: File) -> str:
    """Which object that is: `namespace/name`, of a Secret `secret:namespace/name`; empty: none."""
    ref = ref_of(file)
    if ref is None:
        return ""
    return f"{_SECRET if file.config_map_key_ref is None else ''}{key_of(service.metadata.namespace, ref.name)}"


def is_of_secret(key: str) -> bool:
    """Whether this source is a Secret."""
    return key.startswith(_SECRET)


def object_key(key: str) -> str:
    """`namespace/name` of a source, be it of the one kind or the other."""
    return key.removeprefix(_SECRET)


def object_told(key: str) -> str:
    """A source, as people call it."""
    return f"{'Secret' if is_of_secret(key) else 'ConfigMap'} {object_key(key)}"


def sources(service: HAService) -> tuple[str, ...]:
    """Objects that its files come from, each once."""
    files = (one.file for one in service.spec.resources if one.file is not None)
    return tuple(dict.fromkeys(key for file in files if (key := source(service, file))))
