"""Has a host what a service needs, and as the host has it that runs the service? What hosts have seen is held against each other here.

A copy is right if the service runs with it: hosts are held against the holder, else against where it ran well last. Only where it has never
run is there nothing to be held against, and then each host is right that has all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from backstay_api.objects.editions import EDITION, could_be, edition_id, is_referred, is_secret, staged
from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.prerequisites import ExpectedCopy, LastRanWith, PrerequisiteFinding
from backstay_api.objects.models.resources import Resource
from backstay_api.objects.prerequisites import differences
from backstay_api.objects.resource_kinds import PREREQUISITES, ResourceKind, identity, is_prerequisite, kinds_in
from backstay_operator.planner.know.accepted_drift import NO_COPY, AcceptedDrift, ComparedCopy, fingerprint, words_about
from backstay_operator.planner.know.sessions import report_of
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import elapsed_s, listed

from . import contents
from .questions import held_by_nobody
from .where import Pair, first_difference

PROVEN_S: Final = 60.0
"""For as long it must have run well with something, before that counts as good enough for want of a better."""
REASONS: Final = (*dict.fromkeys(kind.drift for kind in PREREQUISITES), "Missing", "NotVerified")
"""In a word for conditions why hosts could not take over: first what a person must mend, last what passes by itself."""
_NONE: Final[Mapping[str, PrerequisiteFinding]] = {}


@dataclass(frozen=True)
class Unmet:
    """One prerequisite that a host does not meet."""

    resource: str
    why: str
    """A sentence: `file /etc/nginx/nginx.conf is not as on n1: mode is 0600 and there 0644`."""
    blocks: bool
    """The host is not to be chosen; else it is chosen last."""
    is_known: bool = True
    """False: the host has not said yet."""
    is_older: bool = False
    """It is there as the service ran well with it, before an edit: the host is chosen last, and nothing that runs well is moved there."""
    is_missing: bool = False
    """It is not there, not as the manifest declares it, or cannot be seen; whatever others have."""
    drift: str = ""
    """Where it is there, and not as it should be: the word for that, by its kind."""
    accepted: AcceptedDrift | None = None
    """The word of a person who has said that this difference is all right."""

    @property
    def told(self) -> str:
        """With the name that the manifest gives it."""
        return f"{self.resource}: {self.why}"

    @property
    def verdict(self) -> Literal["Unknown", "Missing", "Accepted", "Older", "Different"]:
        """In a word."""
        if not self.is_known:
            return "Unknown"
        if self.accepted is not None:
            return "Accepted"
        return "Missing" if self.is_missing else "Older" if self.is_older else "Different"

    @property
    def reason(self) -> str:
        """In a word for conditions, why the host could not take over: one of `REASONS`."""
        return self.drift or ("Missing" if self.is_missing else "NotVerified")


@dataclass(frozen=True)
class _Reference:
    """What hosts are held against."""

    host: str
    facts: Mapping[str, str]


def prerequisites_of(service: HAService) -> list[Resource]:
    """The resources that are only looked at, in their order."""
    return [resource for resource in service.spec.resources if is_prerequisite(resource)]


def unmet(world: World, service: HAService, instance: HAInstance, host: str) -> Sequence[Unmet]:
    """What of the prerequisites this host does not meet, in the order of the manifest. What a person has accepted is none of it."""
    about = (service, instance, world.hosts.get(host))
    found = judged(world, service, instance, host)
    return world.once("unmet", about, lambda: tuple(one for one in found if one.accepted is None))


def judged(world: World, service: HAService, instance: HAInstance, host: str) -> Sequence[Unmet]:
    """The same, and beside it what is not alike and has been accepted."""
    about = (service, instance, world.hosts.get(host))
    return world.once("judged", about, lambda: tuple(_judged(world, service, instance, host)))


def _judged(world: World, service: HAService, instance: HAInstance, host: str) -> Iterator[Unmet]:
    wanted = prerequisites_of(service)
    seen = seen_on(world, service, instance, host) if wanted else _NONE
    for resource in wanted:
        ((kind, _),) = kinds_in([resource])
        name, blocks, found = resource.name, blocking(resource, kind), seen.get(resource.name)
        if why := _is_to_come(world, service, instance, resource, found):
            yield Unmet(name, why, blocks, is_known=False)
        elif found is None:
            yield Unmet(name, _not_looked_at(resource), blocks, is_known=False)
        elif found.why:
            yield Unmet(name, found.why, blocks, is_missing=True, drift=kind.drift if found.facts else "")
        elif unlike := list(_unlike(world, service, instance, host, resource, kind, found)):
            yield _differing(service, resource, kind, found, unlike)


def _not_looked_at(resource: Resource) -> str:
    """An agent leaves aside all that it was to look at for a service where it does not know a part of that."""
    is_new = resource.file is not None and is_secret(resource.file)
    more = ", which an agent that does not know files from Secrets never does: is backstay-agent there of this release?"
    return f"not looked at yet{more if is_new else ''}"


def _is_to_come(
    world: World, service: HAService, instance: HAInstance, resource: Resource, found: PrerequisiteFinding | None
) -> str:
    """Of a file that has never been in use, and whose content stands elsewhere, which no generation of the manifest counts: why the host
    cannot have said yet that it has what that says now. Empty: it can."""
    if resource.file is None or not is_referred(resource.file):
        return ""
    told = contents.brought(world, service, instance, resource)
    if told is None:
        unread = f"{contents.not_read(world, service, resource.file)} has not been read yet"
        return contents.fault(world, service, resource) or unread
    if found is None or found.why or instance.holder or last_ran_with(service, resource) is not None:
        return ""
    word = "Secret" if is_secret(resource.file) else "ConfigMap"
    has = {found.facts.get(EDITION, ""), *staged(found.facts)}
    return "" if edition_id(told.file) in has else f"file {resource.file.path} is not as its {word} says now yet"


def _differing(
    service: HAService,
    resource: Resource,
    kind: ResourceKind,
    found: PrerequisiteFinding,
    unlike: Sequence[tuple[str, AcceptedDrift | None]],
) -> Unmet:
    why = next((why for why, word in unlike if word is None), "")
    if not why:
        why, word = unlike[0]
        return Unmet(resource.name, why, blocks=False, drift=kind.drift, accepted=word)
    blocks = blocking(resource, kind)
    older = blocks and any(_alike(resource, found.facts, one) for one in _ran_well_before(service, resource, kind))
    said = f"{why}; it ran well with that before" if older else why
    return Unmet(resource.name, said, blocks and not older, is_older=older, drift=kind.drift)


def older_while_it_runs(world: World, service: HAService, instance: HAInstance, host: str) -> Sequence[Unmet]:
    """What this host has as it was before an edit, where nothing has failed on another that would make it welcome."""
    report = report_of(world, instance.holder, instance) if instance.holder not in ("", host) else None
    if instance.holder in ("", host) or (report is not None and report.phase == "Failed"):
        return ()
    return [one for one in unmet(world, service, instance, host) if one.is_older]


def blocking(resource: Resource, kind: ResourceKind) -> bool:
    """Whether a host that does not meet it is not to be chosen."""
    return (resource.gate or kind.gate) != "Warn"


def _ran_well_before(service: HAService, resource: Resource, kind: ResourceKind) -> list[Mapping[str, str]]:
    """With what it ran well for a minute, before what is right now: that is better than an outage."""
    told = last_ran_with(service, resource)
    if told is None or not kind.may_be_older or resource.gate == "Strict":
        return []
    return [facts for facts in (told.before, told.facts if is_proven(told, told.until) else {}) if facts]


def is_proven(told: LastRanWith, until: str | None) -> bool:
    """Whether it had run well with that for long enough, until then."""
    return until is not None and (elapsed_s(told.since or until, until) or 0.0) >= PROVEN_S


def _alike(resource: Resource, here: Mapping[str, str], there: Mapping[str, str]) -> bool:
    ((kind, spec),) = kinds_in([resource])
    return not differences(here, there, kind.declared(spec))


def expected(world: World, service: HAService, instance: HAInstance, host: str) -> list[ExpectedCopy]:
    """As what this host must still have, when it starts, what made it fit to be chosen; of where it ran last, nothing."""
    chosen, seen = held_by_nobody(instance), seen_on(world, service, instance, host)
    found: list[ExpectedCopy] = []
    for resource in prerequisites_of(service):
        ((kind, spec),) = kinds_in([resource])
        if (resource.consistency or kind.consistency) == "Any" or not blocking(resource, kind):
            continue
        if last_ran_with(service, resource) is None:
            continue  # it has never run well: each host is right that has all
        right = [one for one in _references(world, service, chosen, resource) if one.host != host]
        here = seen[resource.name].facts if resource.name in seen else {}
        fit = [one.facts for one in right] + _ran_well_before(service, resource, kind)
        if len(right) == 1:
            alike = next((one for one in fit if _alike(resource, here, one)), None)
            is_fit = alike is not None
            if here and not is_fit:
                is_fit = _word(service, chosen, resource, (host, here), (right[0].host, right[0].facts)) is not None
            # Of a file's editions the one that it is to start with, wherever the host itself has come to.
            facts = could_be(here, alike or {}) if is_fit else right[0].facts
            kept = {name: fact for name, fact in facts.items() if name not in kind.declared(spec)}
            found.append(ExpectedCopy(name=resource.name, facts=kept))
    return found


def seen_on(world: World, service: HAService, instance: HAInstance, host: str) -> Mapping[str, PrerequisiteFinding]:
    """What this host, alive or dead, has seen last by this very manifest, by the name of the resource."""
    assignment = world.assignments.get(host)
    report = assignment.status.prerequisites.get(instance.uid) if assignment else None
    if report is None or report.revision != service.metadata.generation:
        return _NONE
    return {one.name: one for one in report.findings}


def last_ran_with(service: HAService, resource: Resource) -> LastRanWith | None:
    """As it was where the service ran well last; nothing, if an edit has put another thing in its place since."""
    what = identity(resource)
    known = (one for one in service.status.last_ran_with if one.name == resource.name and one.what == what)
    return next(known, None)


def _unlike(
    world: World,
    service: HAService,
    instance: HAInstance,
    host: str,
    resource: Resource,
    kind: ResourceKind,
    found: PrerequisiteFinding,
) -> Iterator[tuple[str, AcceptedDrift | None]]:
    """How it differs from each that it is held against, in a sentence, with the word of who has accepted that."""
    if (resource.consistency or kind.consistency) == "Any":
        return
    references = _references(world, service, instance, resource)
    if not references and instance.holder:
        where = f"{instance.holder}, where the service runs,"
        yield f"it cannot be compared: {where} has not said how it has {identity(resource)}", None
    if any(one.host == host for one in references) and (instance.holder or len(references) == 1):
        return
    ((_, spec),) = kinds_in([resource])
    for one in references:
        if one.host != host and (how := differences(found.facts, one.facts, kind.declared(spec))):
            sides = (host, found.facts), (one.host, one.facts)
            word = _word(service, instance, resource, *sides)
            pair = Pair(instance.uid, resource.name, host, one.host, (found.facts, one.facts))
            unknown = "" if len(references) == 1 else ", and nobody knows with which of them it ran last"
            ended = "" if word else _ended(service, instance, resource, *sides)
            yield f"{_first(world, pair, resource) or _all(resource, one.host, how)}{unknown}{ended}", word


def copy_of(instance: HAInstance, resource: Resource, host: str, facts: Mapping[str, str]) -> ComparedCopy:
    """A copy as a person's word names it."""
    ((kind, spec),) = kinds_in([resource])
    compared = {name: fact for name, fact in facts.items() if name not in kind.declared(spec)}
    return ComparedCopy(host, fingerprint(instance.uid, identity(resource), compared))


