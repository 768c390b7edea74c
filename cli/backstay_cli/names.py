"""Arguments of several verbs. Where nothing can be asked, nothing is offered: nobody wants an error at a TAB."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import typer

from backstay_api.client.errors import ApiError
from backstay_api.client.kubeconfig import NoConfig
from backstay_api.objects.kinds import Kind, unread
from backstay_api.objects.object_kinds import HA_SERVICES, HOSTS

from .session import Options, Tools, real_tools

_LIMIT_S: Final = 2.0
"""Whoever presses TAB is waiting."""


def services(context: typer.Context, incomplete: str) -> list[str]:
    return [name for name in _named(context, HA_SERVICES) if name.startswith(incomplete)]


def hosts(context: typer.Context, incomplete: str) -> list[str]:
    return [name for name in _named(context, HOSTS) if name.startswith(incomplete)]


Service = Annotated[
    str, typer.Argument(help="Name of the HAService, or NAMESPACE/NAME.", metavar="SERVICE", autocompletion=services)
]
HostName = Annotated[str, typer.Argument(help="Name of the Host.", metavar="HOST", autocompletion=hosts)]
WaitLimit = Annotated[str, typer.Option(help="How long --wait waits.")]


def _named(context: typer.Context, kind: Kind[Any]) -> list[str]:
    given = context.find_root().obj
    tools = given if isinstance(given, Tools) else real_tools()
    kubeconfig, name, namespace = (str(context.params.get(one) or "") for one in ("kubeconfig", "context", "namespace"))
    options = Options(kubeconfig=kubeconfig, context=name, namespace=namespace)
    try:
        found: list[str] = []
        tools.run(_listed(tools, options, kind, found))
        return sorted(found)
    except (ApiError, NoConfig, OSError, TimeoutError):
        return []


async def _listed(tools: Tools, options: Options, kind: Kind[Any], found: list[str]) -> int:
    api = tools.open_api(options)
    try:
        namespace = options.namespace or tools.namespace_of(options) if kind.namespaced else ""
        async with asyncio.timeout(_LIMIT_S):
            found += [one["metadata"]["name"] for one in (await api.list(unread(kind), namespace)).items]
        return 0
    finally:
        await api.close()
