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

from backstay_api import kubeconfig, logs
from backstay_api.http import HttpApi

from .agents import RealAgents
from .executor import Executor

log = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Run until a signal. Exit code 0: asked to stop; 1: something essential died; 2: cannot start as configured."""
    options = _parser().parse_args(argv)
    logs.set_up(json_lines=options.log_format == "json", verbose=options.verbose)
    try:
        config = kubeconfig.load(path=options.kubeconfig, context=options.context, user_agent="backstay-fencer")
    except kubeconfig.NoConfig as error:
        print(f"backstay-fencer: {error}", file=sys.stderr)
        return 2
    return asyncio.run(serve(HttpApi(config, rng=random.Random())))


async def serve(api: HttpApi) -> int:
    """Serve until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    executor = Executor(api, RealAgents(), rng=random.Random(), wall=wall)
    work = asyncio.create_task(executor.run(), name="executor")
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    log.info("fencer started")
    try:
        await work
    except asyncio.CancelledError:
        log.info("fencer stopped")
        return 0
    except ExceptionGroup:
        log.exception("fencer died")
        return 1
    finally:
        await api.close()
    return 1


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
    parser.add_argument("--verbose", action="store_true", help="log at debug level")
    return parser


if __name__ == "__main__":
    sys.exit(main())
