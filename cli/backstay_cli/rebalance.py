"""`backstay rebalance`: which moves would spread services more evenly, what each stops, and, on a yes, one `backstay move` after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from backstay_api.objects.object_kinds import HA_SERVICES
from backstay_operator.planner.rebalance import MOST_MOVES, Proposal, proposals
from backstay_operator.planner.words import listed

from .maintenance import seconds_of
from .move import wait_for, write_wish
from .rights import rights_to
from .session import NOT_NOW, WELL, Session
from .tables import table
from .view import EVERYTHING, VIEW, look

CHANGES = 2


async def rebalance(
    session: Session,
    plan: Annotated[bool, typer.Option("--plan", help="Only show the moves, and what each stops.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
    timeout: Annotated[str, typer.Option(help="How long each move is waited for.")] = "10m",
) -> int:
    """Spread services more evenly over hosts, one move after the other. With --plan exit code 0: nothing would move; 2: something would."""
    limit_s = seconds_of(timeout)
    await session.need(EVERYTHING, VIEW)
    found = proposals((await look(session)).world)
    data = {"moves": [_told(one) for one in found]}
    if plan or not found:
        session.show(data, lambda: _print(session, found))
        return CHANGES if found else WELL
    await session.need(rights_to("get patch", HA_SERVICES, ""), "The role edit in the whole cluster")
    if not session.options.for_programs:
        _print(session, found)
    if not yes and not session.tools.ask("Move them, one after the other?"):
        session.say("Nothing is moved.")
        return NOT_NOW
    for one in found:
        await write_wish(session, one.service, one.instance, one.to)
        if not session.is_dry:
            await wait_for(session, one.service, one.instance, one.to, limit_s)
    session.show(data, lambda: None)
    return WELL


def _told(one: Proposal) -> dict[str, object]:
    return {
        "service": one.service.key,
        "instance": one.instance,
        "from": one.from_,
        "to": one.to,
        "why": one.why,
        "restarted": list(one.restarted),
    }


def _print(session: Session, found: Sequence[Proposal]) -> None:
    if not found:
        session.say("Services are spread as evenly as rules, preferences and ready hosts let them.")
        return
    rows = [
        (one.service.key, one.instance, one.from_, one.to, listed(list(one.restarted)) or "-", one.why) for one in found
    ]
    table(session.out, ("SERVICE", "INSTANCE", "FROM", "TO", "RESTARTED WITH IT", "WHY"), rows)
    restarted = {key for one in found for key in one.restarted}
    more = f"; {len(restarted)} that require them restart as well" if restarted else ""
    most = f" (no more than {MOST_MOVES} at a time)" if len(found) == MOST_MOVES else ""
    session.say(f"\nEach of {len(found)} is stopped and started elsewhere, one after the other{more}{most}.")
