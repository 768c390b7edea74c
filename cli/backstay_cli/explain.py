"""`backstay explain SERVICE`: for each host, chosen, or by which rule not; in the words of the operator's own judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from backstay_api.objects.models import HAInstance, HAService
from backstay_operator.planner.judge import placement
from backstay_operator.planner.judge.acceptance import Refused, accept
from backstay_operator.planner.judge.placement import Placed, Verdict
from backstay_operator.planner.know.world import World

from .session import WELL, Session
from .tables import table
from .view import EVERYTHING, VIEW, look, service_named


@dataclass(frozen=True)
class Line:
    """What is said of one host."""

    host: str
    verdict: str
    rule: str
    why: str


async def explain(
    session: Session, service: Annotated[str, typer.Argument(help="Name of the HAService, or NAMESPACE/NAME.")]
) -> int:
    """Say why a service runs where it runs: for each host, chosen, or by which rule not."""
    await session.need(EVERYTHING, VIEW)
    named = await service_named(session, service)
    world = (await look(session)).world
    known = world.services.get(named.key, named)
    instance, acceptance = world.instance_of(known, known.slots[0]), accept(world, known)
    lines, summary = _lines(world, known, instance)
    refused = f"{acceptance.reason}: {acceptance.message}" if isinstance(acceptance, Refused) else ""
    data = {"service": known.key, "refused": refused, "summary": summary, "hosts": [vars(line) for line in lines]}
    session.show(data, lambda: _print(session, known, refused, summary, lines))
    return WELL


def _lines(world: World, service: HAService, instance: HAInstance | None) -> tuple[list[Line], str]:
    holder = instance.spec.grant.host if instance and instance.spec.grant else None
    # Of a service that runs, the question is where it would go: its holder is judged for itself.
    answer = placement.place(world, service, instance, away_from=[holder] if holder else ())
    lines = [_line(verdict, answer) for verdict in answer.verdicts if verdict.host != holder]
    if holder is None:
        if isinstance(answer, Placed):
            return lines, f"it would be started on {answer.host}: {answer.why}"
        return lines, answer.why
    next_one = (
        f"would go to {answer.host} next: {answer.why}"
        if isinstance(answer, Placed)
        else f"has nowhere else to go: {answer.why}"
    )
    return [_holder(world, service, instance, holder), *lines], f"it is on {holder}, and {next_one}"


def _holder(world: World, service: HAService, instance: HAInstance | None, holder: str) -> Line:
    leave = placement.must_leave(world, service, instance) if instance else None
    epoch = instance.spec.epoch if instance else 0
    why = (
        f"must leave it: {holder} {leave.why}" if leave else f"it is granted epoch {epoch} and stays while it runs well"
    )
    return Line(holder, "holder", leave.rule if leave else "-", why)


def _line(verdict: Verdict, answer: Placed | placement.NoHost) -> Line:
    if verdict.rejected:
        return Line(verdict.host, "no", verdict.rejected.rule, verdict.rejected.why)
    if isinstance(answer, Placed) and verdict.host == answer.host:
        return Line(verdict.host, "chosen", "-", answer.why)
    return Line(verdict.host, "possible", "-", verdict.why)


def _print(session: Session, service: HAService, refused: str, summary: str, lines: list[Line]) -> None:
    told = service.status
    session.say(f"{service.key}: {told.state or 'nothing is known yet'}{f' on {told.host}' if told.host else ''}")
    if told.instances and told.instances[0].why:
        session.say(f"  {told.instances[0].why}")
    if refused:
        session.say(f"  It is refused. {refused}")
    session.say(f"  {summary[0].upper()}{summary[1:]}")
    session.out.print()
    table(
        session.out, ("HOST", "VERDICT", "RULE", "WHY"), [(one.host, one.verdict, one.rule, one.why) for one in lines]
    )
