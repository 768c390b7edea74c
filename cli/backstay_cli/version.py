"""`backstay version`: which version this program is, and the agent of each host."""

from __future__ import annotations

from typing import Annotated

import typer

from backstay_api import VERSION
from backstay_api.objects.kinds import unread
from backstay_api.objects.object_kinds import HOSTS

from .rights import rights_to
from .session import WELL, Session
from .tables import table
from .view import VIEW


async def version(
    session: Session,
    client: Annotated[bool, typer.Option("--client", help="Only of this program; asks no server.")] = False,
) -> int:
    """Show the version of this program and of each host's agent."""
    agents: dict[str, str] = {}
    if not client:
        await session.need(rights_to("list", HOSTS), VIEW)
        hosts = (await session.api.list(unread(HOSTS))).items
        agents = {host["metadata"]["name"]: host.get("status", {}).get("agentVersion", "") for host in hosts}
    session.show({"client": VERSION, "agents": agents}, lambda: _print(session, agents))
    return WELL


def _print(session: Session, agents: dict[str, str]) -> None:
    session.out.print(f"backstay {VERSION}", markup=False)
    if agents:
        rows = [[name, said or "has not reported", _skew(said)] for name, said in sorted(agents.items())]
        session.out.print()
        table(session.out, ["HOST", "AGENT", ""], rows)


def _skew(agent: str) -> str:
    return "not this program's version" if agent and agent != VERSION else ""
