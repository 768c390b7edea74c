"""Which edition of a file each host shall have in place: all have the new one and call it right, then those that stand by put it there, one
after the other, and at last the host that runs the service.

Worked out anew in each round from what hosts say, dead ones too, so that an operator that begins anew goes on where the last one was.
What was on trial where a host was lost is refused everywhere: it may have been the cause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from backstay_api.objects.editions import (
    EDITION,
    KEEP,
    REFUSED,
    RETRIED,
    TRIAL,
    TRIES,
    WHY_REFUSED,
    edition_id,
    is_brought,
    staged,
    tried_by,
)
from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.prerequisites import RenderedRollout
from backstay_api.objects.models.resources import Resource
from backstay_api.objects.resource_kinds import kinds_in
from backstay_operator.planner.know import liveness
from backstay_operator.planner.know.liveness import Liveness
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import listed

from . import contents
from .prerequisites import last_ran_with, prerequisites_of

Facts = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """All that it is decided from."""

    target: str
    """The edition that the manifest wants."""
    proven: str
    """The edition that the service runs well with, or ran with last; empty: it never ran with any."""
    holder: str
    """Where the service runs; empty: nowhere."""
    said: Mapping[str, Facts]
    """What hosts have said last, by this manifest: those that are gone too."""
    standing_by: Sequence[str] = ()
    """Hosts that could take over and are not gone, in their order."""
    before: Mapping[str, Facts] = field(default_factory=dict)
    """What hosts have said, by whichever manifest."""
    tries: str = ""
    """How it is to be tried, as hosts say that they do; empty: as always."""
    retried: str = ""
    """When a person last had what was refused tried again; empty: never."""
    is_paused: bool = False
    """A person lets the host that runs the service wait."""

    @property
    def is_on_trial(self) -> bool:
        """Whether what runs is just being tried with it: so it goes on, whatever an edit of the manifest has hosts say anew."""
        return self.before.get(self.holder, {}).get(TRIAL) == self.target

    @property
    def unable(self) -> str:
        """Why the host that runs the service could not try it as it is to be tried, in a sentence; empty: it can."""
        said = self.said.get(self.holder, {})
        if EDITION not in said:
            return f"{self.holder} has not said yet what it has there" if self.retried or self.tries else ""
        if self.retried not in ("", said.get(RETRIED)):
            return f"the agent of {self.holder} has not said that it tries again what was refused: upgrade it"
        if self.tries in ("", said.get(TRIES)):
            return ""
        return f"the agent of {self.holder} has not said that it can try it so ({self.tries}): upgrade it"

    @property
    def is_next(self) -> bool:
        """Whether all others have it in place, so that it is for the host that runs the service to begin with it."""
        is_open = self.target != self.proven and self.refusal is None and not self.is_on_trial
        return is_open and bool(self.proven and self.holder) and self.is_staged and not self.waiting

    @property
    def refusal(self) -> tuple[str, str] | None:
        """Who has refused what the manifest wants, and why."""
        for host, facts in sorted(self.before.items()):
            if self.retried not in ("", facts.get(RETRIED)):
                continue  # it was said before a person had it tried again
            if facts.get(REFUSED) == self.target:
                return host, facts.get(WHY_REFUSED, "it has failed there")
            if facts.get(TRIAL) == self.target and host != self.holder:
                return host, "the service left that host while it was on trial there"
        return None

    @property
    def is_staged(self) -> bool:
        """Whether all that count have it, and call it right."""
        hosts = [one for one in (self.holder, *self.standing_by) if one]
        return bool(hosts) and all(self.target in staged(self.said.get(host, {})) for host in hosts)

    def use(self, host: str) -> str:
        """The edition that shall be in place on this host."""
        if not self.proven and not self.holder:
            return self.target  # it has never run
        if not self.proven:
            return KEEP  # it runs, and its host has not said yet with what
        if self.proven == self.target or not self.holder or self.refusal is not None:
            return self.proven
        if self.is_on_trial:
            return self.target
        if not self.is_staged:
            return self.proven
        # One after the other, so that what cannot be put in place is found out on one host; the one that runs it comes last.
        held_back = {*self.waiting[1:], self.holder} if self.waiting else set()
        is_held = host in held_back or (host == self.holder and (self.is_paused or bool(self.unable)))
        return self.proven if is_held else self.target

    @property
    def waiting(self) -> list[str]:
        """Those that stand by and do not have it in place yet."""
        return [one for one in self.standing_by if self.said.get(one, {}).get(EDITION) != self.target]


def rollout(
    world: World, service: HAService, instance: HAInstance, resource: Resource, asked: Sequence[str]
) -> Rollout | None:
    """Of one file, whose content is known; None: it is not brought to any host."""
    if resource.file is None or not is_brought(resource.file):
        return None
    said = _said_of(world, service, instance, resource)
    last, holder = last_ran_with(service, resource), instance.holder
    facts_there = said[holder][0] if holder in said else {}
    last_with = last.facts.get(EDITION, "") if last is not None else ""
    # Where it has just come to run, its host may have said no more than what was in place while it stood by: nobody has run that.
    has_said = last is None or last.host == holder
    return Rollout(
        target=edition_id(resource.file),
        proven=(facts_there.get(EDITION, "") if has_said else "") or last_with,
        holder=holder,
        said={host: facts for host, (facts, is_new) in said.items() if is_new},
        standing_by=[host for host in asked if host != holder and not _is_gone(world, host)],
        before={host: facts for host, (facts, _) in said.items()},
        tries=tried_by(tried(service, resource)),
        retried=(service.spec.rollout.retried_at if service.spec.rollout else None) or "",
        is_paused=bool(service.spec.rollout and service.spec.rollout.paused),
    )


def _said_of(
    world: World, service: HAService, instance: HAInstance, resource: Resource
) -> Mapping[str, tuple[Facts, bool]]:
    """By host, those that are gone too: what it has said last of the file, and whether by the present manifest."""
    found = {host: one.status.prerequisites.get(instance.uid) for host, one in world.assignments.items()}
    return {
        host: (
            next((one.facts for one in report.findings if one.name == resource.name), {}),
            report.revision == service.metadata.generation,
        )
        for host, report in found.items()
        if report is not None
    }


def tried(service: HAService, resource: Resource) -> RenderedRollout | None:
    """How the host that runs it is told to try an edition of this file; None: as always, which it knows."""
    said = service.spec.rollout
    if said is None:
        return None
    restart = (resource.file.reload if resource.file is not None else []) or _all_that_serve(service)
    restart = restart if said.strategy == "Restart" else []
    found = RenderedRollout(soak=said.soak, restart=restart, retried_at=said.retried_at)
    return found if found != RenderedRollout() else None


def _all_that_serve(service: HAService) -> list[str]:
    """What has files that it reads: no address, no filesystem (which hosts share), and nothing that is only looked at."""
    kinds = {one.name: kind for one in service.spec.resources for kind, _ in kinds_in([one])}
    return [
        name
        for name, kind in kinds.items()
        if not (kind.is_prerequisite or kind.is_address or kind.strategy == "Share")
    ]


def _is_gone(world: World, host: str) -> bool:
    return liveness.of_host(world, host) in (Liveness.UNKNOWN, Liveness.SILENT, Liveness.SEALED)


def progress(world: World, service: HAService, instance: HAInstance, asked: Sequence[str]) -> tuple[str, str] | None:
    """What keeps an edition from being in use, if it has to be told: a reason and a sentence. None: nothing does."""
    for resource in prerequisites_of(service):
        told = contents.brought(world, service, instance, resource)
        if told is None or told.file is None:
            continue
        path = told.file.path
        if why := contents.fault(world, service, resource):
            return contents.CONTENT_MISSING, f"{resource.name}: {path} stays as it was: {why}"
        found = rollout(world, service, instance, told, asked)
        if found is None or found.target == found.proven:
            continue
        if found.refusal is not None:
            return "EditionRefused", f"{resource.name}: {path} stays as it was: {': '.join(found.refusal)}"
        for one in (found.holder, *found.standing_by):
            facts = found.said.get(one, {})
            # Of a content that is in a ConfigMap no more nobody wants to know why it was refused.
            if (why := facts.get(WHY_REFUSED, "")) and facts.get(REFUSED, found.target) == found.target:
                return "EditionWaiting", f"{resource.name}: {path} stays as it was for now: {one}: {why}"
        if found.is_next and found.unable:
            return "EditionWaiting", f"{resource.name}: {path} stays as it was for now: {found.unable}"
    return None


def paused(world: World, service: HAService, instance: HAInstance, asked: Sequence[str]) -> str:
    """Which editions wait for a person, and what lets them go, in a sentence; empty: none."""
    waits: list[str] = []
    for resource in prerequisites_of(service):
        told = contents.brought(world, service, instance, resource)
        found = rollout(world, service, instance, told, asked) if told is not None else None
        if told is not None and told.file is not None and found is not None and found.is_paused and found.is_next:
            waits.append(f"{resource.name}: {told.file.path} stays as it was on {found.holder}")
    return f"{listed(waits)}: set spec.rollout.paused to false, and it is tried there" if waits else ""
