"""What a release is built of: this checkout, or an earlier one out of git's history; each by its own tools.

An upgrade that is tried between two builds of one source shows that files are replaced, and nothing of what has changed between them.
"""

from __future__ import annotations

import json
import os
import sys
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from subprocess import run
from typing import Final

from backstay_dev.lab.shell import REPOSITORY, LabError, call
from backstay_dev.package.versions import Release

COMMIT_BEFORE: Final = "188706f750dc8e13b071af958208c8ea3e1d0bb1"
"""What the release before this one is built of where no tag is: from the first tag on it is the last tag before this commit."""
_ROOMS: Final = ("crds", "operator", "node-agent", "cli", "dev")
_MAKE: Final = """
import json, sys
from pathlib import Path
from backstay_dev.package.build import package
from backstay_dev.package.chart import chart
from backstay_dev.package.versions import Release
release, out = Release(sys.argv[1], int(sys.argv[2])), Path(sys.argv[3])
made = [chart(release, out), *(package(name, release, out)[0][0] for name in ("backstay-agent", "backstay-cli"))]
print(json.dumps([str(file) for file in made]))
"""


@dataclass(frozen=True)
class Source:
    """A tree of ours, and which release it is built as."""

    release: Release
    tree: Path = REPOSITORY


@dataclass(frozen=True)
class Packages:
    """What `make package` makes of a release, and the folder where the CLI's package is unpacked."""

    version: str
    chart: Path
    agent: Path
    tools: Path


def before(repository: Path = REPOSITORY) -> str:
    """The release before what is checked out: its tag; where there is none yet, a commit."""
    words = ("git", "tag", "--merged", "HEAD^", "--sort=-v:refname", "--list", "v[0-9]*")
    told = run(words, cwd=repository, capture_output=True, text=True, check=False).stdout.split()
    releases = [tag for tag in told if "-" not in tag]
    return releases[0] if releases else COMMIT_BEFORE


def earlier(release: Release, commit: str, folder: Path) -> Source:
    """The tree of a commit or tag, unpacked. Raises LabError where git's history does not reach so far."""
    packed = run(["git", "archive", commit], cwd=REPOSITORY, capture_output=True, check=False)
    if packed.returncode:
        said = packed.stderr.decode(errors="replace").strip()
        raise LabError(
            f"the source of the release before ({commit[:12]}) is not here: {said}. In a shallow clone: git fetch --unshallow"
        )
    tree = folder / f"source-{release.version}"
    with tarfile.open(fileobj=BytesIO(packed.stdout)) as archive:
        archive.extractall(tree, filter="data")
    return Source(release, tree)


def packages(source: Source, folder: Path) -> Packages:
    """Made by that source's own tools, in a process of its own: two versions of one module do not fit into one."""
    release = source.release
    path = os.pathsep.join(str(source.tree / room) for room in _ROOMS)
    words = [
        "env",
        f"PYTHONPATH={path}",
        sys.executable,
        "-c",
        _MAKE,
        release.version,
        str(release.epoch_s),
        str(folder),
    ]
    chart, agent, cli = (Path(one) for one in json.loads(call(*words, timeout_s=600, cwd=source.tree).splitlines()[-1]))
    made = Packages(release.version, chart, agent, folder / f"tools-{release.version}")
    call("dpkg-deb", "-x", cli, made.tools)
    call(sys.executable, "-m", "compileall", "-q", made.tools, timeout_s=120)
    return made
