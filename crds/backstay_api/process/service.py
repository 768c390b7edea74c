"""What operator and fencer have in common as processes: their first options, where the API server is, and how they end."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from backstay_api import VERSION
from backstay_api.client.kubeconfig import NoConfig, load
from backstay_api.client.transport import ApiConfig

from .garbage import collect_for_ever, postpone_full_collections

log = logging.getLogger(__name__)


def parser(name: str, description: str, *, health_port: str) -> argparse.ArgumentParser:
    """The options that both know. `health_port`: where it tells of its health unless told otherwise."""
    found = argparse.ArgumentParser(prog=name, description=description)
    found.add_argument("--version", action="version", version=VERSION)
    found.add_argument("--kubeconfig", help="a file, in place of the Pod's identity or $KUBECONFIG")
    found.add_argument("--context", help="a context of the kubeconfig")
    found.add_argument("--log-format", choices=("text", "json"), default=environment("LOG_FORMAT", "text"))
    host, port = environment("HEALTH_HOST", "0.0.0.0"), environment("HEALTH_PORT", health_port)
    found.add_argument("--health-host", default=host, help="(default: %(default)s)")
    found.add_argument("--health-port", type=int, default=port, help="0: none (default: %(default)s)")
    return found


def environment(name: str, default: str) -> str:
    """An option's default, which the chart gives."""
    return os.environ.get(f"BACKSTAY_{name}", default)


def wall() -> str:
    """The time for people, as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def wall_ms() -> str:
    """The same to the millisecond, for timelines."""
    return f"{datetime.now(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def live(name: str, options: argparse.Namespace, life: Callable[[ApiConfig], Coroutine[Any, Any, None]]) -> int:
    """Until SIGTERM or SIGINT (exit code 0), or until a part of it ends by itself (1). 2: it cannot start as configured."""
    # It would hold tokens, and the passwords of devices.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        config = load(path=options.kubeconfig, context=options.context, user_agent=name)
    except NoConfig as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    return asyncio.run(_until_asked(name, life(config)))


async def _until_asked(name: str, life: Coroutine[Any, Any, None]) -> int:
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    postpone_full_collections()
    collecting = asyncio.create_task(collect_for_ever(), name="garbage")
    running = asyncio.create_task(life, name=name)
    waiting = asyncio.create_task(asked.wait(), name="until asked to end")
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    collecting.cancel()
    if not running.done():
        log.info("this process was asked to end by a signal")
        running.cancel()
        await asyncio.wait({running})
        return 0
    log.critical("a task ended unexpectedly, exiting", exc_info=running.exception())
    return 1
