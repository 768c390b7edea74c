"""`backstay report`: one file for whoever is to help, with all that Backstay knows and without secrets.

Secrets are never read. What may hold one all the same (parameters of devices and OCF agents, environments, headers) is masked, and what was
masked somewhere is masked wherever else it stands: in a message, an Event, a log.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import yaml

from backstay_api import VERSION
from backstay_api.client.errors import ApiError
from backstay_api.objects.kinds import EVENTS, LEASES, Kind, Raw, raw, unread
from backstay_api.objects.lease import NAMESPACE
from backstay_api.objects.models.base import GROUP
from backstay_api.objects.names import SYSTEM_NAMESPACE
from backstay_api.objects.object_kinds import OWN_KINDS

from .session import WELL, Session, Stop

_PODS: Final = raw("", "v1", "pods", "Pod", True)
_DEPLOYMENTS: Final = raw("apps", "v1", "deployments", "Deployment", True)
_MASK: Final = "(masked)"
_SECRETIVE: Final = frozenset({"parameters", "env", "environment", "httpHeaders"})
"""Fields whose values may be secrets; what they are called is told."""
_COMMANDS: Final = frozenset({"args", "check", "command", "program", "reload", "start", "stop"})
"""Fields with words of a command line: masked where they stand, but for the program."""
_TELLING: Final = frozenset({"name"})
_UNTOLD: Final = ("kubectl.kubernetes.io/last-applied-configuration",)
_SHORT: Final = 6
"""Whatever is shorter is masked where it stands alone: everywhere it would leave no word whole."""
_LOG_LINES: Final = 2000
_PORT: Final = 8080

ABOUT: Final = f"""Made by `backstay report`, version {VERSION}.
objects/: everything of Backstay; cluster/: its Deployments, Pods, Events and Leases; logs/ and metrics/: of its Pods.
errors.txt: what could not be read.
No Secret was read. Values that may be secrets are "{_MASK}", wherever they stand. Look through it all the same before you hand it on.
"""


@dataclass
class _Bundle:
    """Files by name, and what no file may hold."""

    files: dict[str, str] = field(default_factory=dict)
    masked: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    """Of objects and namespaces: a value that is one of them is no secret."""
    errors: list[str] = field(default_factory=list)

    def add(self, name: str, objects: list[Raw]) -> None:
        for one in objects:
            self.names |= {str(one["metadata"].get(key, "")) for key in ("name", "namespace")}
        told = [self._without_secrets(one) for one in objects]
        self.files[name] = yaml.safe_dump_all(told, sort_keys=False)

    def packed(self) -> bytes:
        """All of it as a tar.gz. Longer secrets go first: one may hold another."""
        out = io.BytesIO()
        files = {**self.files, "errors.txt": "".join(f"{one}\n" for one in self.errors), "README.txt": ABOUT}
        with tarfile.open(fileobj=out, mode="w:gz") as archive:
            for name, text in sorted(files.items()):
                for secret in sorted(self.masked - self.names, key=len, reverse=True):
                    text = text.replace(secret, _MASK)
                entry = tarfile.TarInfo(f"backstay-report/{name}")
                body = text.encode("utf-8", "replace")
                entry.size, entry.mode = len(body), 0o600
                archive.addfile(entry, io.BytesIO(body))
        return out.getvalue()

    def _without_secrets(self, one: Raw) -> Raw:
        meta = {key: value for key, value in one["metadata"].items() if key != "managedFields"}
        if meta.get("annotations"):
            meta["annotations"] = {key: value for key, value in meta["annotations"].items() if key not in _UNTOLD}
        return {**{key: self._seen(value) for key, value in one.items()}, "metadata": meta}

    def _seen(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: self._field(key, one) for key, one in value.items()}
        return [self._seen(one) for one in value] if isinstance(value, list) else value

    def _field(self, key: str, value: Any) -> Any:
        if key in _SECRETIVE:
            return self._hidden(value)
        is_line = key in _COMMANDS and isinstance(value, list) and all(isinstance(one, str) for one in value)
        return [*value[:1], *(_MASK for _ in value[1:])] if is_line else self._seen(value)

    def _hidden(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                key: one if key in _TELLING and isinstance(one, str) else self._hidden(one)
                for key, one in value.items()
            }
        if isinstance(value, list):
            return [self._hidden(one) for one in value]
        if isinstance(value, str):
            self.masked |= {line for line in (value, *value.splitlines()) if len(line) >= _SHORT}
        return value if isinstance(value, bool) or value is None else _MASK


async def report(
    session: Session,
    file: Annotated[
        str,
        typer.Option("--file", "-f", help="Where to write it.  [default: backstay-report-TIME.tar.gz]", metavar="FILE"),
    ] = "",
    logs: Annotated[bool, typer.Option(help="With the last lines of the operators' and the fencers' logs.")] = True,
) -> int:
    """Write one file with everything that helps to find out what is wrong, and without secrets."""
    path = Path(file or f"backstay-report-{session.tools.wall().replace(':', '')}.tar.gz")
    bundle = await _collected(session, logs=logs)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(bundle.packed())
    except OSError as error:
        raise Stop(f"{path} cannot be written: {error.strerror}") from error
    session.say(f"{path}: {len(bundle.files)} files. Secrets were not read, and what may be one is masked.")
    for one in bundle.errors:
        session.say(f"  without {one}")
    session.show({"file": str(path), "files": sorted(bundle.files), "errors": bundle.errors}, lambda: None)
    return WELL


async def _collected(session: Session, *, logs: bool) -> _Bundle:
    bundle = _Bundle()
    for kind in OWN_KINDS:
        await _take(session, bundle, unread(kind), "", f"objects/{kind.plural}.yaml")
    for namespace in (NAMESPACE, SYSTEM_NAMESPACE):
        await _take(session, bundle, LEASES, namespace, f"cluster/leases-{namespace}.yaml")
    await _take(session, bundle, _DEPLOYMENTS, SYSTEM_NAMESPACE, "cluster/deployments.yaml")
    pods = await _take(session, bundle, _PODS, SYSTEM_NAMESPACE, "cluster/pods.yaml")
    await _events(session, bundle)
    for name in sorted(one["metadata"]["name"] for one in pods):
        at = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods"
        await _read(session, bundle, f"{at}/{name}:{_PORT}/proxy/metrics", f"metrics/{name}.txt")
        if logs:
            await _read(session, bundle, f"{at}/{name}/log?tailLines={_LOG_LINES}&timestamps=true", f"logs/{name}.txt")
    return bundle


async def _take(session: Session, bundle: _Bundle, kind: Kind[Raw], namespace: str, name: str) -> list[Raw]:
    try:
        found = list((await session.api.list(kind, namespace)).items)
    except ApiError as error:
        bundle.errors.append(f"{kind.resource}: {error}")
        return []
    bundle.add(name, found)
    return found


async def _events(session: Session, bundle: _Bundle) -> None:
    """Those about our objects, and those of our namespace."""
    try:
        found = (await session.api.list(EVENTS)).items
    except ApiError as error:
        bundle.errors.append(f"events: {error}")
        return
    ours = [
        one
        for one in found
        if str((one.get("regarding") or {}).get("apiVersion", "")).startswith(f"{GROUP}/")
        or one["metadata"].get("namespace") == SYSTEM_NAMESPACE
    ]
    bundle.add("cluster/events.yaml", ours)


async def _read(session: Session, bundle: _Bundle, path: str, name: str) -> None:
    try:
        bundle.files[name] = await session.tools.read_text(session.api, path)
    except ApiError as error:
        bundle.errors.append(f"{name}: {error}")
