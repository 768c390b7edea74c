"""Folders that a service itself mounts: what lies in them comes with it, so on a host that only stands by nothing can be said of it.

Whoever examines a service says once which these are, and every question that is asked for it knows. No mount point need be there: it is
made at the start.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import PurePosixPath
from typing import Final

from backstay_api.objects.plain import RenderedResource

_FOLDERS: Final[ContextVar[Sequence[str]]] = ContextVar("folders that the service mounts", default=())
_ESCAPED: Final = re.compile(r"\\x([0-9a-f]{2})")


@contextmanager
def mounted_by(resources: Iterable[RenderedResource]) -> Iterator[None]:
    """Within this, questions are about a service of these resources."""
    token = _FOLDERS.set([folder for one in resources if (folder := _folder(one))])
    try:
        yield
    finally:
        _FOLDERS.reset(token)


def comes_with_it(path: str) -> bool:
    """Whether this lies in a folder that the service mounts."""
    return any(PurePosixPath(path).is_relative_to(folder) for folder in _FOLDERS.get())


def _folder(resource: RenderedResource) -> str:
    """Where it mounts something; empty if it does not."""
    if resource.mount is not None:
        return resource.mount.path
    unit = resource.systemd.unit if resource.systemd is not None else ""
    if not unit.endswith(".mount"):
        return ""
    escaped = unit.removesuffix(".mount").replace("-", "/")
    return "/" + _ESCAPED.sub(lambda found: chr(int(found[1], 16)), escaped)
