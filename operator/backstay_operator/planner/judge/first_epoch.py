"""Before a grant: does anything of it run already that no HAInstance knows of? Above all before the first (PROTOCOL 6).

Every live candidate must have answered. A silent one blocks only if its last report, or its last orders, list it, and not even then
once its session has been proven over; so does any other host, for what it was told of that name stays there whoever may run it now
(one that is removed is asked nothing). A host that never had a session blocks nobody. What may run twice waits for nobody: a copy of
an earlier time does no harm, and is ordered down where it is found. Who is silent a late picture cannot tell: so whoever is passed over
is looked at once more, by a quorum read in the very step that grants or orders (`passed_over`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.models.assignment import StandbyReport
from backstay_api.objects.resource_kinds import units_of
from backstay_api.objects.texts import confirm_by_hand
from backstay_operator.planner.know import sessions
from backstay_operator.planner.know.fitting import no_room
from backstay_operator.planner.know.liveness import Liveness, is_hands_off, of_host
from backstay_operator.planner.know.world import World
from backstay_operator.planner.preconditions import Silent
from backstay_operator.planner.words import UNCLEAR, and_, first_words, joined, listed

from . import edits
from .copies import its_host, other_there
from .evidence import is_proven_over
from .placement import candidates
from .remains import hosts_with, is_removed


def blocked(world: World, service: HAService, instance: HAInstance) -> str | None:
    """What stands against the first grant, as a sentence; None: nothing of this name runs anywhere."""
    if not instance.spec.exclusive:
        return None
    hosts = _asked_about_it(world, service, instance)
    if left := _left_on(world, instance):
        return _earlier(world, left[0], instance)
    if foreign := [host for host in hosts if _is_foreign(world, host, instance)]:
        return _foreign(world, service, instance, foreign)
    unanswered = [
        host for host in hosts if _must_answer(world, host) and not _has_answered(world, host, service, instance)
    ]
    return _unanswered(world, instance, unanswered) if unanswered else None


def passed_over(world: World, service: HAService, instance: HAInstance, *, holder: str = "") -> tuple[Silent, ...]:
    """Of each host that is not waited for because it is silent: that it is, and that what we know of it is its last word."""
    hosts = _asked_about_it(world, service, instance) if instance.spec.exclusive else []
    return tuple(_as_silent(world, service, host) for host in hosts if host != holder and _is_quiet(world, host))


def _as_silent(world: World, service: HAService, host: str) -> Silent:
    seen, what_for = world.leases.get(host), f"something of {service.key} may run there already"
    return Silent(host, seen.lease.resource_version if seen else "", world.assignments.get(host), what_for)


def awaited(world: World, host: str) -> str:
    """What waits for the end of the session that speaks for this host, and why, as a sentence; empty if nothing does."""
    waits = defaultdict[str, list[str]](list)
    for key, of in [*_wait_for_what_it_left(world, host), *_wait_for_what_it_said(world, host)]:
        waits[of].append(key)
    return joined(*(f"{listed(sorted(keys))} waits for what {host} {of}" for of, keys in waits.items()))


def _wait_for_what_it_left(world: World, host: str) -> Iterator[tuple[str, str]]:
    keys = world.once("first epochs, by what is left", (), lambda: _first_epochs(world)).get(host, ())
    return ((key, "was running for an HAInstance that is gone") for key in keys)


def _first_epochs(world: World) -> Mapping[str, Sequence[str]]:
    """By host: keys of what waits for it. Nearly nothing ever does, so that all are gone through once a plan."""
    found = defaultdict[str, list[str]](list)
    for key, one in world.instances.items():
        if one.spec.epoch == 0 and one.spec.exclusive and one.service_key in world.services:
            for host in _left_on(world, one):
                found[host].append(key)
    return found


def _wait_for_what_it_said(world: World, host: str) -> Iterator[tuple[str, str]]:
    status = world.assignments[host].status if host in world.assignments else None
    if status is None:
        return
    by_uid = world.once("instances by uid", (), lambda: {one.uid: one for one in world.instances.values()})
    for uid in {**status.instances, **status.standbys}:
        instance = by_uid.get(uid)
        service = world.services.get(instance.service_key) if instance else None
        if instance and service and _waits_for_its_word(world, service, instance, host):
            yield instance.key, "said of it last"


def _waits_for_its_word(world: World, service: HAService, instance: HAInstance, host: str) -> bool:
    """Whether it stands against a grant, or an order, that this host has said that it runs something of it."""
    if instance.spec.epoch and instance.spec.grant is None and host in _later_on(world, instance):
        return True
    if not instance.spec.exclusive:
        return False
    is_asked = instance.spec.epoch == 0 or (instance.holder != host and edits.news(world, service, instance))
    return bool(is_asked) and _is_foreign(world, host, instance) and host in _asked_about_it(world, service, instance)


def edit_blocked(world: World, service: HAService, instance: HAInstance, holder: str) -> str | None:
    """What stands against ordering units that an edit has brought, as a sentence; None: they run nowhere, and wait for our word."""
    hosts = [host for host in _asked_about_it(world, service, instance) if host != holder]
    asked = (host for host in hosts if _must_answer(world, host))
    if unanswered := [host for host in asked if not _has_answered(world, host, service, instance)]:
        return _unanswered(world, instance, unanswered)
    foreign = [host for host in hosts if _is_foreign(world, host, instance)]
    return _foreign(world, service, instance, foreign) if foreign else None


def second_copy(world: World, service: HAService, instance: HAInstance, asked: Collection[str]) -> str:
    """What of it is said to run beside its holder, as a sentence; empty if nothing does, or it may run twice."""
    others = sorted(host for host in asked if host != instance.holder) if instance.spec.exclusive else ()
    others = [host for host in others if not other_there(world, service, instance, host)]
    foreign = [host for host in others if _is_foreign(world, host, instance)]
    answers = {host: world.assignments[host].status.standbys[instance.uid] for host in foreign}
    plain = {host: answer for host, answer in answers.items() if not answer.unclear}
    since = min((answer.since for answer in plain.values() if answer.since), default="")
    seen = f" (seen since {since})" if since else ""
    return f"A second copy beside {instance.holder}'s: {_runs(service, plain)}{seen}" if plain else ""


def _asked_about_it(world: World, service: HAService, instance: HAInstance) -> list[str]:
    """Candidates but for those that have another copy of the service: what runs there is that one."""
    only = its_host(service, instance)
    hosts = (host for host in candidates(world, service) if only in ("", host))
    return [host for host in hosts if not other_there(world, service, instance, host)]


def _unanswered(world: World, instance: HAInstance, hosts: list[str]) -> str:
    full = [f"{host} {why}" for host in hosts if (why := no_room(world, host, instance.uid))]
    in_turns = f" ({listed(full, most=3)}: it waits for its turn)" if full else ""
    return f"waiting for {listed(hosts)} to say that nothing of it runs there already{in_turns}"


def ahead(world: World, instance: HAInstance) -> str | None:
    """What stands against a later grant, as a sentence: a host, a candidate or not, that runs an epoch this HAInstance never came to.

    Epochs only grow, so the object is older than what the hosts have been told: the store was restored from a backup.
    """
    for host in _later_on(world, instance):
        report = world.assignments[host].status.instances[instance.uid]
        is_asked = _is_quiet(world, host) and not is_hands_off(world, host)
        off = f" ({confirm_by_hand(host)}, where it is off already)" if is_asked else ""
        return (
            f"{host} runs epoch {report.epoch} of it, but its HAInstance knows only {instance.spec.epoch}"
            f" (restored from a backup?): reboot {host}, or power it off{off}, and it goes on"
        )
    return None


def _later_on(world: World, instance: HAInstance) -> Iterator[str]:
    """Hosts that run a later epoch of it than its HAInstance has come to."""
    for host in sorted(world.reported_by.get(instance.uid, ())):
        status = world.assignments[host].status
        report, session = status.instances[instance.uid], status.session
        if report.released or report.epoch <= instance.spec.epoch or is_removed(world, host):
            continue
        if session is None or not is_proven_over(world, host, session.ref):
            yield host


def _must_answer(world: World, host: str) -> bool:
    # A late host is asked for as long as it is not silent: it will be one or the other in a moment. So is one whose HostAssignment
    # somebody has deleted: what it said is gone, and it will say it again.
    return not _is_quiet(world, host)


def _is_quiet(world: World, host: str) -> bool:
    """Whether it reports nothing, nor will in a moment: what it said last is all that there is."""
    if of_host(world, host) is Liveness.SEALED:
        return not sessions.is_back(world, host)
    return of_host(world, host) not in (Liveness.LIVE, Liveness.SUSPECT, Liveness.UNSURE)


def _has_answered(world: World, host: str, service: HAService, instance: HAInstance) -> bool:
    assignment = world.assignments.get(host)
    report = assignment.status.standbys.get(instance.uid) if assignment else None
    return report is not None and report.revision >= (service.metadata.generation or 0)


def _is_foreign(world: World, host: str, instance: HAInstance) -> bool:
    """Whether the host says that something of it is active there, not started by Backstay; or that it cannot say."""
    session = sessions.published(world, host)
    answer = world.assignments[host].status.standbys.get(instance.uid) if session else None
    if session is None or answer is None or not answer.active:
        return False
    return not is_proven_over(world, host, session.ref)


def _foreign(world: World, service: HAService, instance: HAInstance, hosts: list[str]) -> str:
    """All hosts at once, those that know what runs there first: a person is through in one go."""
    quiet = [host for host in hosts if _is_quiet(world, host)]
    answers = {host: world.assignments[host].status.standbys[instance.uid] for host in hosts if host not in quiet}
    plain = {host: answer for host, answer in answers.items() if not answer.unclear}
    unclear = {host: answer.why for host, answer in answers.items() if answer.unclear}
    return joined(
        _runs(service, plain) if plain else "",
        _cannot_say(unclear) if unclear else "",
        *(_ran(world, instance, host) for host in quiet),
    )


def _ran(world: World, instance: HAInstance, host: str) -> str:
    """Nobody can stop anything on a host that reports nothing: it comes back, or is off."""
    answer = world.assignments[host].status.standbys[instance.uid]
    said = "could not say whether it runs there" if answer.unclear else "ran something of it, not started by Backstay,"
    because = f" ({first_words(answer.why)})" if answer.why else ""
    return (
        f"{host} {said} when it reported last{because}, and reports nothing now: bring it back; {_or_off(world, host)}"
    )


def _cannot_say(whys: Mapping[str, str]) -> str:
    """Nothing is known to run there, so nothing is to be stopped: the hosts' own reasons are what is to be mended."""
    reasons = _reasons(whys)
    return f"{and_(list(whys))} {UNCLEAR}{f': {reasons}' if reasons else ''}"


