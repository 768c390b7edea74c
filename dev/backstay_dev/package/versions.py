"""Which version is built: that of the source at its tag, and with the commit in it anywhere else."""

from __future__ import annotations

import os
from dataclasses import dataclass

from backstay_api import VERSION
from backstay_dev.lab.shell import REPOSITORY, LabError, call


@dataclass(frozen=True)
class Release:
    """What is built of: a version as SemVer writes it, and the time that every file gets, in seconds since 1970."""

    version: str
    epoch_s: int

    @property
    def for_packages(self) -> str:
        """As Debian and RPM compare versions: what comes before a release sorts before it."""
        return self.version.replace("-", "~", 1)


def release() -> Release:
    """Of this checkout. `SOURCE_DATE_EPOCH` overrides the time of the commit."""
    said = os.environ.get("SOURCE_DATE_EPOCH", "")
    epoch_s = int(said) if said else int(_git("log", "-1", "--format=%ct"))
    tags = _git("tag", "--points-at", "HEAD", "--list", "v*").split()
    is_clean = not _git("status", "--porcelain", "--untracked-files=no")
    commits, commit = _git("rev-list", "--count", "HEAD"), _git("rev-parse", "--short=10", "HEAD")
    return Release(version_of(tags, commits=int(commits), commit=commit, is_clean=is_clean), epoch_s)


def version_of(tags: list[str], *, commits: int, commit: str, is_clean: bool) -> str:
    """Raises LabError for a tag that the source does not bear out."""
    if tags and f"v{VERSION}" not in tags:
        raise LabError(
            f"the tag {tags[0]} is on a source that calls itself {VERSION}: set VERSION of backstay_api first"
        )
    if tags and is_clean:
        return VERSION
    return f"{VERSION}-dev.{commits}.g{commit}{'' if is_clean else '.dirty'}"


def _git(*words: str) -> str:
    return call("git", *words, cwd=REPOSITORY).strip()
