"""Looks at a file: whether it is there, is as the manifest declares it, and what it is compared with other hosts by."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from dataclasses import dataclass
from functools import partial
from typing import Final

from backstay_api.objects.plain import RenderedFile

from .base import AskedParts, Observed, Parts
from .tools.lines import lines_of
from .tools.prerequisite_looks import look_or
from .tools.regular_files import Opened, fingerprint, group, opened, user_of
from .tools.sentences import otherwise

MOST_REMEMBERED: Final = 4096
SETTLED_NS: Final = 2_000_000_000
"""A file that was written so shortly before it was read may be written again within one tick of its clock, and look the same."""
HASHING_S: Final = 5.0
"""As long as the largest file takes on a slow disk."""


@dataclass(frozen=True)
class _Content:
    sha256: str
    fingerprint: str


_known: Final[dict[tuple[str, tuple[int, ...]], _Content]] = {}
"""By a service's own text and the state of a file's inode."""


class FileLooks:
    """`base.Looker` at files."""

    async def __call__(self, spec: RenderedFile, salt: str) -> Observed:
        how = partial(look_at_file, spec, salt)
        return await look_or(Observed, f"{spec.path} (file)", how, limit_s=HASHING_S, asked=(spec, salt))


async def parts_of_file(spec: RenderedFile, asked: AskedParts, key: bytes) -> Parts:
    """`base.TellsParts` of a file."""
    how = partial(lines_of, spec.path, asked, key)
    return await look_or(Parts, f"{spec.path} (lines)", how, limit_s=HASHING_S, asked=(asked, key))


def look_at_file(spec: RenderedFile, salt: str) -> Observed:
    """What is seen of it, by the process that looks. What has not changed since its last look is not read again. Raises Unfit."""
    with opened(spec.path) as file:
        content = _content(file, salt)
        mode = f"{stat.S_IMODE(file.stat.st_mode):04o}"
        is_so = {
            "content": content.sha256,
            "owner": user_of(file.stat.st_uid),
            "group": group(file.stat.st_gid),
            "mode": mode,
        }
    shall = {"content": spec.sha256, "owner": spec.owner, "group": spec.group, "mode": spec.mode}
    whys = [_differs(name, is_so[name], said) for name, said in shall.items() if said and said != is_so[name]]
    return Observed(f"{spec.path}: {'; '.join(whys)}" if whys else "", {**is_so, "content": content.fingerprint})


def _content(file: Opened, salt: str) -> _Content:
    key = (salt, file.state)
    if key in _known:
        return _known[key]
    data = file.read()
    content = _Content(hashlib.sha256(data).hexdigest(), fingerprint(data, salt))
    after = Opened(file.fd, os.fstat(file.fd))
    if after.state == file.state and time.time_ns() - file.stat.st_mtime_ns > SETTLED_NS:
        if len(_known) >= MOST_REMEMBERED:
            _known.clear()
        _known[key] = content
    return content


def _differs(name: str, is_so: str, said: str) -> str:
    return "its content is not that of sha256" if name == "content" else otherwise(name, is_so, said)
