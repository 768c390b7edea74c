"""Gives each host what is in its files from Secrets: in a Secret of its own, by the names that its orders say.

Orders and grants never wait for it: an agent that does not find a content yet says so, and asks again. Only what a host is told to have is
given to it, and what it is told no more is taken away after a while. So what hosts were given is also what is remembered while a Secret of
a service is gone. Not read but here and by that host's agent; nothing of it is logged.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from backstay_api.client.api import Api
from backstay_api.client.errors import ApiError, ApiTrouble, Conflict
from backstay_api.objects.editions import LEFT_OUT
from backstay_api.objects.kinds import SECRETS
from backstay_api.objects.lease import NAMESPACE
from backstay_api.objects.models import HostAssignment
from backstay_api.objects.names import files_secret
from backstay_api.objects.rbac import FILES_TYPE
from backstay_api.process.waiting import clock_s
from backstay_operator.control.watch.cache import Cache
from backstay_operator.control.watch.secrets import SecretTexts, text_of

log = logging.getLogger(__name__)

EACH_S: Final = 1.0
"""So often it is looked at whether any host needs another content."""
READ_AGAIN_S: Final = 60.0
"""What a host has is read so often, while it needs any: somebody may have edited it."""
KEPT_S: Final = 300.0
"""What is needed no more stays so long: an agent may have an older order still."""
MOST_BYTES: Final = 768 * 1024
"""Of all that one host has, as it stands in its Secret: what is larger than 1 MiB is no object that can be stored."""
PAUSE_S: Final = 0.05
MOST_IN_VAIN: Final = 3
"""So many in a row get no answer before the API server is taken to be away: one alone may be too large, or a webhook of its own is away."""
_TIMEOUT_S: Final = 10.0


@dataclass
class _Held:
    """What one host has, as it was read last."""

    version: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    """All that is there, whoever has put it there."""
    right: dict[tuple[str, str], bool] = field(default_factory=dict)
    """By name, and namespace of the services that need it: whether that is what is called so. Asked once for what was read."""
    left_out: str = ""
    read_s: float = -math.inf
    unneeded_s: dict[str, float] = field(default_factory=dict)
    """By name: since when it is needed no more."""


Needed = Mapping[str, str]
"""By name of a content: the namespace of the services that need it, of which its name is one."""


def needed_by(assignment: HostAssignment) -> Needed:
    """The contents that this host is told to have."""
    orders = assignment.spec.prerequisites.values()
    files = ((one.file, order.namespace) for order in orders for one in order.resources)
    return {file.secret: namespace for file, namespace in files if file is not None and file.secret}


class HostFiles:
    """Writes them, from `run` until it is cancelled."""

    def __init__(self, api: Api, cache: Cache, texts: SecretTexts, leads: Callable[[], bool]) -> None:
        self._api, self._cache, self._texts, self._leads = api, cache, texts, leads
        self._held: dict[str, _Held] = {}
        self._needs: dict[str, tuple[HostAssignment, Needed]] = {}

    async def run(self) -> None:
        """Until cancelled. Before any service names a Secret there is nothing to look at."""
        await self._texts.are_named.wait()
        while True:
            if self._leads():
                await self._round()
            await asyncio.sleep(EACH_S)

    async def _round(self) -> None:
        if not await self._texts.is_ready():
            return
        assignments = self._cache.world.assignments
        for host in [host for host in self._held if host not in assignments]:
            del self._held[host]  # its Secret goes with it
        # Who needs something comes first.
        tries = MOST_IN_VAIN
        for host in sorted(assignments, key=lambda one: (not self._needed(one), one)):
            needed = self._needed(host)
            # Each is read once, needed or not: an operator of before may have left something there.
            is_due = host not in self._held or needed or self._held[host].data
            if is_due:
                tries = MOST_IN_VAIN if await self._give(host, needed) else tries - 1
            if not tries:
                return

    def _needed(self, host: str) -> Needed:
        assignment = self._cache.world.assignments.get(host)
        if assignment is None:
            return {}
        known = self._needs.get(host)
        if known is None or known[0] is not assignment:
            known = self._needs[host] = (assignment, needed_by(assignment))
        return known[1]

    async def _give(self, host: str, needed: Needed) -> bool:
        """Whether the API server is there to give the next one."""
        held = self._held.setdefault(host, _Held())
        try:
            if clock_s() - held.read_s >= READ_AGAIN_S:
                await self._read(host, held)
            if (change := self._change(held, needed)) is not None:
                await self._write(host, held, change)
        except Conflict:
            held.read_s = -math.inf
        except ApiTrouble:
            return False
        except ApiError as error:
            held.version, held.read_s = "", clock_s()  # not at once again
            level = logging.WARNING if needed else logging.DEBUG
            where = f"{NAMESPACE}/{files_secret(host)}"
            log.log(level, "host not given its files", extra={"secret": where, "why": type(error).__name__})
        return True

    async def _read(self, host: str, held: _Held) -> None:
        body = await self._api.get(SECRETS, files_secret(host), NAMESPACE, timeout_s=_TIMEOUT_S)
        self._keep(held, body)
        held.read_s = clock_s()
        await asyncio.sleep(PAUSE_S)

    async def _write(self, host: str, held: _Held, change: Mapping[str, Any]) -> None:
        body = await self._api.patch(SECRETS, files_secret(host), change, NAMESPACE, timeout_s=_TIMEOUT_S)
        self._keep(held, body)
        log.info("host given its files", extra={"host": host, "contents": len(held.data)})

    def _change(self, held: _Held, needed: Needed) -> Mapping[str, Any] | None:
        """What a merge patch has to say; None: nothing. Never without the version that it was decided from."""
        if not held.version:
            return None
        now_s = clock_s()
        held.unneeded_s = {one: held.unneeded_s.get(one, now_s) for one in held.data if one not in needed}
        gone = [one for one, since_s in held.unneeded_s.items() if now_s - since_s >= KEPT_S]
        wrong = {
            one for one, namespace in needed.items() if one in held.data and not self._is_right(held, one, namespace)
        }
        data = {one: raw for one, raw in held.data.items() if one not in gone and one not in wrong}
        left_out = []
        for name in sorted(needed.keys() - data.keys()):
            if (raw := self._raw(name, needed[name])) is None:
                continue
            gone += _make_room(data, needed, len(raw))
            if _bytes(data.values()) + len(raw) > MOST_BYTES:
                left_out.append(name)
            else:
                data[name] = raw
        said = " ".join(left_out)
        if data == held.data and said == held.left_out:
            return None
        metadata = {"resourceVersion": held.version, "annotations": {LEFT_OUT: said or None}}
        new = {one: raw for one, raw in data.items() if held.data.get(one) != raw}
        return {"metadata": metadata, "data": {**dict.fromkeys((*gone, *wrong)), **new}}

    def _keep(self, held: _Held, body: Mapping[str, Any]) -> None:
        """Into what is no Secret of ours nothing is written."""
        meta, data = body["metadata"], body.get("data") or {}
        held.version = str(meta["resourceVersion"]) if body.get("type") == FILES_TYPE else ""
        held.data, held.right = {str(name): str(raw) for name, raw in data.items()}, {}
        held.left_out = str((meta.get("annotations") or {}).get(LEFT_OUT, ""))

    def _is_right(self, held: _Held, name: str, namespace: str) -> bool:
        """What has another's name there is nothing that we have put there."""
        if (name, namespace) not in held.right:
            text = text_of(held.data.get(name))
            held.right[name, namespace] = text is not None and self._texts.is_called(name, namespace, text)
        return held.right[name, namespace]

    def _raw(self, name: str, namespace: str) -> str | None:
        """As its Secret says it now, or as another host has it still."""
        text = self._texts.text(name)
        if text is not None:
            return base64.b64encode(text.encode()).decode()
        having = (held for held in self._held.values() if name in held.data)
        return next((held.data[name] for held in having if self._is_right(held, name, namespace)), None)


def _make_room(data: dict[str, str], needed: Needed, much: int) -> list[str]:
    """What is not needed goes first; which that was."""
    gone = []
    for name in sorted(data.keys() - needed.keys()):
        if _bytes(data.values()) + much <= MOST_BYTES:
            break
        del data[name]
        gone.append(name)
    return gone


def _bytes(raws: Iterable[str]) -> int:
    return sum(map(len, raws))
