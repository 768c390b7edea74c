"""`backstay-fencer`: a process of its own with an identity of its own, the only one that may read the fencing Secrets."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import secrets
import socket
import sys

from backstay_api.client.http import HttpApi
from backstay_api.client.transport import ApiConfig
from backstay_api.objects.names import SYSTEM_NAMESPACE
from backstay_api.process import endpoints, logs, service

from .agents import RealAgents
from .health import Health
from .replica import Replica

log = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Run until a signal. Exit code 0: asked to stop; 1: something essential died; 2: cannot start as configured."""
    options = _parser().parse_args(argv)
    logs.set_up(style=options.log_format, level="debug" if options.verbose else "info")
    return service.live("backstay-fencer", options, lambda config: run(config, options))


async def run(config: ApiConfig, options: argparse.Namespace) -> None:
    """Carry out requests, and tell of it."""
    api = HttpApi(config, rng=random.Random())
    fencer = Replica(
        api,
        RealAgents(),
        rng=random.Random(),
        wall=service.wall,
        identity=options.identity,
        namespace=options.namespace,
    )
    log.info("fencer started", extra={"identity": options.identity})
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fencer.run(), name="fencer")
            if options.health_port:
                health = Health(fencer.executor)
                serving = endpoints.serve(health.answer, host=options.health_host, port=options.health_port)
                tasks.create_task(serving, name="endpoints")
    finally:
        await api.close()


def _parser() -> argparse.ArgumentParser:
    what = "Carries out FenceRequests with Debian's fence agents and tests every fence path."
    parser = service.parser("backstay-fencer", what, health_port="0")
    parser.add_argument("--verbose", action="store_true", help="log at debug level")
    parser.add_argument(
        "--namespace",
        default=service.environment("NAMESPACE", SYSTEM_NAMESPACE),
        help="where the Lease of fencers is (default: %(default)s)",
    )
    # Another name in each life: what took the Lease before, and died, is somebody else.
    parser.add_argument("--identity", default=f"{socket.gethostname()}-{secrets.token_hex(4)}", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
