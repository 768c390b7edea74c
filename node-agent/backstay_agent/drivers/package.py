"""Looks whether a package is installed, and in which version: in dpkg's own database, which is only read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from backstay_api.objects.plain import Package

from .base import Observed
from .tools.dpkg import STATUS, database
from .tools.prerequisite_looks import look_or

_INSTALLED: Final = ("install ok installed", "hold ok installed")


@dataclass(frozen=True)
class PackageLooks:
    """`base.Looker` at packages."""

    status: str = STATUS

    async def __call__(self, spec: Package, salt: str) -> Observed:
        how = partial(look_at_package, self.status, spec)
        return await look_or(Observed, f"{self.status} ({spec.name}, {spec.version})", how)


def look_at_package(status: str, spec: Package) -> Observed:
    """What is seen of it, by the process that looks. Raises Unfit."""
    if not Path(status).parent.is_dir():
        return Observed("the packages of this host cannot be seen: it has no dpkg, and no other database is read yet")
    name, _, arch = spec.name.partition(":")
    known = database(status).packages.get(name, [])
    found = [one for one in known if one.get("Architecture") == arch] if arch else known
    whole = [one for one in found if one.get("Status") in _INSTALLED]
    if not whole:
        said = f" but {found[0].get('Status', '')}" if found else ""
        return Observed(f"package {spec.name} is not installed{said}")
    if len({one.get("Version") for one in whole}) > 1:
        archs = ", ".join(f"{name}:{one.get('Architecture')}" for one in whole)
        return Observed(f"package {spec.name} is installed in several versions: name one of {archs}")
    version = whole[0].get("Version", "")
    why = (
        f"package {spec.name} is {version}; {spec.version} is asked for" if spec.version not in (None, version) else ""
    )
    return Observed(
        why, {"version": version, "architecture": ", ".join(sorted(one.get("Architecture", "") for one in whole))}
    )
