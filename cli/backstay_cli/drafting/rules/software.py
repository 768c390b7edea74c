"""Rules 6 to 10, 17 and 18: what is installed, who it runs as, how the kernel is set."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator
from typing import Any, Final

from backstay_api.objects.survey import PackageFacts, PathFacts, ProgramFacts
from backstay_cli.drafting.needs import Case, Confidence, Need, label, why_of

_OF_PACKAGES: Final = ("/usr/lib/", "/lib/", "/run/", "/usr/share/")
_APPLICATIONS: Final = (("/opt", 2), ("/srv", 2), ("/usr/local", 3), ("/var/www", 3), ("/home", 3))
"""Where applications have trees of their own, and how deep."""
_MOST_NAMED: Final = 40


def unit_files(case: Case) -> Iterator[Need]:
    """Of the units that move with the service."""
    units = [unit for unit in case.survey.units if unit.role in ("Asked", "Starts", "Follows")]
    for unit in units:
        own = [path for path in (unit.fragment, *unit.drop_ins) if path and not path.startswith(_OF_PACKAGES)]
        if own:
            yield Need(
                "setting",
                {"units": [unit.name]},
                "unit" if unit.role == "Asked" else label(f"unit-{unit.name}"),
                ", ".join(own),
                covers=tuple(own),
                consistency="Exact",
            )
    generated = [unit.fragment for unit in units if unit.fragment.startswith("/run/")]
    if generated:
        yield Need(
            "setting",
            {"units": [units[0].name]},
            "unit",
            f"{generated[0]} was made at run time: its origin must be on each host",
            Confidence.LIKELY,
        )


def main_packages(case: Case) -> Iterator[Need]:
    """Of what runs, and of the unit."""
    packages = {one.name: one for one in case.survey.packages}
    programs = {path for one in case.survey.programs for path in (one.executable,)} | set(case.survey.main.executes)
    essential = {one.name for one in case.survey.packages if one.is_essential}
    owners = sorted(
        case.software - essential or case.software, key=lambda name: (not _owns(case, name, programs), name)
    )
    for name in owners:
        paths = [one.path for one in case.survey.paths if one.package == name and not one.path.startswith("/etc/")]
        said = [path for path in paths if path in programs] or paths
        first = name == owners[0]
        spec = _package(name, _with(case) if first else [])
        yield Need(
            "package",
            spec,
            "software" if first else label(name),
            f"owns {', '.join(said[:3])}; version {_version(packages, name)}{_restart(case.survey.programs)}",
            covers=tuple(paths),
            consistency="Exact",
        )


def _owns(case: Case, name: str, paths: set[str]) -> bool:
    return any(one.package == name and one.path in paths for one in case.survey.paths)


def _version(packages: dict[str, PackageFacts], name: str) -> str:
    return packages[name].version if name in packages else "unknown"


def _restart(programs: Iterable[ProgramFacts]) -> str:
    return "; an older version runs than is installed" if any(one.is_replaced for one in programs) else ""


def _package(name: str, others: list[str]) -> dict[str, Any]:
    return {"name": name, **({"with": others} if others else {})}


def _with(case: Case) -> list[str]:
    """Packages whose code is mapped, but for those of the program and those of every host."""
    essential = {one.name for one in case.survey.packages if one.is_essential}
    mapped = {one.package for one in case.survey.paths if one.package and _is_code(one)}
    return sorted(name for name in mapped - essential - case.software if not _is_careful(case, name))[:_MOST_NAMED]


def _is_code(one: PathFacts) -> bool:
    return any(clue.how in ("Mapped", "Executed") for clue in one.clues)


def libraries(case: Case) -> Iterator[Need]:
    """They stand in `with` of the package above. Of its own are those whose version matters to the data."""
    for package in case.survey.packages:
        if _is_careful(case, package.name):
            yield Need(
                "package",
                {"name": package.name},
                label(package.name),
                f"mapped, version {package.version}; {case.recipe.note}",
                consistency="Exact",
            )


def _is_careful(case: Case, name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for glob in case.recipe.careful)


def unpackaged(case: Case) -> Iterator[Need]:
    """A program of an admin's own, or its libraries."""
    for one in case.paths():
        is_program = _is_code(one) or (
            one.mode & 0o111 and one.path.startswith(("/usr/local/", "/opt/", "/srv/", "/home/"))
        )
        if one.type == "File" and not one.package and is_program and not one.path.startswith("/etc/"):
            yield _own(one, case.confidence(one))


def applications(case: Case) -> Iterator[Need]:
    """Of what an interpreter runs, only the script is seen; its tree is its application."""
    for one in case.paths():
        is_named = any(clue.how == "Argument" for clue in one.clues)
        if one.type == "File" and not one.package and is_named and _root(one.path):
            yield _own(one, Confidence.SURE if any(clue.how == "Read" for clue in one.clues) else Confidence.LIKELY)


def _own(one: PathFacts, confidence: Confidence) -> Need:
    root = _root(one.path)
    why = f"{one.path} belongs to no package: {why_of(one)}"
    if root:
        return Need(
            "path", {"path": root}, label(root.rpartition("/")[2]), why, confidence, covers=(root,), consistency="Exact"
        )
    return Need(
        "file",
        {"path": one.path},
        label(one.path.rpartition("/")[2]),
        why,
        confidence,
        covers=(one.path,),
        consistency="Exact",
    )


def _root(path: str) -> str:
    """The application's directory; empty where the file stands by itself."""
    for folder, depth in _APPLICATIONS:
        parts = path.split("/")
        if (
            path.startswith(f"{folder}/")
            and len(parts) > depth + 1
            and parts[3 if folder == "/usr/local" else 0] not in ("bin", "sbin", "lib")
        ):
            return "/".join(parts[: depth + 1])
    return ""


def accounts(case: Case) -> Iterator[Need]:
    """By number, since files belong to numbers."""
    groups = {one.number: one.name for one in case.survey.accounts if one.type == "Group"}
    for user in (one for one in case.survey.accounts if one.type == "User"):
        own = {group for program in case.survey.programs if program.uid == user.number for group in program.groups}
        more = sorted(groups.get(number, str(number)) for number in own - {user.gid})
        told = f", groups {', '.join(more)}" if more else ""
        where = "" if user.is_local else "; only a directory service knows it: each host must reach that"
        why = f"processes run as {user.name} {user.number}:{user.gid}{told}{where}"
        yield Need(
            "setting",
            {"user": user.name, **({"groups": more} if more else {})},
            label(f"user-{user.name}"),
            why,
            consistency="Exact",
        )


def kernel(case: Case) -> Iterator[Need]:
    """Of all that admins set, what the recipe names, or what stands in a file that is the service's own."""
    mentioned = {one.path for one in case.survey.paths if one.package in case.software}
    for one in case.survey.settings:
        if one.name in case.recipe.sysctls or one.where.rpartition(":")[0] in mentioned:
            key = "sysctl" if one.type == "Sysctl" else "module"
            value = f" = {one.value}" if one.value else ""
            yield Need(
                "setting",
                {key: one.name},
                label(one.name),
                f"{one.where}{value}",
                Confidence.LIKELY,
                consistency="Exact",
                gate="Warn",
            )
