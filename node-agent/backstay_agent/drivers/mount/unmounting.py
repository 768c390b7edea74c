"""A stop, rung by rung: unmount; as long as it is busy, again; then, where the manifest says so, ask who uses it to end.

Never lazily: what is detached and still used is written to, where nobody looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol

from backstay_agent.drivers.base import StopFailed
from backstay_agent.drivers.tools.file_system_looks import NoAnswer, look
from backstay_api.objects.plain import Mount
from backstay_api.objects.resource_kinds import is_network
from backstay_api.process.waiting import clock_s

from .acts import Programs, found
from .holders import Holder, holders, listed, terminate
from .table import Mounted, Table, below, points

AGAIN_S: Final = 0.25
_PROC_S: Final = 10.0


class Sight(Protocol):
    """What `driver.Sight` tells of it."""

    @property
    def table(self) -> Table: ...
    @property
    def ours(self) -> list[Mounted]: ...
    @property
    def hidden_by(self) -> str: ...


async def unmount(
    look_again: Callable[[], Awaitable[Sight]], programs: Programs, spec: Mount, timeout_s: float
) -> str | None:
    """Until it is not in the table. None: it was not; else what is to be said about it. Raises StopFailed, NoAnswer."""
    begun_s = clock_s()
    note: str | None = None
    while (sight := await look_again()).ours:
        if sight.hidden_by:
            raise StopFailed(f"{spec.path} is hidden by {sight.hidden_by}: unmount that first")
        note, left_s = note or "", begun_s + timeout_s - clock_s()
        if left_s <= 0:
            raise StopFailed(await _busy(spec, sight, timeout_s))
        is_late = left_s < timeout_s / 2
        # A server that is gone answers nobody: by force, what waits for it is given an error, and nothing is left mounted.
        force = ["-f"] if is_late and is_network(spec.device) else []
        limit_s = left_s - timeout_s / 2 if is_network(spec.device) and not is_late else left_s
        try:
            ended = await programs.run(spec.path, [await found("umount"), *force, "-c", "--", spec.path], limit_s)
        except NoAnswer:
            if is_late or not is_network(spec.device):
                raise
            continue  # it waits for the server, be it to be killed: by force, it is given an error too
        if ended.exit_code == 0 or not (await look_again()).ours:
            continue
        if is_late and not note and spec.on_busy == "Terminate":
            who = await _who(spec, sight)
            terminate(who)
            note = f"it was still used and asked to end (SIGTERM): {listed(who)}" if who else ""
        await asyncio.sleep(AGAIN_S)
    return note


async def _busy(spec: Mount, sight: Sight, timeout_s: float) -> str:
    parts = [f"{spec.path} is still mounted after {timeout_s:g} s"]
    if nested := below(sight.table, spec.path):
        parts.append(f"below it is mounted {points(nested)}")
    if who := await _who(spec, sight):
        parts.append(f"it is used by {listed(who)}")
    if len(parts) == 1:
        parts.append("no process is seen to use it: a loop device, a swap file or an NFS export on it may")
    return "; ".join(parts)


async def _who(spec: Mount, sight: Sight) -> list[Holder]:
    dev = sight.ours[-1].dev if sight.ours else ""
    return await look(f"/proc (users of {spec.path})", partial(holders, spec.path, dev), limit_s=_PROC_S)
