"""Where the promoted role of a service of mode Promotable may be: on a host that has a copy of it; and what the two parts may not both run."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from backstay_api.objects.durations import seconds
from backstay_api.objects.models import HAInstance, HAService, ResourceClaim
from backstay_api.objects.models.assignment import InstanceReport, StandbyReport
from backstay_api.objects.resource_kinds import Claim, claims_of, tells_score
from backstay_operator.planner.know import holdings, sessions
from backstay_operator.planner.know.liveness import Liveness, of_host, untouched
from backstay_operator.planner.know.parts import parts, role_of
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import listed

from .evidence import Evidence, closed
from .host_facts import HostFacts, Rejected, facts_of
from .questions import Question
from .remains import is_left_of_a_gone_one, left_on, stored_order

START_S: Final = 20.0
"""How long a start may take whose manifest does not say."""
ANSWER_S: Final = 12.0
"""A host that lives has said a number of after an end by then: a question may be under way, and each may take five seconds."""
LONGEST_WAIT_S: Final = 60.0
"""However long the start may take: whoever lives and has not answered by then will not, and all this time nobody is promoted."""


def keeps_its_copy(ask: Question, facts: HostFacts) -> Rejected | None:
    """The promoted role stays on a host only with a copy that stays there too, and has not been given up."""
    return _rejected(_why_no_copy(ask.world, ask.service, facts.name)) if role_of(ask.service) == "Promoted" else None


def has_copy_that_works(ask: Question, facts: HostFacts) -> Rejected | None:
    """The promoted role comes only to a host on which a copy of the service works."""
    if role_of(ask.service) != "Promoted":
        return None
    return _rejected(_why_not_now(ask.world, ask.service, facts.name))


def has_fresh_data(ask: Question, facts: HostFacts) -> Rejected | None:
    """Where a command, or what promotes, says how fresh data is: all copies that could be promoted have said it, and this one has some.
    A person may insist."""
    if ask.to is not None or not is_scored(ask):
        return None
    report = _answer(ask, facts)
    if report is not None and report.score is not None and report.score < 0:
        says = "cannot say how fresh its data is"
        return Rejected("Freshness", says, "cannot say how fresh their data is", report.score_why)
    if silent := ask.once("silent about freshness", lambda: _silent(ask, _with_data(ask))):
        return _not_yet(f"{listed(silent)} to say how fresh its data is")
    return None


def is_not_passed_over(ask: Question, facts: HostFacts) -> Rejected | None:
    """The freshest data is nowhere where nobody can be promoted in this moment, and may be in the next. A person may insist.

    Who could take over is not asked this: a host that is merely late could.
    """
    if ask.to is not None or not is_scored(ask):
        return None
    if why := ask.once("last words to come", lambda: _last_words_to_come(ask)):
        return why
    waits = ask.once("freshest to come", lambda: _freshest_to_come(ask, _with_data(ask)))
    return _not_yet(waits) if waits else None


def _not_yet(waits: str, look_again_s: float | None = None) -> Rejected:
    one, many, why = "is not chosen yet", "are not chosen yet", f"waiting for {waits}"
    return Rejected("Freshness", one, many, why, is_passing=True, look_again_s=look_again_s)


# --- the last word after an end ----------------------------------------------------------------------------------------


def last_over(world: World, instance: HAInstance) -> int:
    """The last epoch of it that is over: of an open one the one before; 0: none."""
    is_open = instance.spec.grant is not None and not isinstance(closed(world, instance), Evidence)
    return instance.spec.epoch - is_open


def older_words(ask: Question) -> str:
    """Whose number from before the end counts, where there was no waiting any longer, as a sentence; empty: nobody's."""
    if not (owing := _owing(ask)) or ask.world.now_s < _waits_until_s(ask):
        return ""
    have, whose = ("has", "its") if len(owing) == 1 else ("have", "their")
    said = f"{listed(owing)} {have} not said how far {whose} data goes after epoch {_ended(ask)} ended"
    return f"{said}: an older number counts"


