"""What is wrong with a manifest by itself, whoever else is there. Pure functions of it, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from backstay_api.objects import windows
from backstay_api.objects.bounds import MOST_CONTENT_BYTES
from backstay_api.objects.durations import seconds
from backstay_api.objects.editions import is_brought, told_bytes
from backstay_api.objects.models import HAService
from backstay_api.objects.models.resources import Resource, Timeouts
from backstay_api.objects.names import instance_name, promoted_name
from backstay_api.objects.probe_kinds import fault_of, may_fail
from backstay_api.objects.quantities import amount
from backstay_api.objects.recovery import policy_of
from backstay_api.objects.resource_kinds import claims_of, is_address, is_prerequisite, kinds_in, units_of
from backstay_api.objects.sequence import fault, needs

from . import contradictions
from .unsupported import first_unsupported

# Shorter, and the poll itself would be the load; longer, and nobody meant it.
SHORTEST_S: Final = 0.1
LONGEST_S: Final = 24 * 3600.0
# A window that is shorter may pass between two looks at the host; one that is longer is open at all times for a weekly schedule.
SHORTEST_WINDOW_S: Final = 60.0
LONGEST_WINDOW_S: Final = 7 * 24 * 3600.0
# Shorter, and nothing was tried; longer, and a failover goes for hours with what nobody wants any more.
SHORTEST_SOAK_S: Final = 1.0
LONGEST_SOAK_S: Final = 3600.0
# What the API server takes for the name of any object; an HAInstance is named after its service.
OBJECT_NAME_CHARS: Final = 253


class Fault(NamedTuple):
    """Why it cannot be carried out."""

    reason: str
    """One CamelCase word, for the condition."""
    message: str
    """A sentence: what is wrong, and where."""


def first_fault(service: HAService) -> Fault | None:
    """The first of them that it has, if any."""
    return next((found for fault in _FAULTS if (found := fault(service))), None)


def path_of(resource: Resource) -> str:
    """Where a resource says what it is, as people write it."""
    return next(f"spec.resources[{resource.name}].{kind.wire}" for kind, _ in kinds_in([resource]))


def _not_supported_yet(service: HAService) -> Fault | None:
    sentence = first_unsupported(service)
    return Fault("NotSupportedYet", sentence) if sentence else None


def _reloads_no_unit(service: HAService) -> Fault | None:
    units = {one.name for one in service.spec.resources if units_of([one])}
    for resource in service.spec.resources:
        for name in resource.file.reload if resource.file else ():
            if name not in units:
                return Fault(
                    "InvalidFile", f"{path_of(resource)}.reload: {name} is no systemd resource of this service"
                )
    return None


def _brings_too_much(service: HAService) -> Fault | None:
    """No order with more would ever fit, and nobody would say why no host is ready."""
    contents = [one.file.content for one in service.spec.resources if one.file is not None and one.file.content]
    much = told_bytes(contents)
    if much <= MOST_CONTENT_BYTES:
        return None
    return Fault(
        "InvalidFile",
        f"spec.resources: the contents of files have {-(-much // 1024)} KiB together, as hosts are told them, and may have"
        f" {MOST_CONTENT_BYTES // 1024}",
    )


def _bad_rollout(service: HAService) -> Fault | None:
    said = service.spec.rollout
    if said is None:
        return None
    if not any(one.file is not None and is_brought(one.file) for one in service.spec.resources):
        why = "says how files are tried that are brought to hosts, and no file of it has content or configMapKeyRef: leave it out"
        return Fault("InvalidRollout", f"spec.rollout {why}")
    if said.soak is not None and not SHORTEST_SOAK_S <= seconds(said.soak) <= LONGEST_SOAK_S:
        return Fault("InvalidRollout", f"spec.rollout.soak is {said.soak}: it must lie between 1s and 1h")
    return None


def _faulty(service: HAService) -> Fault | None:
    for resource in service.spec.resources:
        for kind, spec in kinds_in([resource]):
            if why := kind.fault(spec):
                return Fault(f"Invalid{kind.noun.capitalize()}", f"{path_of(resource)}.{why}")
    return None


def _only_looked_at(service: HAService) -> Fault | None:
    """Nothing of a prerequisite is started, stopped or asked, so that what says how means nothing for it."""
    names = [resource.name for resource in service.spec.resources if is_prerequisite(resource)]
    if names and service.spec.mode != "Single":
        what = f"spec.resources[{names[0]}] is only looked at, and its copies on hosts are compared"
        return Fault("NotSupportedYet", f"{what}: today that goes with mode Single alone")
    if names and len(names) == len(service.spec.resources):
        return Fault("NothingToStart", "all of spec.resources are only looked at: name what shall run, too")
    for resource in service.spec.resources:
        if is_prerequisite(resource) and (field := _says_how_it_runs(resource)):
            why = "nothing of it is started, stopped or probed, and it counts for all others"
            return Fault(
                "InvalidPrerequisite", f"spec.resources[{resource.name}] is only looked at: leave {field} out, {why}"
            )
        if waits := [name for name in resource.after or () if name in names]:
            why = "which is only looked at, before anything starts: leave it out there"
            return Fault("InvalidAfter", f"spec.resources[{resource.name}].after names {waits[0]}, {why}")
    return None


def _says_how_it_runs(resource: Resource) -> str:
    said = {
        "after": resource.after is not None,
        "reloadedAt": resource.reloaded_at is not None,
        "timeouts": resource.timeouts != Timeouts(),
        "probes": bool(resource.probes),
        "onFailure": resource.on_failure is not None,
    }
    return next((field for field, is_said in said.items() if is_said), "")


def _started(service: HAService) -> list[Resource]:
    return [resource for resource in service.spec.resources if not is_prerequisite(resource)]


def _faulty_probe(service: HAService) -> Fault | None:
    for resource in service.spec.resources:
        for probe in resource.probes:
            if why := fault_of(probe):
                return Fault("InvalidProbe", f"spec.resources[{resource.name}].probes[{probe.name}].{why}")
    return None


def _named_twice(service: HAService) -> Fault | None:
    seen: dict[str, str] = {}
    for resource in service.spec.resources:
        for key in claims_of([resource]):
            first = seen.setdefault(key.name, resource.name)
            if first != resource.name:
                return Fault(
                    "NamedTwice",
                    f"resources {first} and {resource.name} both name {key.text}: one of them has to go,"
                    " since stopping the one would stop the other",
                )
    return None


def _no_order(service: HAService) -> Fault | None:
    why = fault(_started(service))
    return Fault("InvalidAfter", f"spec.resources: {why}") if why else None


def _stands_on_what_may_fail(service: HAService) -> Fault | None:
    """It would be started without what it needs, a database without its disk."""
    resources = _started(service)
    for resource, under in zip(resources, needs(resources), strict=True):
        for below in (resources[at] for at in under if not is_address(resource)):
            if may_fail(below):
                return Fault(
                    "InvalidOnFailure",
                    f"spec.resources[{resource.name}] stands on {below.name}, whose onFailure is {below.on_failure}: it would start without it."
                    f" List {below.name} behind it, or say with `after` what {resource.name} stands on",
                )
    return None


def _not_exclusive(service: HAService) -> Fault | None:
    """Two copies of what may run twice would have one address twice as soon as their first host is silent."""
    is_promotable = service.spec.mode == "Promotable"
    for resource in _of_copies(service) if not service.exclusive and not is_promotable else ():
        for key in claims_of([resource]):
            if not key.is_on_hosts:
                thing = key.type.lower()
                return Fault(
                    f"{key.type}NotExclusive",
                    f"{path_of(resource)} needs spec.exclusive: true (the default{_of_single(service)}): of a service whose copies"
                    f" may run twice, two hosts would have the {thing} at once; leave the {thing} out, or exclusive",
                )
    return None


def _of_single(service: HAService) -> str:
    return "" if service.spec.mode == "Single" else " of mode Single"


def _of_copies(service: HAService) -> list[Resource]:
    """What each copy has."""
    return [one for one in service.spec.resources if one.role != "Promoted"]


def _nothing_promoted(service: HAService) -> Fault | None:
    if service.spec.mode != "Promotable":
        return None
    copies = _of_copies(service)
    if len(copies) == len(service.spec.resources) and not any(one.is_promotable for one in copies):
        why = "no resource has role: Promoted, nor ocf.promotable, so there is nothing that the promoted copy has and the others have not"
        return Fault("NothingPromoted", f"spec.mode (Promotable): {why}; or it is Replicated")
    if not copies:
        why = "all resources have role: Promoted, so there are no copies that one could be promoted of"
        return Fault("NothingPromoted", f"spec.mode (Promotable): {why}; or it is Single")
    return None


def _two_promotable(service: HAService) -> Fault | None:
    """Each tells how fresh the data of its copy is, and which of them counts nobody has said."""
    promotable = [one.name for one in service.spec.resources if one.is_promotable]
    if len(promotable) < 2:
        return None
    why = f"{promotable[0]} and {promotable[1]} are both promotable, and the data of one copy decides who is promoted"
    return Fault("TwoPromotable", f"spec.resources: {why}: let one of them be a service of its own")


def _stands_on_the_promoted(service: HAService) -> Fault | None:
    """A copy is up before it is promoted, and most never are."""
    promoted = {one.name for one in service.spec.resources} - {one.name for one in _of_copies(service)}
    for resource in _of_copies(service) if promoted else ():
        if above := sorted(promoted.intersection(resource.after or ())):
            why = f"every copy has {resource.name}, and {above[0]} only the promoted one"
            return Fault("InvalidAfter", f"spec.resources: {resource.name} comes after {above[0]}, but {why}")
    return None


def _one_for_many(service: HAService) -> Fault | None:
    """What there is once in the cluster cannot be on as many hosts as there are copies."""
    for resource in _of_copies(service) if service.has_many else ():
        for key in claims_of([resource]):
            if not key.is_on_hosts:
                mode = service.spec.mode
                many = f"mode {mode}" if mode != "Replicated" else f"{service.spec.replicas} replicas"
                instead = "give it role: Promoted" if mode == "Promotable" else "let it be one copy (mode Single)"
                return Fault(
                    f"One{key.type}ForMany",
                    f"{path_of(resource)}: of {many} each would have {key.text} on its host, and one host at a time can have it;"
                    f" leave the {key.type.lower()} out, or {instead}",
                )
    return None


def _long_name(service: HAService) -> Fault | None:
    last = (service.spec.replicas or 1) - 1 if service.spec.mode == "Replicated" else 0
    longest = promoted_name("") if service.spec.mode == "Promotable" else instance_name("", last)
    most = OBJECT_NAME_CHARS - len(longest)
    if len(service.metadata.name) <= most:
        return None
    return Fault(
        "NameTooLong",
        f"its name has {len(service.metadata.name)} characters, and what is named after it (its HAInstance, …{longest}) may have"
        f" {OBJECT_NAME_CHARS}: choose a name of at most {most} characters",
    )


def _contradictory(service: HAService) -> Fault | None:
    why = contradictions.within(service)
    return Fault("ContradictoryRules", why) if why else None


def _bad_amount(service: HAService) -> Fault | None:
    for name, said in sorted((service.spec.placement.capacity or {}).items()):
        if amount(said) is None:
            shall = 'write it as Kubernetes does, and not below zero: 2, "500m", "4Gi"'
            return Fault("InvalidCapacity", f"spec.placement.capacity[{name}] is {said!r}, which is no amount: {shall}")
    return None


def _bad_window(service: HAService) -> Fault | None:
    window = service.spec.placement.window
    if window is None:
        return None
    why = windows.window_fault(window.schedule, window.zone)
    if not why and not SHORTEST_WINDOW_S <= seconds(window.duration) <= LONGEST_WINDOW_S:
        why = f"duration is {window.duration}: it must lie between 1m and 168h"
    return Fault("InvalidWindow", f"spec.placement.window.{why}") if why else None


def _bad_duration(service: HAService) -> Fault | None:
    for path, text, shortest_s in _all_durations(service):
        if text is not None and not shortest_s <= seconds(text) <= LONGEST_S:
            return Fault("InvalidDuration", f"spec.{path} is {text}: it must lie between {shortest_s:g}s and 24h")
    return None


def _all_durations(service: HAService) -> Iterator[tuple[str, str | None, float]]:
    for resource in service.spec.resources:
        for path, text, shortest_s in _durations(resource):
            yield f"resources[{resource.name}].{path}", text, shortest_s
    if recovery := service.spec.recovery:
        yield "recovery.window", recovery.window, SHORTEST_S
        yield "recovery.rebootGrace", recovery.reboot_grace, 0.0
        yield "recovery.moves.per", recovery.moves.per if recovery.moves else None, SHORTEST_S
        if backoff := recovery.backoff:
            yield "recovery.backoff.initial", backoff.initial, SHORTEST_S
            yield "recovery.backoff.max", backoff.max, SHORTEST_S


def _never_moves(service: HAService) -> Fault | None:
    """Restarts so far apart that the first is forgotten before the last would never be used up: what fails for ever would stay."""
    policy = policy_of(service.spec.recovery)
    if policy.longest_s < policy.first_s:
        return Fault(
            "InvalidBackoff", "spec.recovery.backoff.max is shorter than backoff.initial: it is the longest pause"
        )
    if policy.lasts_s() < policy.window_s:
        return None
    return Fault(
        "RestartsNeverUsedUp",
        f"spec.recovery: {policy.restarts} restarts with these pauses take {policy.lasts_s():g}s at least, so they are never used"
        f" up within the window of {policy.window}, and it would never move: fewer restarts, shorter pauses or a longer window",
    )


def _durations(resource: Resource) -> Iterator[tuple[str, str | None, float]]:
    if resource.timeouts:
        yield "timeouts.start", resource.timeouts.start, SHORTEST_S
        yield "timeouts.stop", resource.timeouts.stop, SHORTEST_S
        yield "timeouts.check", resource.timeouts.check, SHORTEST_S
    for probe in resource.probes or []:
        yield f"probes[{probe.name}].period", probe.period, SHORTEST_S
        # A probe of the loopback address may well be given less than the shortest period.
        yield f"probes[{probe.name}].timeout", probe.timeout, SHORTEST_S / 10
        yield f"probes[{probe.name}].initialDelay", probe.initial_delay, 0.0


_FAULTS: Final[Sequence[Callable[[HAService], Fault | None]]] = (
    _long_name,
    _not_supported_yet,
    _nothing_promoted,
    _two_promotable,
    _one_for_many,
    _not_exclusive,
    _faulty,
    _reloads_no_unit,
    _brings_too_much,
    _bad_rollout,
    _only_looked_at,
    _faulty_probe,
    _named_twice,
    _contradictory,
    _bad_amount,
    _bad_window,
    _no_order,
    _stands_on_the_promoted,
    _stands_on_what_may_fail,
    _bad_duration,
    _never_moves,
)