def _reasons(whys: Mapping[str, str]) -> str:
    return "; ".join(dict.fromkeys(first_words(why) for why in whys.values() if why))


def _runs(service: HAService, said: Mapping[str, StandbyReport]) -> str:
    """What of it runs there, by host, and the command that stops it."""
    hosts = list(said)
    names = {name for answer in said.values() for name in answer.running}
    resources = service.spec.resources
    running = [resource for resource in resources if resource.name in names] or resources
    units = units_of(running)
    stop = f"systemctl stop {' '.join(units)}"
    if all(units_of([resource]) for resource in running):
        runs, where = ("runs", "there") if len(hosts) == 1 else ("run", "on each")
        return f"{and_(hosts)} {runs} {and_(units)} already, not started by Backstay: {stop} {where}"
    whys = _reasons({host: answer.why for host, answer in said.items()})
    because = f" ({whys})" if whys else ""
    stops = f"; {stop} there stops {and_(units)}" if units else ""
    return f"something of it runs on {and_(hosts)} already, not started by Backstay{because}: stop it there{stops}"


def _left_on(world: World, instance: HAInstance) -> list[str]:
    """Hosts with something of this name that another HAInstance had there: by what they say, or by what they were told last."""
    return hosts_with(world, instance.metadata.namespace or "", instance.metadata.name)


def _earlier(world: World, host: str, instance: HAInstance) -> str:
    title = instance.key
    if not _is_quiet(world, host):
        return f"{host} has not reported yet that an earlier {title} is stopped there: it has been told to stop it"
    return (
        f"{host} was running {title} for an HAInstance that is gone, and reports nothing: bring it back, and it reports what is left;"
        f" {_or_off(world, host)}"
    )


def _or_off(world: World, host: str) -> str:
    """In HandsOff nobody asks about its power, so that nobody could answer either."""
    if is_hands_off(world, host):
        return "or end its maintenance (HandsOff), so that it can be proven to be off"
    return f"or make sure that it is powered off and say so: {confirm_by_hand(host)}"