def _last_words_to_come(ask: Question) -> Rejected | None:
    """A number that still grew may be ten seconds old. Who lives says it once more when an epoch has ended, and is waited for, not for ever."""
    owing, until_s = _owing(ask), _waits_until_s(ask)
    if not owing or ask.world.now_s >= until_s:
        return None
    whose = "its" if len(owing) == 1 else "their"
    return _not_yet(f"{listed(owing)} to say how far {whose} data goes after epoch {_ended(ask)} ended", until_s)


def _owing(ask: Question) -> list[str]:
    """Hosts that live, and whose agents know of it, that have yet to say a number of after the end. Where one host alone could be promoted
    no number makes a difference."""
    working = [name for name in _with_data(ask) if _works(ask, name)] if is_scored(ask) and _ended(ask) else []
    return [name for name in working if _owes(ask, facts_of(ask.world, name))] if len(working) > 1 else []


def _owes(ask: Question, facts: HostFacts) -> bool:
    report = _answer(ask, facts)
    after = report.score_after if report is not None and facts.no_session is None else None
    return after is not None and after < _ended(ask)


def _ended(ask: Question) -> int:
    """The epoch after whose end it is promoted anew; 0: nobody had it, or somebody may have it still, be it asked where else it could be."""
    known = ask.world.instances.get(ask.instance.key) if ask.instance is not None else None
    return known.spec.epoch if known is not None and last_over(ask.world, known) == known.spec.epoch else 0


def _waits_until_s(ask: Question) -> float:
    """For no longer than the start of what is promoted may take, and a minute at most, from when we first saw that nobody holds it.

    On the clock of `World.now_s`.
    """
    said = (one.timeouts.start if one.timeouts else None for one in ask.service.spec.resources)
    starts_s = math.fsum(START_S if one is None else seconds(one) for one in said)
    since = ask.world.free_s.get(ask.instance.uid) if ask.instance is not None else None
    begun_s = since[1] if since is not None and since[0] == _ended(ask) else ask.world.now_s
    return begun_s + min(max(ANSWER_S, starts_s), LONGEST_WAIT_S)


def freshness(ask: Question, facts: HostFacts) -> int:
    """What the copy there says of its data; 0 where nobody asks."""
    report = _answer(ask, facts) if is_scored(ask) else None
    return max(0, report.score or 0) if report is not None else 0


def is_scored(ask: Question) -> bool:
    """Whether it is asked how fresh the data of copies is."""
    spec = ask.service.spec
    return role_of(ask.service) == "Promoted" and (spec.promotion is not None or any(map(tells_score, spec.resources)))


def _answer(ask: Question, facts: HostFacts) -> StandbyReport | None:
    """By the present manifest."""
    report = facts.report.standbys.get(ask.instance.uid) if ask.instance else None
    return report if report is not None and report.revision == ask.service.metadata.generation else None


def _with_data(ask: Question) -> list[str]:
    """Hosts whose copies may have data."""
    return [name for name in sorted(ask.world.hosts) if _may_have_data(ask, facts_of(ask.world, name))]


def _freshest_to_come(ask: Question, with_copies: Collection[str]) -> str:
    """The host with the freshest data, where that can be promoted in a moment, or is out then, and what is the matter; empty: there is none."""
    is_first = not (ask.instance and ask.instance.spec.grants)
    there = [name for name in with_copies if _works(ask, name) or (is_first and _is_proving(ask, name))]
    facts = {name: facts_of(ask.world, name) for name in there}
    now = {name: _works(ask, name) and not facts[name].no_session for name in there}
    best = max(there, key=lambda name: (freshness(ask, facts[name]), now[name]), default="")
    if not best or now[best]:
        return ""
    why = "is late with its heartbeat" if facts[best].no_session else "has not been found to work yet"
    return f"{best}, which has the freshest data and {why}"


def _works(ask: Question, host: str) -> bool:
    return not _why_not_now(ask.world, ask.service, host)


