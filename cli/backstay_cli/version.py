"""`backstay version`: which release this program is of, and operator, fencer and the agent of each host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import typer

from backstay_api import VERSION
from backstay_api.client.errors import Forbidden, NotFound
from backstay_api.objects import releases
from backstay_api.objects.kinds import LEASES, unread
from backstay_api.objects.names import FENCER_LEASE, LEADER_LEASE, RELEASE, SYSTEM_NAMESPACE
from backstay_api.objects.object_kinds import HOSTS

from .rights import rights_to
from .session import WELL, Session
from .tables import table
from .view import VIEW

_SKEW: Final[Mapping[releases.Skew, str]] = {
    "": "",
    "Other": "another version than the operator",
    "Newer": "newer than the operator: upgrade that",
    "TooOld": f"too old: the operator serves its own release and the {releases.SERVED} before it; upgrade this agent",
}
_PROGRAMS: Final = {"operator": LEADER_LEASE, "fencer": FENCER_LEASE}


async def version(
    session: Session,
    client: Annotated[bool, typer.Option("--client", help="Only of this program; asks no server.")] = False,
) -> int:
    """Show the version of this program, of operator and fencer, and of each host's agent, with those that do not go with the operator."""
    agents: dict[str, str] = {}
    programs: dict[str, str] = {}
    if not client:
        await session.need(rights_to("list", HOSTS), VIEW)
        hosts = (await session.api.list(unread(HOSTS))).items
        agents = {host["metadata"]["name"]: host.get("status", {}).get("agentVersion", "") for host in hosts}
        programs = {program: await _held_by(session, lease) for program, lease in _PROGRAMS.items()}
    session.show({"client": VERSION, **programs, "agents": agents}, lambda: _print(session, programs, agents))
    return WELL


async def _held_by(session: Session, lease: str) -> str:
    """Of which version the holder of a Lease is; empty: it does not say, or this user may not see it."""
    try:
        found = await session.api.get(LEASES, lease, SYSTEM_NAMESPACE)
    except (NotFound, Forbidden):
        return ""
    return str((found["metadata"].get("annotations") or {}).get(RELEASE, ""))


def _print(session: Session, programs: Mapping[str, str], agents: Mapping[str, str]) -> None:
    session.out.print(f"backstay {VERSION}", markup=False)
    for program, said in programs.items():
        session.out.print(f"{program} {said or 'not known'}", markup=False)
    if agents:
        operator = programs.get("operator", "")
        rows = [[name, said or "has not reported", skew(said, operator)] for name, said in sorted(agents.items())]
        session.out.print()
        table(session.out, ["HOST", "AGENT", ""], rows)


def skew(agent: str, operator: str) -> str:
    """What is to be said of an agent beside its operator; empty: nothing."""
    return _SKEW[releases.skew(agent, operator)]
