"""`make images`: both images, with docker, podman or buildah, whichever is here and works."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Final

from backstay_dev.lab.shell import EXIT_CANNOT, REPOSITORY, LabError

from .versions import Release, release

TARGETS: Final = ("operator", "fencer")
BUILDERS: Final = {"docker": "build", "podman": "build", "buildah": "bud"}
_SIZES: Final = {
    "docker": ("image", "inspect", "--format", "{{.Size}}"),
    "podman": ("image", "inspect", "--format", "{{.Size}}"),
    "buildah": ("images", "--format", "{{.Size}}"),
}


def builder(works: Callable[[str], bool]) -> str:
    """The first that works here: docker is often a client without its daemon. Raises LabError with a sentence."""
    for name in BUILDERS:
        if works(name):
            return name
    raise LabError(
        "no docker, podman or buildah works here: install one (Debian: apt-get install buildah), or build on a machine that has one"
    )


def command(name: str, target: str, found: Release, registry: str, more: list[str]) -> list[str]:
    """How one image is built and tagged; `more`: handed on, for example `--build-arg BASE=…`."""
    version = ["--build-arg", f"VERSION={found.version}"]
    tag = f"{registry}/backstay/{target}:{found.version}"
    return [name, BUILDERS[name], "-f", "operator/Dockerfile", "--target", target, *version, "-t", tag, *more, "."]


def size_of(name: str, said: str) -> str:
    """Unpacked, from what a builder says: docker and podman count bytes, buildah has words."""
    return said.strip() if name == "buildah" else f"{int(said) / 1e6:.0f} MB"


def _told_size(name: str, image: str) -> str:
    done = subprocess.run([name, *_SIZES[name], image], capture_output=True, text=True, check=False)
    return f"{size_of(name, done.stdout)} unpacked" if done.returncode == 0 else "size not known"


def _works(name: str) -> bool:
    if not shutil.which(name):
        return False
    return subprocess.run([name, "info"], capture_output=True, check=False, timeout=60).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="make images", description="Build the images of operator and fencer.")
    parser.add_argument("--registry", required=True, help="where you will push them: registry.example")
    options, more = parser.parse_known_args()
    try:
        name, found = builder(_works), release()
    except LabError as error:
        print(error, file=sys.stderr)
        return EXIT_CANNOT
    for target in TARGETS:
        done = subprocess.run(command(name, target, found, options.registry, more), cwd=REPOSITORY, check=False)
        if done.returncode:
            return done.returncode
    for target in TARGETS:
        image = f"{options.registry}/backstay/{target}:{found.version}"
        print(f"{_told_size(name, image)}; next: {name} push {image}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
