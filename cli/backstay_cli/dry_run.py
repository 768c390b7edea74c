"""`--dry-run=client|server`: what is read is read, and nothing is written. `server`: the API server judges each write, and stores nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any, Final

from backstay_api.client.api import DEFAULT_INACTIVITY_S, Api, Bookmark, Call, Event, Listing
from backstay_api.objects.kinds import Kind, Raw, T

_QUESTIONS: Final = ("authentication.k8s.io", "authorization.k8s.io")
"""What is made here is a question: nothing is stored."""


class DryRun(Api):
    """An API by which nothing is changed. `tell` is told each write that would have been."""

    def __init__(self, inner: Api, *, server: bool, tell: Callable[[str], None]) -> None:
        self._inner = inner
        self._server = server
        self._tell = tell

    async def list(
        self, kind: Kind[T], namespace: str = "", *, name: str = "", timeout_s: float | None = None
    ) -> Listing[T]:
        return await self._inner.list(kind, namespace, name=name, timeout_s=timeout_s)

    def watch(
        self,
        kind: Kind[T],
        namespace: str = "",
        *,
        resource_version: str,
        name: str = "",
        inactivity_s: float = DEFAULT_INACTIVITY_S,
        timeout_s: float | None = None,
    ) -> AsyncGenerator[Event[T] | Bookmark, None]:
        return self._inner.watch(
            kind,
            namespace,
            resource_version=resource_version,
            name=name,
            inactivity_s=inactivity_s,
            timeout_s=timeout_s,
        )

    def lane(self, name: str) -> Api:
        return DryRun(self._inner.lane(name), server=self._server, tell=self._tell)

    async def close(self) -> None:
        await self._inner.close()

    async def _carry_out(self, call: Call, timeout_s: float | None) -> Raw:
        if call.verb == "get" or call.kind.group in _QUESTIONS:
            return await self._inner.carry_out(call, timeout_s)
        answer: Raw = {}
        if self._server:
            answer = await self._inner.carry_out(replace(call, dry_run=True), timeout_s)
        self._tell(_sentence(call))
        return answer or await self._as_before(call, timeout_s)

    async def _as_before(self, call: Call, timeout_s: float | None) -> Raw:
        """What a caller gets to read: the object as it is."""
        if call.verb == "create":
            return {"apiVersion": call.kind.api_version, "kind": call.kind.kind, **(call.body or {})}
        if call.verb == "delete":
            return {}
        return await self._inner.carry_out(Call("get", call.kind, call.namespace, call.name), timeout_s)


def _sentence(call: Call) -> str:
    body: Any = json.dumps(call.body, sort_keys=True) if call.body else ""
    where = f" -n {call.namespace}" if call.namespace else ""
    return f"would {call.verb} {call.kind.resource} {call.name}{where}{f': {body}' if body else ''}"