def _word(
    service: HAService, instance: HAInstance, resource: Resource, *sides: tuple[str, Mapping[str, str]]
) -> AcceptedDrift | None:
    words = words_about(service, instance.metadata.name, resource.name)
    here, there = (copy_of(instance, resource, *side) for side in sides) if words else (NO_COPY, NO_COPY)
    return next((one for one in words if one.holds(here, there)), None)


def _ended(service: HAService, instance: HAInstance, resource: Resource, *sides: tuple[str, Mapping[str, str]]) -> str:
    """Of these two hosts, whichever of them runs it: what was said of either, and why it does not hold. Empty: nothing was said."""
    (mine, _), (other, _) = sides
    words = words_about(service, instance.metadata.name, resource.name)
    words = [one for one in words if one.host == mine or (one.host, one.than) == (other, mine)]
    if not words:
        return ""
    here, there = (copy_of(instance, resource, *side) for side in sides)
    last = words[-1]
    return f"; {last.told_ended(here, there) if last.host == mine else last.told_ended(there, here)}"


def _all(resource: Resource, host: str, how: Sequence[str]) -> str:
    return f"{identity(resource)} is not as on {host}: {', '.join(how)}"


def _first(world: World, pair: Pair, resource: Resource) -> str:
    """Where they differ first, and how besides; empty where that is not known."""
    ((kind, spec),) = kinds_in([resource])
    first = first_difference(world, pair) if kind.says_where else ""
    how = differences(*pair.facts, (*kind.declared(spec), "content", "entries")) if first else []
    return f"{first}; {_all(resource, pair.there, how)}" if how else first


