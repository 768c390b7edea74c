"""OCF agents that stories bring along: written to the host they run on, each with a daemon that is told by its number."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from backstay_agent.drivers.ocf.driver import OcfDriver, unit_name
from backstay_agent.drivers.tools.manager import Manager
from backstay_api.objects.plain import Ocf, Probe, RenderedResource, Timeouts

ROOT = Path("/usr/lib/ocf/resource.d")
ACTIONS = (
    '<action name="start" timeout="5s"/><action name="stop" timeout="5s"/>'
    '<action name="monitor" timeout="5s" interval="10s" depth="0"/><action name="monitor" timeout="5s" interval="20s" depth="10"/>'
    '<action name="validate-all" timeout="5s"/><action name="meta-data" timeout="5s"/>'
)
METADATA = """<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="x" version="1.0"><version>1.1</version><parameters>
<parameter name="words"><content type="string"/></parameter>
<parameter name="place" unique="1"><content type="string"/></parameter>
<parameter name="many"><content type="integer" default="1"/></parameter>
{parameters}</parameters><actions>{actions}</actions></resource-agent>"""
# What most of them do: a daemon that is known by a file with its number.
DAEMON = """case $1 in
start) [ -e $S ] && kill -0 $(cat $S) 2>/dev/null && exit 0; sleep $N & echo $! >$S; exit 0;;
stop) [ -e $S ] && kill $(cat $S) 2>/dev/null; rm -f $S; exit 0;;
monitor) [ -e $S ] || exit 7; kill -0 $(cat $S) 2>/dev/null && exit 0; echo "ocf-exit-reason:it is dead" >&2; exit 1;;
validate-all) exit 0;;
*) exit 3;;
esac"""
_numbers = iter(range(200001, 300000))


def agent(name: str, text: str = DAEMON, *, metadata: str | None = None, parameters: str = "", first: str = "") -> str:
    """Install one; it says which program its daemon is."""
    (ROOT / "d-tests").mkdir(parents=True, exist_ok=True)
    number = next(_numbers)
    told = METADATA.format(parameters=parameters, actions=ACTIONS) if metadata is None else metadata
    (ROOT / "d-tests" / f"{name}.xml").write_text(told)
    prints = '[ "$1" = meta-data ] && { cat $0.xml; exit 0; }'
    script = ROOT / "d-tests" / name
    script.write_text(f"#!/bin/sh\nS=/run/d-{name} N={number}\n{first}\n{prints}\n{text}\n")
    script.chmod(0o755)
    return f"sleep {number}"


def resource(
    agent: str, *, probes: tuple[Probe, ...] = (), timeouts: Timeouts | None = None, **parameters: str
) -> RenderedResource:
    ocf = Ocf(agent=agent if ":" in agent else f"d-tests:{agent}", parameters=parameters or None)
    return RenderedResource(name="thing", ocf=ocf, probes=probes, timeouts=timeouts or Timeouts())


def unit_of(thing: RenderedResource) -> str:
    assert thing.ocf is not None
    return unit_name(thing.ocf)


@asynccontextmanager
async def agents() -> AsyncIterator[OcfDriver]:
    manager = Manager()
    try:
        yield OcfDriver(manager)
    finally:
        await manager.close()
