"""`backstay-fencer`: a process of its own with an identity of its own, the only one that may read the fencing Secrets."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import signal
import sys
from datetime import UTC, datetime

from backstay_api.client import kubeconfig
from backstay_api.client.http import HttpApi
from backstay_api.process import endpoints, logs

from .agents import RealAgents
from .executor import Executor
from .health import Health

log = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Run until a signal. Exit code 0: asked to stop; 1: something essential died; 2: cannot start as configured."""
    options = _parser().parse_args(argv)
    logs.set_up(style=options.log_format, level="debug" if options.verbose else "info")
    try:
        config = kubeconfig.load(path=options.kubeconfig, context=options.context, user_agent="backstay-fencer")
    except kubeconfig.NoConfig as error:
        print(f"backstay-fencer: {error}", file=sys.stderr)
        return 2
    return asyncio.run(work(HttpApi(config, rng=random.Random()), options))


async def work(api: HttpApi, options: argparse.Namespace) -> int:
    """Carry out requests, and tell of it, until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    executor = Executor(api, RealAgents(), rng=random.Random(), wall=wall)
    working = asyncio.create_task(_run(executor, options.health_host, options.health_port), name="fencer")
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, working.cancel)
    log.info("fencer started")
    try:
        await working
    except asyncio.CancelledError:
        log.info("fencer stopped")
        return 0
    except ExceptionGroup:
        log.exception("fencer died")
        return 1
    finally:
        await api.close()
    return 1


async def _run(executor: Executor, health_host: str, health_port: int) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(executor.run(), name="executor")
        if health_port:
            serving = endpoints.serve(Health(executor).answer, host=health_host, port=health_port)
            tasks.create_task(serving, name="endpoints")


def wall() -> str:
    """Now, for people's eyes."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="backstay-fencer",
        description="Carries out FenceRequests with Debian's fence agents and tests every fence path.",
    )
    parser.add_argument("--kubeconfig", default=None, help="file to use instead of the Pod's identity or $KUBECONFIG")
    parser.add_argument("--context", default=None, help="context of the kubeconfig")
    parser.add_argument("--log-format", choices=("text", "json"), default=os.environ.get("BACKSTAY_LOG_FORMAT", "text"))
    parser.add_argument("--health-host", default="0.0.0.0", help="(default: %(default)s)")
    parser.add_argument(
        "--health-port",
        type=int,
        default=int(os.environ.get("BACKSTAY_HEALTH_PORT", "0")),
        help="0: none (the default)",
    )
    parser.add_argument("--verbose", action="store_true", help="log at debug level")
    return parser


if __name__ == "__main__":
    sys.exit(main())
