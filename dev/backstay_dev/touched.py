"""How many files a change costs: `python -m backstay_dev.touched main..branch` names the product files that were edited by hand.

What `make generate` writes, tests and documents are listed apart: the checklists in CONTRIBUTING.md count the first kind only.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from backstay_dev.lab.shell import REPOSITORY, call

PRODUCT: Final = ("crds/backstay_api/", "operator/", "node-agent/", "cli/", "charts/")
GENERATED: Final = (
    "crds/backstay_api/objects/plain.py",
    "charts/backstay/files/",
    "charts/backstay/README.md",
    "docs/reference/",
    "docs/explanation/machines.md",
)


def sorted_out(paths: Iterable[str]) -> Mapping[str, list[str]]:
    """The paths by what they are: `by hand`, `generated`, `tests`, `other`."""
    found: dict[str, list[str]] = {"by hand": [], "generated": [], "tests": [], "other": []}
    for path in sorted(paths):
        found[_what(path)].append(path)
    return found


def _what(path: str) -> str:
    if path.startswith(GENERATED) or (path.startswith("crds/") and path.endswith(".yaml")):
        return "generated"
    if path.startswith("tests/"):
        return "tests"
    return "by hand" if path.startswith(PRODUCT) else "other"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m backstay_dev.touched", description=__doc__)
    parser.add_argument("range", help="as `git diff` takes it: main..branch, or a commit to compare the work tree with")
    asked = parser.parse_args(arguments).range
    for what, paths in sorted_out(call("git", "-C", REPOSITORY, "diff", "--name-only", asked).split()).items():
        print("\n  ".join([f"{what}: {len(paths)}", *paths]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
