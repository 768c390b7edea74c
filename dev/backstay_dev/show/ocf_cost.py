"""What an OCF monitor costs by us and by hand, one after the other. Runs on a host, with the agent's code alone; prints medians as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

from backstay_agent.drivers.base import State
from backstay_agent.drivers.ocf.driver import OcfDriver
from backstay_agent.drivers.ocf.environment import environment, program
from backstay_agent.drivers.tools.manager import Manager
from backstay_agent.threads import without_threads_for_children
from backstay_api.objects.plain import Ocf, RenderedResource

TURNS = 40
OCF = Ocf(agent="bench:file", parameters={"state": "/run/bench-ocf.state"})
# As small as agents are: what it takes by itself is a shell that starts and reads its library.
AGENT = """#!/bin/sh
case $1 in
start) touch "$OCF_RESKEY_state";;
stop) rm -f "$OCF_RESKEY_state";;
monitor) [ -e "$OCF_RESKEY_state" ] || exit 7;;
meta-data) echo '<resource-agent name="file"><parameters><parameter name="state"><content type="string"/></parameter></parameters>
<actions><action name="monitor" timeout="20s" interval="10s"/></actions></resource-agent>';;
esac
"""


def install() -> None:
    path = Path(program(OCF))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(AGENT)
    path.chmod(0o755)


async def measure() -> dict[str, float]:
    without_threads_for_children(asyncio.get_running_loop())
    resource, manager = RenderedResource(name="file", ocf=OCF), Manager()
    driver = OcfDriver(manager)
    ours_s, floor_s = [], []
    try:
        await driver.start(resource, timeout_s=20)
        for _ in range(TURNS):
            begun_s = time.perf_counter()
            seen = await driver.check(resource)
            between_s = time.perf_counter()
            code = by_hand()
            floor_s.append(time.perf_counter() - between_s)
            ours_s.append(between_s - begun_s)
            assert (seen.state, code) == (State.RUNNING, 0), (seen, code)
        await driver.stop(resource, timeout_s=20)
    finally:
        await manager.close()
    return {"by us": statistics.median(ours_s), "by hand": statistics.median(floor_s)}


def by_hand() -> int:
    told = environment(OCF, "monitor", host=os.uname().nodename, timeout_s=20)
    return subprocess.run([program(OCF), "monitor"], env=told, capture_output=True, check=False).returncode


if __name__ == "__main__":
    install()
    print(json.dumps(asyncio.run(measure())))
