"""The agent's code as hosts see it: a copy, compiled by the hosts' own Python, named by what is in it.

A copy, so that edits during a run change nothing; compiled, because a host's view of it is read-only and an agent that
compiles at every start would start slowly.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from backstay_dev.lab.assets import cache_dir, digest, locked
from backstay_dev.lab.shell import call

_REPOSITORY: Final = Path(__file__).resolve().parents[3]
PACKAGES: Final = (_REPOSITORY / "crds" / "backstay_api", _REPOSITORY / "node-agent" / "backstay_agent")


def ensure_agent_files(image: Path) -> Path:
    """A folder with the packages `backstay_api` and `backstay_agent`."""
    sources = sorted(path for package in PACKAGES for path in package.rglob("*.py"))
    target = cache_dir() / "agent" / digest(str(image), *(_named(path) for path in sources))
    if not target.exists():
        with locked("agent") as cache, tempfile.TemporaryDirectory(dir=cache, prefix=".agent-") as scratch:
            if not target.exists():
                _fill(Path(scratch), image)
                target.parent.mkdir(exist_ok=True)
                _forget_old(target.parent)
                (Path(scratch) / "code").rename(target)
    os.utime(target)
    return target


def _named(path: Path) -> bytes:
    return str(path.relative_to(_REPOSITORY)).encode() + b"\n" + path.read_bytes()


def _fill(scratch: Path, image: Path) -> None:
    code = scratch / "code"
    for package in PACKAGES:
        shutil.copytree(package, code / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    scratch.chmod(0o755)
    # With the hosts' Python, on their paths, so that the compiled files are taken as they are.
    script = 'mount --bind "$2" "$1/opt/backstay" && exec chroot "$1" python3 -m compileall -q /opt/backstay'
    call("unshare", "--mount", "sh", "-c", script, "sh", image, code, timeout_s=120)


def _forget_old(folder: Path, keep: int = 8) -> None:
    """Every edit makes a new copy; those that nobody uses any more would fill the disk."""
    by_age = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in by_age[keep:]:
        shutil.rmtree(old, ignore_errors=True)
