"""Files that an agent brings to a host in memory, for its stories."""

from __future__ import annotations

from backstay_agent.cluster.link import ASSIGNMENTS
from backstay_agent.core.editions import SOAK_S, Edition
from backstay_api.objects.plain import (
    PrerequisiteFinding,
    PrerequisiteOrder,
    Probe,
    RenderedFile,
    RenderedPrerequisite,
    RenderedRollout,
    TcpSocket,
)

from .agent_world import World, unit

PATH = "/etc/web.conf"
A, B = Edition("a"), Edition("b")
PROBED = (unit(probes=(Probe(name="alive", tcp_socket=TcpSocket(port=80)),)),)


async def bring(
    world: World,
    target: Edition,
    use: Edition,
    *,
    validate: bool = True,
    revision: int = 1,
    rollout: RenderedRollout | None = None,
) -> None:
    """As the operator orders it."""
    file = RenderedFile(
        path=PATH,
        content=target.content,
        validate_with=("/bin/check",) if validate else None,
        reload=("server",),
        use=use.id,
        rollout=rollout,
    )
    told = PrerequisiteOrder(
        namespace="shop",
        name="web-u1",
        revision=revision,
        resources=(RenderedPrerequisite(name="config", file=file),),
    )
    await world.operator.patch(ASSIGNMENTS, "n1", {"spec": {"prerequisites": {"u1": told.to_wire()}}})


async def said(world: World) -> PrerequisiteFinding:
    report = (await world.assignment()).status.prerequisites.get("u1")
    return report.findings[0] if report and report.findings else PrerequisiteFinding(name="config")


async def until_says(world: World, fact: str, value: str) -> PrerequisiteFinding:
    async def seen() -> bool:
        return (await said(world)).facts.get(fact) == value

    await world.until(seen, limit_s=2 * SOAK_S)
    return await said(world)


def there(world: World) -> str | None:
    return world.machine.files.get(PATH, Edition()).content