def _silent(ask: Question, with_copies: Sequence[str]) -> list[str]:
    """Those with a copy that works or is about to, of which it is not known: the freshest could be passed over.

    Before the first promotion nobody knows who has data, so that all that start are waited for, at most until their start fails; not who is
    up, has said what it has, and has failed a probe: it may wait for a promoted one itself. Later, once a copy works, of those that only start
    the one on the host that was promoted last is waited for: it may have what no other has. Another has just come to its host with nothing,
    and may itself wait for a promoted one to copy from.
    """
    working = [name for name in with_copies if _works(ask, name)]
    records = (ask.instance.spec.grants or ()) if ask.instance else ()
    last = records[0].host if records else ""
    return [name for name in with_copies if _is_waited_for(ask, name, working, last)]


def _is_waited_for(ask: Question, host: str, working: Collection[str], last: str) -> bool:
    """`working`: where a copy works; `last`: the host that was promoted last, if any was."""
    if host in working or (working and not last and _is_up(ask, host)):
        return not _has_answered(ask, facts_of(ask.world, host))
    return not working or last in ("", host)


def _is_up(ask: Question, host: str) -> bool:
    """Whether the copy there runs, well or not."""
    report = _report_of_copy(ask.world, ask.service, host)
    return report is not None and report.phase == "Running"


def _is_proving(ask: Question, host: str) -> bool:
    """Whether the copy there runs, and has not been found to work yet, nor not to: that lasts no longer than a start may take.

    What nobody can tell (Unknown) may stay so for ever, and is waited for by nobody.
    """
    report = _report_of_copy(ask.world, ask.service, host)
    if report is None or report.phase != "Running" or report.healthy:
        return False
    return not any(one.state in ("Failed", "Unknown") for one in report.resources)


def _report_of_copy(world: World, service: HAService, host: str) -> InstanceReport | None:
    copy = copy_on(world, service, host)
    return sessions.report_of(world, host, copy) if copy is not None else None


def _may_have_data(ask: Question, facts: HostFacts) -> bool:
    """It lives, though it may be late, may be promoted, and has a copy that works or is about to."""
    is_out = facts.name == ask.holder or facts.name in ask.away_from or facts.lost or facts.barred
    return not is_out and not _why_no_copy(ask.world, ask.service, facts.name)


def _has_answered(ask: Question, facts: HostFacts) -> bool:
    report = _answer(ask, facts)
    return report is not None and report.score is not None


def copy_on(world: World, service: HAService, host: str) -> HAInstance | None:
    """The copy that is granted to this host."""
    keys = world.instances_of.get(service.uid, set()) & world.held_by.get(host, set())
    copies = (world.instances[key] for key in sorted(keys))
    return next((one for one in copies if not one.is_promoted), None)


def _why_no_copy(world: World, service: HAService, host: str) -> str:
    copy = copy_on(world, service, host)
    if copy is None:
        return "none is there"
    stored, report = stored_order(world, host, copy), sessions.report_of(world, host, copy)
    if stored is not None and stored.want == "Down":
        return f"{copy.metadata.name} is being stopped there"
    if report is not None and report.phase in ("Failed", "Stuck"):
        return f"{copy.metadata.name} is {report.phase} there"
    return ""


def _why_not_now(world: World, service: HAService, host: str) -> str:
    if why := _why_no_copy(world, service, host):
        return why
    report = _report_of_copy(world, service, host)
    return "" if report is not None and report.phase == "Running" and report.healthy else "it does not work"


def _rejected(why: str) -> Rejected | None:
    return Rejected("Promoted", "has no copy to promote", "have no copy to promote", why) if why else None


def other_part_has(world: World, service: HAService, instance: HAInstance) -> str:
    """What the other part of the service may still run, by an earlier manifest, of what this one names, as a sentence.

    Whom a claim was recorded for last may have been told to run it. That it does not is known once it runs what it was told last.
    """
    return next((one.why for one in _had(world, service, is_promoted=instance.is_promoted)), "")


