"""`backstay-operator`: one replica as a process. It ends cleanly when asked, and with an error when it could go on only in part."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import random
import secrets
import socket
import sys
from collections.abc import Sequence
from typing import Final

from backstay_api.client.http import HttpApi
from backstay_api.client.transport import ApiConfig
from backstay_api.objects.names import OPERATOR_ACCOUNT, SYSTEM_NAMESPACE
from backstay_api.process import logs, service
from backstay_api.process.endpoints import serve
from backstay_api.process.service import environment, wall_ms
from backstay_operator.control.replica import Operator, Replica
from backstay_operator.control.serve.endpoints import Endpoints
from backstay_operator.control.watch.kopf_watch import KopfWatch
from backstay_operator.planner.know.world import Settings

log = logging.getLogger(__name__)

# Two threads share the interpreter: a heartbeat should not wait the usual 5 ms for kopf's turn to end.
_SWITCH_INTERVAL_S: Final = 0.001


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options = parse(arguments)
    logs.set_up(style=options.log_format, level=options.log_level)
    _quiet_kopf()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    return service.live("backstay-operator", options, lambda config: run_replica(config, options))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Options; each has an environment variable as its default, for the chart."""
    parser = service.parser("backstay-operator", "Decides where services run, and says why.", health_port="8080")
    parser.add_argument(
        "--namespace",
        default=environment("NAMESPACE", SYSTEM_NAMESPACE),
        help="of the leader Lease (default: %(default)s)",
    )
    parser.add_argument(
        "--identity",
        default=environment("IDENTITY", f"{socket.gethostname()}-{secrets.token_hex(3)}"),
        help="of this replica",
    )
    parser.add_argument(
        "--account",
        default=environment("ACCOUNT", OPERATOR_ACCOUNT),
        help="its ServiceAccount in that namespace, to tell people whom to let read their Secrets (default: %(default)s)",
    )
    parser.add_argument(
        "--standalone",
        action="store_true",
        default=environment("STANDALONE", "") == "true",
        help="known to be the only replica",
    )
    parser.add_argument("--without-kopf", action="store_true", help="watch through our own informers only")
    parser.add_argument(
        "--standbys", type=int, default=int(environment("STANDBYS", "3")), help="hosts kept ready for each instance"
    )
    parser.add_argument(
        "--fence-budget",
        type=int,
        default=int(environment("FENCE_BUDGET", "3")),
        help="fences an hour without a person",
    )
    parser.add_argument(
        "--fence-pause",
        type=float,
        default=float(environment("FENCE_PAUSE", str(Settings.fence_again_s))),
        metavar="SECONDS",
        help="a host that was fenced is fenced again so much later at the earliest, then twice as long (default: %(default)s)",
    )
    parser.add_argument(
        "--topology-keys",
        default=environment("TOPOLOGY_KEYS", ""),
        metavar="KEY,…",
        help="labels of hosts, such as a rack's: services say too whether they would survive the loss of all with one value",
    )
    parser.add_argument("--log-level", default=environment("LOG_LEVEL", "info"))
    return parser.parse_args(arguments)


def _quiet_kopf() -> None:
    """It tells every attempt of every request as an error: ours say it once."""
    for chatty in ("kopf", "aiohttp", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    for retrying in ("kopf._cogs.clients.watching", "kopf._core.reactor.observation"):
        logging.getLogger(retrying).addFilter(lambda record: "will retry" not in record.getMessage())


async def run_replica(config: ApiConfig, options: argparse.Namespace) -> None:
    """All of one replica: API, watches, loop, endpoints."""
    rng = random.Random()
    api = HttpApi(config, rng=rng)
    settings = Settings(
        standbys=options.standbys,
        fence_budget=options.fence_budget,
        fence_again_s=options.fence_pause,
        topology_keys=tuple(filter(None, options.topology_keys.split(","))),
    )
    replica = Replica(
        identity=options.identity,
        wall=wall_ms,
        rng=rng,
        settings=settings,
        namespace=options.namespace,
        account=options.account,
        standalone=options.standalone,
    )
    operator = Operator(api, replica)
    if not options.without_kopf:
        operator.source = KopfWatch(config, operator.cache, operator.informers, operator.counters, rng=rng)
    log.info("operator starts", extra={"identity": options.identity, "server": config.servers[0]})
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(api.close)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(operator.run(), name="operator")
            if options.health_port:
                serving = serve(Endpoints(operator).answer, host=options.health_host, port=options.health_port)
                tasks.create_task(serving, name="endpoints")


if __name__ == "__main__":
    sys.exit(main())
