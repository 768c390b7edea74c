"""`backstay explain SERVICE`: what the operator decides about it, and of each host why, or by which rule not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

import typer

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAService
from backstay_operator.planner.do.decisions import Slot, next_host
from backstay_operator.planner.do.rounds import Round
from backstay_operator.planner.judge.acceptance import Refused
from backstay_operator.planner.judge.placement import NoHost, Placed, Verdict
from backstay_operator.planner.judge.prerequisites import judged
from backstay_operator.planner.know.world import World
from backstay_operator.planner.tell.counterfactual import counterfactual
from backstay_operator.planner.tell.recovery import recovery_of
from backstay_operator.planner.words import joined, roughly

from .failovers import print_record, record_at, time_of, took
from .names import Service, hosts
from .session import NO_SUCH_THING, WELL, Session, Stop
from .tables import table
from .view import EVERYTHING, VIEW, decided, instances_of, service_named, slots_of


@dataclass(frozen=True)
class Line:
    """What is said of one host, or of one rule about it."""

    host: str
    verdict: str
    rule: str
    why: str


@dataclass(frozen=True)
class Told:
    """What is said of one instance."""

    name: str
    summary: str
    recovery: str
    hosts: list[Line]
    accepted: list[str]
    """What hosts have otherwise than where it runs, and somebody has said that this is all right."""

    @property
    def data(self) -> Raw:
        hosts = [vars(line) for line in self.hosts]
        return {"summary": self.summary, "recovery": self.recovery, "accepted": self.accepted, "hosts": hosts}


async def explain(
    session: Session,
    service: Service,
    instance: Annotated[
        str, typer.Option(help="Only this copy, where there are several: its name, or the host that it is on.")
    ] = "",
    last: Annotated[bool, typer.Option("--last", help="Tell of its last failover or move instead.")] = False,
    host: Annotated[
        str,
        typer.Option(
            help="Tell what would have to be otherwise for this host to be chosen instead.",
            autocompletion=hosts,
            metavar="HOST",
        ),
    ] = "",
    at: Annotated[
        str, typer.Option(help="Tell of the last one by then instead: RFC 3339, or 03:10 (UTC).", metavar="TIME")
    ] = "",
) -> int:
    """Say why a service runs where it runs: for each host, chosen, or by which rule not. Or why it has moved, and when what happened."""
    if last or at:
        return await _why_it_moved(session, service, at)
    if host:
        return await _why_not_there(session, service, instance, host)
    await session.need(EVERYTHING, VIEW)
    known, round_, decision = await decided(session, service)
    acceptance, told = decision.acceptance, [_told(round_, slot) for slot in slots_of(decision, instance)]
    refused = f"{acceptance.reason}: {acceptance.message}" if isinstance(acceptance, Refused) else ""
    copies: Raw = told[0].data if len(told) == 1 else {"instances": [{"name": one.name, **one.data} for one in told]}
    data = {"service": known.key, "refused": refused, "degraded": _degraded(known), **copies}
    session.show(data, lambda: _print(session, known, refused and f"It is refused. {refused}", told))
    return WELL


def _degraded(service: HAService) -> str:
    """What is not as it should be, as the operator told it last: reason and sentence; empty if nothing is."""
    found = (one for one in service.status.conditions if one.type == "Degraded" and one.status == "True")
    return next((f"{one.reason}: {one.message}" for one in found), "")


def _told(round_: Round, slot: Slot) -> Told:
    lines, summary = _lines(slot, next_host(round_, slot))
    recovery = joined(recovery_of(round_.world, slot), _next_look(round_.world, slot))
    return Told(slot.name, summary, recovery, lines, list(_accepted(round_.world, slot)))


def _accepted(world: World, slot: Slot) -> Iterator[str]:
    if slot.instance is None:
        return
    for host in slot.asked:
        for one in judged(world, slot.in_force, slot.instance, host):
            if one.accepted:
                yield f"{host} may take over though it has not all alike: {one.told}; {one.accepted.told}"


async def _why_it_moved(session: Session, service: str, at: str) -> int:
    try:
        by = time_of(at, session.tools.wall()) if at else ""
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    known = await service_named(session, service)
    found = record_at(known, await instances_of(session, known), by)
    data: Raw = {"service": known.key}
    if found.failover is not None:
        data |= {"took": took(found.failover), **found.failover.wire()}
    if found.grant is not None:
        data |= {"slot": found.slot, "grant": found.grant.wire()}
    session.show(data, lambda: print_record(session, known, found))
    return WELL


async def _why_not_there(session: Session, service: str, instance: str, host: str) -> int:
    """What would have to be otherwise for a host to be chosen."""
    await session.need(EVERYTHING, VIEW)
    known, round_, decision = await decided(session, service)
    if host not in round_.world.hosts:
        raise Stop(f"there is no host {host}", NO_SUCH_THING)
    told = {slot.name: _against(round_, slot, host) for slot in slots_of(decision, instance)}
    refused = (
        f"the manifest is refused: {decision.acceptance.message}" if isinstance(decision.acceptance, Refused) else ""
    )
    data = {"service": known.key, "host": host, "refused": refused, "instances": told}
    session.show(data, lambda: _print_against(session, host, refused, told))
    return WELL


def _against(round_: Round, slot: Slot, host: str) -> Raw:
    """Of one instance: in a sentence, and every rule that is against the host."""
    holder, rank = slot.instance.holder if slot.instance else "", ""
    if host == holder:
        return {"summary": f"{host} holds it", "against": []}
    found = counterfactual(round_, slot, host)
    against = [{"rule": one.rule, "why": one.why} for one in found.against]
    if found.before:
        by = f"by {found.by.judge}" if found.by and found.its else "as good, and first by name"
        whys = [
            f"{who} {score.why}" for who, score in ((found.before, found.by), (host, found.its)) if score and score.why
        ]
        rank = f"{found.before} comes before it, {', '.join([by, *whys])}"
    stays = _why_it_stays(slot, host) if holder else _what_else(slot)
    first = f"for {host} all of this would have to be otherwise" if against else f"nothing is against {host}"
    return {"summary": joined(first, rank or f"{host} would be chosen", stays), "against": against}


def _why_it_stays(slot: Slot, host: str) -> str:
    assert slot.instance is not None
    wanted, stays = slot.in_force.spec.placement, f"it stays on {slot.instance.holder} while it runs well"
    if wanted.failback == "Never":
        return f"{stays}, for placement.failback is Never; `backstay move` moves it"
    goes_back = f"{host} is preferred by more than its stickiness of {wanted.stickiness} (placement.failback: {wanted.failback})"
    return f"{stays}, unless {goes_back}, or `backstay move` says so"


def _what_else(slot: Slot) -> str:
    """What keeps it from starting on any host."""
    if slot.in_force.spec.state != "Running":
        return f"it is not started anywhere: spec.state is {slot.in_force.spec.state}"
    return f"it is not started anywhere yet: {slot.course.missing}" if slot.course.missing else ""


def _print_against(session: Session, host: str, refused: str, told: Mapping[str, Raw]) -> None:
    for sentence in filter(None, [refused]):
        session.say(f"{sentence[0].upper()}{sentence[1:]}")
    for name, one in told.items():
        session.say(f"{name}: {one['summary']}")
        if one["against"]:
            table(
                session.out, ("RULE", "WHY NOT"), [(each["rule"], f"{host} {each['why']}") for each in one["against"]]
            )


def _lines(slot: Slot, answer: Placed | NoHost) -> tuple[list[Line], str]:
    """Each host's line, and what is decided in one sentence."""
    holder, course = slot.instance.holder if slot.instance else "", slot.course
    lines = [_line(verdict, answer) for verdict in answer.verdicts if verdict.host != holder]
    if not slot.instance or not holder:
        would = "is about to be" if course.to else "would be"
        found = answer.why if isinstance(answer, NoHost) else f"it {would} started on {answer.host}: {answer.why}"
        return lines, "; ".join(filter(None, (course.missing, found)))
    order = course.order
    stays = course.missing or f"it is granted epoch {slot.instance.spec.epoch} and stays while it runs well"
    here = Line(holder, "holder", "-", f"it stops here: {order.why}" if order and order.want == "Down" else stays)
    goes = "goes" if course.to else "would go"
    where = f"{goes} to {answer.host} next" if isinstance(answer, Placed) else "has nowhere else to go"
    return [here, *lines], f"it is on {holder}, and {where}: {answer.why}"


