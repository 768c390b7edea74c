"""`operator/requirements.txt`: of `constraints.txt` what operator and fencer import in a Pod, and nothing of what they do not.

python -m backstay_dev.package.requirements    # after `make constraints`
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from backstay_dev.lab.shell import REPOSITORY

from .wheels import pin

FILE: Final = REPOSITORY / "operator" / "requirements.txt"
OUTSIDE: Final = frozenset({"kubernetes"})
"""It reads kubeconfigs, of which a Pod has none, and is larger than all the rest."""
_HEAD: Final = "# Generated from constraints.txt by `python -m backstay_dev.package.requirements`.\n"


def requirements() -> str:
    """The whole file, from what is installed here and what it says that it needs."""
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    found: set[str] = set()
    waiting = [one for extra in ("api", "operator") for one in extras[extra] if not one.startswith("backstay")]
    while waiting:
        wanted = Requirement(waiting.pop())
        name = canonicalize_name(wanted.name)
        if name in found | OUTSIDE or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        waiting += _needs(name, wanted.extras)
    return _HEAD + "".join(f"{pin(name)}\n" for name in sorted(found))


def _needs(name: str, extras: set[str]) -> list[str]:
    """Its own requirements, those of the named extras with their marker answered."""
    try:
        said = requires(name) or []
    except PackageNotFoundError:
        return []
    plain = [one for one in said if "extra ==" not in one]
    chosen = [one for one in said for extra in extras if re.search(rf"""extra == ['"]{re.escape(extra)}['"]""", one)]
    return [*plain, *(one.partition(";")[0] for one in chosen)]


def write(file: Path = FILE) -> None:
    file.write_text(requirements())


if __name__ == "__main__":
    write()
    sys.exit(0)
