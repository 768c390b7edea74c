"""A stop, rung by rung: unmount; as long as it is busy, again; then, where the manifest says so, ask who uses it to end.

Never lazily: what is detached and still used is written to, where nobody looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from backstay_agent.drivers.base import StopFailed
from backstay_agent.drivers.tools.file_system_looks import NoAnswer, look
from backstay_api.objects.devices import is_network
from backstay_api.objects.plain import Mount
from backstay_api.process.waiting import clock_s

from .acts import Programs, found
from .holders import Holder, holders, listed, terminate
from .table import Mounted, Table, below, points

AGAIN_S: Final = 0.25
_PROC_S: Final = 10.0


@dataclass(frozen=True)
class _Rung:
    """What is tried in one part of the time that a stop has; all of it are shares of that time."""

    until: float
    """Then the next one begins."""
    ends: float
    """Then `umount` itself is killed, if it has not answered."""
    options: tuple[str, ...] = ()
    asks_users: bool = False
    """Who uses it is asked to end, once, if the manifest says so."""


_DISK: Final = (_Rung(0.5, 1.0), _Rung(1.0, 1.0, asks_users=True))
# A server that is gone answers nobody: by force, what waits for it is given an error, and nothing is left mounted.
_NETWORK: Final = (_Rung(0.5, 0.5), _Rung(1.0, 1.0, ("-f",), asks_users=True))


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
    begun_s, rungs = clock_s(), _NETWORK if is_network(spec.device) else _DISK
    note: str | None = None
    while (sight := await look_again()).ours:
        if sight.hidden_by:
            raise StopFailed(f"{spec.path} is hidden by {sight.hidden_by}: unmount that first")
        note, passed_s = note or "", clock_s() - begun_s
        if passed_s >= timeout_s:
            raise StopFailed(await _busy(spec, sight, timeout_s))
        rung = next(one for one in rungs if passed_s <= one.until * timeout_s)
        if not await _was_busy(programs, spec, rung, rung.ends * timeout_s - passed_s) or not (await look_again()).ours:
            continue
        if rung.asks_users and not note and spec.on_busy == "Terminate":
            note = await _asked_to_end(spec, sight)
        await asyncio.sleep(AGAIN_S)
    return note


async def _was_busy(programs: Programs, spec: Mount, rung: _Rung, limit_s: float) -> bool:
    """Whether `umount` has refused it; not, if it waits for a server and there is another rung. Raises NoAnswer."""
    try:
        argv = [await found("umount"), *rung.options, "-c", "--", spec.path]
        return (await programs.run(spec.path, argv, limit_s)).exit_code != 0
    except NoAnswer:
        if rung.ends == 1.0:
            raise
        return False  # be it to be killed: by force, it is given an error too


async def _asked_to_end(spec: Mount, sight: Sight) -> str:
    who = await _who(spec, sight)
    terminate(who)
    return f"it was still used and asked to end (SIGTERM): {listed(who)}" if who else ""


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
