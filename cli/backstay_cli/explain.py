"""`backstay explain SERVICE`: what the operator decides about it, and of each host why, or by which rule not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAService
from backstay_operator.planner.do.decisions import Slot, next_host
from backstay_operator.planner.do.rounds import Round
from backstay_operator.planner.judge.acceptance import Refused
from backstay_operator.planner.judge.placement import NoHost, Placed, Verdict
from backstay_operator.planner.know.world import World
from backstay_operator.planner.tell.recovery import recovery_of
from backstay_operator.planner.words import joined, roughly

from .session import WELL, Session
from .tables import table
from .view import EVERYTHING, VIEW, decided, slots_of


@dataclass(frozen=True)
class Line:
    """What is said of one host."""

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

    @property
    def data(self) -> Raw:
        return {"summary": self.summary, "recovery": self.recovery, "hosts": [vars(line) for line in self.hosts]}


async def explain(
    session: Session,
    service: Annotated[str, typer.Argument(help="Name of the HAService, or NAMESPACE/NAME.")],
    instance: Annotated[
        str, typer.Option(help="Only this copy, where there are several: its name, or the host that it is on.")
    ] = "",
) -> int:
    """Say why a service runs where it runs: for each host, chosen, or by which rule not."""
    await session.need(EVERYTHING, VIEW)
    known, round_, decision = await decided(session, service)
    acceptance, told = decision.acceptance, [_told(round_, slot) for slot in slots_of(decision, instance)]
    refused = f"{acceptance.reason}: {acceptance.message}" if isinstance(acceptance, Refused) else ""
    copies: Raw = told[0].data if len(told) == 1 else {"instances": [{"name": one.name, **one.data} for one in told]}
    data = {"service": known.key, "refused": refused, **copies}
    session.show(data, lambda: _print(session, known, refused and f"It is refused. {refused}", told))
    return WELL


def _told(round_: Round, slot: Slot) -> Told:
    lines, summary = _lines(slot, next_host(round_, slot))
    recovery = joined(recovery_of(round_.world, slot), _next_look(round_.world, slot))
    return Told(slot.name, summary, recovery, lines)


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
    if len(told) == 1:
        _print_one(session, told[0], [refused], [one.why for one in status.instances])
        return
    for sentence in filter(None, [refused]):
        session.say(f"  {sentence}")
    for one in told:
        session.out.print()
        session.say(f"{one.name}:")
        _print_one(session, one, [], [each.why for each in status.instances if each.name == one.name])


def _print_one(session: Session, told: Told, refused: list[str], whys: list[str]) -> None:
    for why in filter(None, whys):
        session.say(f"  {why}")
    for sentence in filter(None, [*refused, told.summary, told.recovery]):
        session.say(f"  {sentence[0].upper()}{sentence[1:]}")
    session.out.print()
    rows = [(one.host, one.verdict, one.rule, one.why) for one in told.hosts]
    table(session.out, ("HOST", "VERDICT", "RULE", "WHY"), rows)
