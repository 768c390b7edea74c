"""Rules 19 to 24, 29 and 31: data, by how much there is and how often it changes; and what is left out."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from backstay_api.objects.survey import MountFacts, PathFacts
from backstay_cli.drafting.needs import Case, Confidence, Need, is_below, label, left_out, matches, why_of
from backstay_cli.drafting.quadrant import amount, is_little, is_rare, limits, technique

_AREAS: Final = (
    "/var/lib",
    "/srv",
    "/opt",
    "/home",
    "/var/www",
    "/data",
    "/mnt",
    "/media",
    "/export",
    "/var/spool",
    "/var/mail",
)
_VOLATILE: Final = ("/run", "/var/run", "/tmp", "/var/tmp", "/var/cache", "/var/lock")
_LOGS: Final = ("/var/log",)


def shared(case: Case) -> Iterator[Need]:
    """What another host can reach is mounted where the service runs, and nowhere else."""
    for mount in case.survey.mounts:
        some = [one for one in case.paths() if one.mount_point == mount.point and is_below(one.path, _AREAS)]
        if mount.is_shared and some:
            why = f"{some[0].path} lies on {mount.type} {mount.source}: {why_of(some[0])}"
            why += ". Take it out of /etc/fstab on every host first: nothing else may mount it"
            yield Need(
                "mount",
                _mount(mount),
                label(f"disk-{posixpath.basename(mount.point)}"),
                why,
                max(map(case.confidence, some)),
                strategy="Share",
                covers=(mount.point,),
            )


def _mount(mount: MountFacts) -> dict[str, Any]:
    device = mount.source if mount.is_network else mount.by_id or mount.source
    return {"device": device, "path": mount.point, "fsType": mount.type}


def written(case: Case) -> Iterator[Need]:
    """By the quadrant. What is much and changes often only a person can decide about."""
    for one in _trees(case):
        if _is_written(case, one):
            yield _data(case, one, "data", is_state=True)


def read_only(case: Case) -> Iterator[Need]:
    """A document root, for instance."""
    for one in _trees(case):
        yield _data(case, one, label(posixpath.basename(one.path)), is_state=False)


def _trees(case: Case) -> Iterator[PathFacts]:
    found = [
        one
        for one in case.paths()
        if one.type == "Directory" and is_below(one.path, _AREAS) and not matches(one.path, case.recipe.volatile)
    ]
    # Of one below another, the upper is a need and the lower a part of it.
    return (one for one in found if not any(one.path.startswith(f"{other.path}/") for other in found))


def _is_written(case: Case, one: PathFacts) -> bool:
    owners = {program.uid for program in case.survey.programs if program.uid > 0}
    return any(clue.how == "Written" for clue in one.clues) or one.path in case.survey.main.state or one.uid in owners


def _data(case: Case, one: PathFacts, name: str, *, is_state: bool) -> Need:
    mount = next((each for each in case.survey.mounts if each.point == one.mount_point), None)
    lies = f"; on {', '.join(dict.fromkeys((mount.type, *(mount.stack or (mount.source,)))))}" if mount else ""
    told = f"{why_of(one)}; {amount(one.tree)}{lies}"
    spec = {"path": one.path}
    confidence = case.confidence(one)
    # State of a program is more than files: what is copied while it writes may be no state at all.
    if one.tree is None or (not is_rare(one.tree) and (is_state or not is_little(one.tree))):
        return Need(
            "path", spec, name, told, confidence, strategy="Undecided", choices=_choices(one), covers=(one.path,)
        )
    way = technique(one.tree)
    bounded = not is_rare(one.tree)
    return Need(
        "path",
        {**spec, **limits(one.tree)},
        name,
        f"{told}: {way}",
        confidence,
        covers=(one.path,),
        consistency="Bounded" if bounded else "Exact",
    )


def _choices(one: PathFacts) -> tuple[str, ...]:
    return (
        f"share the disk: mount: {{device: /dev/disk/by-id/…, path: {one.path}, fsType: ext4}}, above the server (docs/how-to/mount-a-disk.md)",
        "replicate below it: DRBD or ZFS, and the mount of that",
    )


def replicated(case: Case) -> Iterator[Need]:
    """What is known to copy it already, or could."""
    if case.recipe.replicates:
        yield Need("", {}, "replication", f"replicate in the application: {case.recipe.replicates}", strategy="")
    for mount in case.survey.mounts:
        if mount.type == "zfs" or any(each.startswith("DRBD") for each in mount.stack):
            yield Need(
                "",
                {},
                "replication",
                f"it lies on {mount.stack[0] if mount.stack else mount.source} already: replicate by that",
                strategy="",
            )


def volatile(case: Case) -> Iterator[Need]:
    """Sockets, pid files, caches: made anew at each start."""
    for one in case.paths():
        if is_below(one.path, (*_VOLATILE, *case.survey.main.volatile)) or matches(one.path, case.recipe.volatile):
            yield left_out(one.path, "made anew at each start")


def logs(case: Case) -> Iterator[Need]:
    """They stay where they were written."""
    for one in case.paths():
        if is_below(one.path, (*_LOGS, *case.survey.main.logs)):
            yield left_out(one.path, "logs stay where they were written")


def devices(case: Case) -> Iterator[Need]:
    """Hardware is on one host only, unless somebody has bought it twice."""
    for one in case.paths():
        if one.type == "Device" and not is_below(one.path, ("/dev/shm", "/dev/pts")):
            choices = (
                "the same hardware is on each host: nothing to write",
                "only some hosts have it: label those, and select them with spec.placement.hosts",
            )
            yield Need(
                "device",
                {"path": one.path},
                label(one.path),
                f"a device: {why_of(one)}",
                strategy="Undecided",
                choices=choices,
                covers=(one.path,),
            )


def rest(case: Case) -> Iterator[Need]:
    """Counted by directory. What packages own is brought by them."""
    packaged = case.software | {one.name for one in case.survey.packages}
    some = [one for one in case.paths() if one.package not in packaged]
    counts = Counter(posixpath.dirname(one.path) for one in some if not is_below(one.path, ("/proc", "/sys")))
    for folder, count in counts.items():
        names = ", ".join(posixpath.basename(one.path) for one in some if posixpath.dirname(one.path) == folder)
        yield Need("", {}, folder, f"{count} more found: {names[:80]}", Confidence.MAYBE, strategy="")