def unlike_content(world: World, service: HAService, instance: HAInstance, host: str) -> Iterator[Pair]:
    """What this host has with another content than the one that it is held against, where the two can find out where."""
    seen = seen_on(world, service, instance, host)
    for one in judged(world, service, instance, host):
        resource = next(each for each in prerequisites_of(service) if each.name == one.resource)
        ((kind, spec),) = kinds_in([resource])
        right = [each for each in _references(world, service, instance, resource) if each.host != host]
        if (
            one.verdict in ("Older", "Different", "Accepted")
            and kind.says_where
            and len(right) == 1
            and one.resource in seen
        ):
            here, there = seen[one.resource].facts, right[0].facts
            if here.get("content") != there.get("content") and "content" not in kind.declared(spec):
                yield Pair(instance.uid, resource.name, host, right[0].host, (here, there))


def held_against(
    world: World, service: HAService, instance: HAInstance, resource: Resource, host: str
) -> tuple[ComparedCopy | None, list[ComparedCopy]]:
    """The copy of this host, if it has told of one, and those that it is held against."""
    seen = seen_on(world, service, instance, host).get(resource.name)
    mine = copy_of(instance, resource, host, seen.facts) if seen is not None and seen.facts else None
    others = [one for one in _references(world, service, instance, resource) if one.host != host]
    return mine, [copy_of(instance, resource, one.host, one.facts) for one in others]


