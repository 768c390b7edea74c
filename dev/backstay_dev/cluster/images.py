"""The images of the node's Pods, as archives in the cache: ours by buildah from the project's own Dockerfile, on a base that debootstrap makes.

Nothing is pulled from a registry. buildah keeps its layers itself, so that a change of ours builds only what stands above it.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Final

from backstay_dev.lab.assets import cache_dir, digest, locked
from backstay_dev.lab.image import SUITE
from backstay_dev.lab.shell import LabError, Progress, call, require, silent
from backstay_dev.package.images import TARGETS, command

from .programs import Programs
from .sources import Source

REGISTRY: Final = "localhost"
PAUSE: Final = f"{REGISTRY}/pause:1"
COREDNS: Final = f"{REGISTRY}/coredns:1"
_BASE: Final = f"{REGISTRY}/backstay-base:{SUITE}-slim"
_NOT_IN_SLIM: Final = (
    *("var/cache/apt", "var/lib/apt/lists", "var/log", "var/cache/debconf"),
    *("usr/share/doc", "usr/share/locale", "usr/share/man", "usr/share/info"),
)
"""Of which an image has the folder and no files; copyrights stay."""
_SOURCES: Final = ("crds/backstay_api", "operator")
_CERTIFICATES: Final = Path("/etc/ssl/certs")
_KEPT: Final = 10
"""Archives in the cache: each change of the source makes two for each release."""


def ensure_images(programs: Programs, sources: Sequence[Source], progress: Progress = silent) -> list[Path]:
    """Find or build them (8 minutes from nothing on two cores, two or three after a change of the source); the archives."""
    require("buildah", "debootstrap")
    programs_of = {PAUSE: programs.pause / "pause", COREDNS: programs.coredns / "coredns"}
    made = [
        _ensure(name, digest(str(program)), partial(_of_a_program, program), progress)
        for name, program in programs_of.items()
    ]
    for source, target in product(sources, TARGETS):
        name = f"{REGISTRY}/backstay/{target}:{source.release.version}"
        made.append(_ensure(name, _digest_of(source.tree), partial(_ours, target, source, progress), progress))
    _forget_old(made)
    return made


def _ensure(name: str, key: str, build: Callable[[], str], progress: Progress) -> Path:
    """`build` comes back with what buildah calls the image."""
    target = cache_dir() / "images" / f"{name.rpartition('/')[2].partition(':')[0]}-{digest(name, key)}.tar"
    with locked("images"):
        if not target.exists():
            progress(f"making the image {name}, once")
            target.parent.mkdir(exist_ok=True)
            fresh = target.with_suffix(".new")
            fresh.unlink(missing_ok=True)
            call("buildah", "push", "-q", build(), f"docker-archive:{fresh}:{name}", timeout_s=300)
            fresh.rename(target)
    os.utime(target)
    return target


def _digest_of(tree: Path) -> str:
    files = sorted(file for folder in _SOURCES for file in (tree / folder).rglob("*") if file.is_file())
    ours = [file for file in files if "__pycache__" not in file.parts]
    return digest(_BASE, *(part for file in ours for part in (str(file.relative_to(tree)), file.read_bytes())))


def _of_a_program(program: Path) -> str:
    """One static program and nothing else."""
    container = call("buildah", "from", "scratch").strip()
    call("buildah", "add", "-q", container, program, "/")
    call("buildah", "config", "--entrypoint", f'["/{program.name}"]', container)
    return call("buildah", "commit", "-q", "--rm", container, timeout_s=300).strip()


def _ours(target: str, source: Source, progress: Progress) -> str:
    more = ["--isolation", "chroot", "--layers", "--build-arg", f"BASE={_ensure_base(progress)}"]
    if _CERTIFICATES.exists():
        # Where a proxy looks into TLS, this machine's certificates know it, and Debian's own do not.
        more += ["-v", f"{_CERTIFICATES}:{_CERTIFICATES}:ro"]
    for variable in ("PIP_INDEX_URL", "PIP_CERT"):
        if os.environ.get(variable):
            more += ["--build-arg", f"{variable}={os.environ[variable]}"]
    words = command("buildah", target, source.release, REGISTRY, more)
    last = _told(words, source.tree, progress)
    if not last:
        raise LabError(f"buildah said nothing of {target}")
    return last


def _told(words: list[str], tree: Path, progress: Progress) -> str:
    """Run a build, and tell each of its steps; its last line is the image."""
    said = ["", *([""] * 14)]
    with subprocess.Popen(words, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said = [*said[1:], line.strip()]
            if "STEP" in line:
                progress(line.strip()[:120])
    if process.returncode != 0:
        raise LabError(f"building an image failed: {' | '.join(filter(None, said))}")
    return said[-1]


def _ensure_base(progress: Progress) -> str:
    """What `debian:12-slim` is elsewhere."""
    if not call("buildah", "images", "-q", "--filter", f"reference={_BASE}").strip():
        progress("making the base of the images with debootstrap, once; about a minute")
        with tempfile.TemporaryDirectory(dir=cache_dir(), prefix=".base-") as scratch:
            call("debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, scratch, timeout_s=1200)
            Path(scratch).chmod(0o755)
            for waste in _NOT_IN_SLIM:
                call("find", f"{scratch}/{waste}", "-type", "f", "!", "-name", "copyright", "-delete")
            container = call("buildah", "from", "scratch").strip()
            call("buildah", "add", "-q", container, scratch, "/", timeout_s=300)
            call("buildah", "commit", "-q", "--rm", container, _BASE, timeout_s=300)
    return _BASE


def _forget_old(in_use: list[Path]) -> None:
    by_age = sorted((cache_dir() / "images").glob("*.tar"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in by_age[_KEPT:]:
        if old not in in_use:
            old.unlink()
