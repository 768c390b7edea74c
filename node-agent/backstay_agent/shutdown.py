"""What happens when systemd tells the agent to end: alone, it goes at once and leaves everything running; with its machine, or with
other units (`systemctl isolate`), it first brings down, in order and verifiably, what it was granted.

systemd stops all units of a machine side by side. Ours stops before the network and D-Bus do (its `After=`), and what it manages
is stopped at the same time by systemd's own jobs, with which our orders to stop are merged; those that would wait for our end are
asked for out of turn (`drivers/tools/shutdown_order.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from .core.leaving import GoingDown, how_it_goes_down, stop_that_is_over

if TYPE_CHECKING:
    from .agent import Agent

log = logging.getLogger(__name__)

LOOK_S: Final = 2.0
"""So long systemd may take to say what it is doing; after that the agent ends, as at any restart."""
EXTEND_S: Final = 30.0
"""For so long at a time systemd is asked to wait for the end of what is being stopped."""


async def leave(agent: Agent, jobs: Callable[[], Any], notify: Callable[[str], None]) -> None:
    """Do what has to be done before this process ends."""
    end = await going_down(jobs)
    if end is None:
        if why := agent.why_not_stop():
            log.warning("the agent ends, the services of this host do not", extra={"why": why})
        return
    notify(f"STOPPING=1\nSTATUS=this machine is going down: {end.how}")
    patience = asyncio.create_task(_keep_systemd_patient(notify), name="patience")
    try:
        await agent.shut_down(end)
    finally:
        patience.cancel()


async def going_down(jobs: Callable[[], Any]) -> GoingDown | None:
    """How this machine is going down; None if it is not, or nobody can tell."""
    try:
        async with asyncio.timeout(LOOK_S):
            return how_it_goes_down(await jobs())
    except (OSError, TimeoutError) as error:
        log.warning("systemd does not say what it is doing", extra={"why": str(error)})
        return None


async def systemd_jobs() -> list[tuple[str, str]]:
    """Unit and kind of every job. By `systemctl`, which needs no D-Bus: that may be gone already."""
    output = await _systemctl("list-jobs", "--no-legend", "--no-pager", "--plain", "--full")
    lines = [line.split() for line in output.splitlines()]
    jobs = [(words[1], words[2]) for words in lines if len(words) >= 3]
    if how_it_goes_down(jobs) is not None:
        return jobs  # a second question might have no answer any more
    return [*jobs, *stop_that_is_over(jobs, await _systemctl("show", "--property=Id,ActiveState", "default.target"))]


async def _systemctl(*words: str) -> str:
    asked = await asyncio.create_subprocess_exec(
        *("/usr/bin/systemctl", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output, _ = await asked.communicate()
    return output.decode(errors="replace")


async def _keep_systemd_patient(notify: Callable[[str], None]) -> None:
    while True:
        notify(f"EXTEND_TIMEOUT_USEC={round(EXTEND_S * 1e6)}\nWATCHDOG=1")
        await asyncio.sleep(EXTEND_S / 3)