def acceptable(
    world: World, service: HAService, instance: HAInstance, resource: Resource, host: str
) -> list[tuple[ComparedCopy, ComparedCopy]]:
    """What a person could accept: the copy of this host, and each that it is held against and is not like. Nothing of what is missing."""
    found = next((one for one in judged(world, service, instance, host) if one.resource == resource.name), None)
    mine, others = held_against(world, service, instance, resource, host)
    if found is None or mine is None or found.verdict not in ("Different", "Older"):
        return []
    return [(mine, there) for there in others if there.fingerprint != mine.fingerprint]


def _references(world: World, service: HAService, instance: HAInstance, resource: Resource) -> list[_Reference]:
    """What a host is held against: one host's, or, where it has run and nobody knows where, that of every other host."""
    told = last_ran_with(service, resource)
    host = instance.holder or (told.host if told else "")
    found = seen_on(world, service, instance, host).get(resource.name) if host else None
    if found is not None and found.facts:
        return [_Reference(host, found.facts)]
    if told is not None:
        return [_Reference(told.host, told.facts)]
    if instance.holder or instance.spec.epoch == 0:
        return []
    others = ((name, seen_on(world, service, instance, name).get(resource.name)) for name in sorted(world.assignments))
    return [_Reference(name, seen.facts) for name, seen in others if seen is not None and seen.facts]


def told(found: Sequence[Unmet]) -> str:
    """All of them in one sentence."""
    return listed([one.told for one in found], most=3)