def stops_for_its_copies(world: World, service: HAService, instance: HAInstance) -> str:
    """Why what is promoted stops for an edit, as a sentence; empty: the edit waits for nothing of it.

    By one edit its copies want what it has, and it what they have: each would wait for the other for ever. It stops first, and is promoted
    again when no copy runs any more what it has now. Not before all copies that have that can be told: it would be down for long.
    """
    whole = world.services.get(instance.service_key)
    is_edit = whole is not None and whole.metadata.generation == service.metadata.generation
    if whole is None or not is_edit or role_of(service) != "Promoted" or service.spec.state != "Running":
        return ""
    wanted, copies = [*_had(world, service, is_promoted=True)], parts(whole)[0]
    theirs = next(_had(world, copies, is_promoted=False), None) if wanted else None
    if theirs is None or not all(_can_be_told(world, one.hosts) for one in wanted):
        return ""
    return f"an edit gives its copies {theirs.key.text}, which it has, and it {wanted[0].key.text}, which they have: it stops first"


def _can_be_told(world: World, hosts: Collection[str]) -> bool:
    return bool(hosts) and all(of_host(world, one) is Liveness.LIVE and not untouched(world, one) for one in hosts)


@dataclass(frozen=True)
class _Had:
    """Something that one part names, and that may still run for the other by an earlier manifest."""

    key: Claim
    why: str
    hosts: Collection[str] = ()
    """Where it may run by an order that is still to be changed; none: that is not all known, or nobody is left to be told."""


def _had(world: World, service: HAService, *, is_promoted: bool) -> Iterator[_Had]:
    """All that this part, the promoted one or that of the copies, has to wait for."""
    others = {one.uid: one for one in _everyone(world, service) if one.is_promoted is not is_promoted}
    for key in holdings.keys(world, service):
        claim = world.claims.get(key.name)
        if claim is None:
            continue
        if is_promoted and (host := _left_by_a_gone_one(world, service, claim)):
            copy = f"a copy on {host} that is gone, and may still run there"
            yield _Had(key, f"{key.text} was given to {copy}: it has to be stopped there first")
        for owner in claim.owners:
            other = others.get(owner.instance)
            hosts = _may_run_on(world, other, key) if other is not None else ()
            if other is not None and (owner.epoch > other.spec.epoch or hosts):
                why = f"{key.text} was given to {other.metadata.name} by an earlier manifest, and has to be stopped there first"
                yield _Had(key, why, hosts if owner.epoch <= other.spec.epoch else ())


def _left_by_a_gone_one(world: World, service: HAService, claim: ResourceClaim) -> str:
    """The host where an instance of which no HAInstance is left may still run what was recorded for it; empty: there is none."""
    recorded = holdings.on_hosts(world, claim).items()
    ours = ((host, owner) for host, owner in recorded if owner.uid == service.uid and owner.instance)
    return next((host for host, owner in ours if is_left_of_a_gone_one(world, service, host, owner)), "")


def _everyone(world: World, service: HAService) -> list[HAInstance]:
    return [world.instances[key] for key in sorted(world.instances_of.get(service.uid, ()))]


def _may_run_on(world: World, other: HAInstance, key: Claim) -> Collection[str]:
    known = world.ordered_on.get(other.uid, set()) | world.reported_by.get(other.uid, set())
    hosts = {other.holder, *known} - {""}
    return [host for host in hosts if left_on(world, host, other) and _may_run_there(world, other, host, key)]


def _may_run_there(world: World, other: HAInstance, host: str, key: Claim) -> bool:
    assignment = world.assignments.get(host)
    if assignment is None or (order := assignment.spec.instances.get(other.uid)) is None:
        return True
    said = assignment.status.instances.get(other.uid)
    runs_this = said is None or (said.epoch, said.revision) == (order.epoch, order.revision)
    return not runs_this or key in claims_of(order.resources)