def _next_look(world: World, slot: Slot) -> str:
    """When time alone will change what is decided."""
    at_s = slot.course.look_again_s
    return (
        f"if nothing else happens, it is tried again in about {roughly(at_s - world.now_s)}" if at_s is not None else ""
    )


def _line(verdict: Verdict, answer: Placed | NoHost) -> Line:
    if verdict.rejected:
        return Line(verdict.host, "no", verdict.rejected.rule, verdict.rejected.why)
    if isinstance(answer, Placed) and verdict.host == answer.host:
        return Line(verdict.host, "chosen", "-", answer.why)
    return Line(verdict.host, "possible", "-", verdict.why)


def _print(session: Session, service: HAService, refused: str, told: list[Told]) -> None:
    status = service.status
    session.say(f"{service.key}: {status.state or 'nothing is known yet'}{f' on {status.host}' if status.host else ''}")
    whys = [one.why for one in status.instances]
    degraded = _degraded(service)
    if any(degraded.endswith(why) for why in (*whys, refused) if why):
        degraded = ""  # it is told already
    if len(told) == 1:
        _print_one(session, told[0], [refused, degraded and f"Degraded, {degraded}"], whys)
        return
    for sentence in filter(None, [refused, degraded and f"Degraded, {degraded}"]):
        session.say(f"  {sentence}")
    for one in told:
        session.out.print()
        session.say(f"{one.name}:")
        _print_one(session, one, [], [each.why for each in status.instances if each.name == one.name])


def _print_one(session: Session, told: Told, refused: list[str], whys: list[str]) -> None:
    for why in filter(None, whys):
        session.say(f"  {why}")
    for sentence in filter(None, [*refused, told.summary, told.recovery, *told.accepted]):
        session.say(f"  {sentence[0].upper()}{sentence[1:]}")
    session.out.print()
    rows = [(one.host, one.verdict, one.rule, one.why) for one in told.hosts]
    table(session.out, ("HOST", "VERDICT", "RULE", "WHY"), rows)
