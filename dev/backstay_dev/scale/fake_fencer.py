"""The real fencer over a fake of the power: `backstay_fencer.main`, but for whom it asks."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from pathlib import Path

from backstay_api.client.http import HttpApi
from backstay_api.client.transport import ApiConfig
from backstay_api.process import logs, service
from backstay_fencer.replica import Replica

from .power import FolderAgents, Power


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal; exit codes as of the real one."""
    parser = service.parser("fake-fencer", "The real fencer over a fake of the power.", health_port="0")
    parser.add_argument("--power", type=Path, required=True, help="folder with a file for each machine that is off")
    options = parser.parse_args(arguments)
    logs.set_up(style=options.log_format, level="info")
    return service.live("backstay-fencer", options, lambda config: _run(config, options))


async def _run(config: ApiConfig, options: argparse.Namespace) -> None:
    api = HttpApi(config, rng=random.Random())
    agents = FolderAgents(Power(options.power))
    try:
        async with asyncio.TaskGroup() as tasks:
            fencer = Replica(api, agents, rng=random.Random(), wall=service.wall, identity="fencer")
            tasks.create_task(fencer.run(), name="fencer")
    finally:
        await api.close()


if __name__ == "__main__":
    sys.exit(main())
