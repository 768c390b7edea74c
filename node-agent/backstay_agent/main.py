"""The agent as a process: reads its configuration, takes the lock, tells systemd, and runs until it is told to end.

Whatever ends it (SIGTERM, SIGKILL, a broken invariant), nothing that it manages is stopped: systemd starts it again, and it
adopts what runs. Only when the whole machine goes down it stops and releases what it holds first (`shutdown.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import random
import signal
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from backstay_api import VERSION
from backstay_api.client.http import HttpApi
from backstay_api.client.kubeconfig import NoConfig
from backstay_api.process import logs
from backstay_api.process.garbage import collect_for_ever, postpone_full_collections

from . import host_checks
from .addresses import follow, own_addresses
from .agent import Agent, Machine, Settings
from .asked_surveys import AskedSurveys, looking
from .cluster.tokens import renew_token
from .config import Config, boot_id, facts, machine_uuid, read_config
from .core.leaving import why_not_stop
from .core.sessions import JournalState
from .drivers.tools.units import UnitFiles
from .health import HealthEndpoint
from .policy.main import main as policy
from .real import RealHostSystem
from .remove import remove
from .self_test import self_test
from .shutdown import leave, systemd_jobs
from .single_instance import alone
from .store.disk import RealDisk
from .store.journal import Journal
from .survey.main import main as survey
from .threads import live_and_exit

log = logging.getLogger(__name__)

EX_CONFIG: Final = 78
"""systemd does not start us again after this: `RestartPreventExitStatus=78`."""
STATUS_S: Final = 1.0
"""How often `systemctl status` is told how things stand."""


def main(arguments: list[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["survey"]:
        return survey(words[1:])
    if words[:1] == ["policy"]:
        return policy(words[1:])
    options = _options().parse_args(words)
    logs.set_up(style="json" if options.json_logs else "text", level="debug" if options.verbose else "info")
    if options.remove:
        return _remove(options.config)
    if options.command == "join":
        return _join(options)
    if options.may_stop:
        return _may_stop(*_folders(options.config))
    try:
        if options.self_test:
            return _self_test(options.config)
        config = read_config(options.config)
        if os.geteuid() != 0:
            raise NoConfig("the agent must be root: it starts units, and takes addresses")
        machine = Machine(host=config.host, boot_id=boot_id(), uuid=machine_uuid(config.machine_uuid_file))
    except NoConfig as error:
        log.error("the agent cannot start", extra={"why": str(error)})
        return EX_CONFIG
    with alone(config.run_dir, config.state_dir, wait=True):
        return live_and_exit(_run(config, machine))


def _folders(config: Path) -> tuple[Path, Path]:
    """Where the agent keeps what it must remember; where its configuration cannot be read, where most keep it."""
    try:
        known = read_config(config)
    except NoConfig:
        return Config.run_dir, Config.state_dir
    return known.run_dir, known.state_dir


def _remove(config: Path) -> int:
    why = remove(*_folders(config), UnitFiles())
    if why:
        log.error("drop-ins of the agent are not removed", extra={"why": why})
    return 1 if why else 0


def _join(options: argparse.Namespace) -> int:
    # Not at the top: an agent that runs never needs it.
    from .join.joining import Places, join

    return join(options.line, Places(options.config), options.machine_uuid_file, with_policy=options.policy)


def _self_test(config: Path) -> int:
    why = self_test(config)
    if why:
        log.error("this release does not work here", extra={"why": why})
    return 1 if why else 0


def _may_stop(run_dir: Path, state_dir: Path) -> int:
    """For the scripts of a package, and for whoever is about to stop the agent: 0 if that is harmless, else 1 and why."""
    try:
        journal = Journal(RealDisk(run_dir=run_dir, state_dir=state_dir), boot_id())
        found = asyncio.run(journal.load())
    except OSError as error:
        print(f"it cannot be seen what this host holds: {error}")
        return 1
    why = why_not_stop(journal.checkpoint if journal.has_session else None)
    if found.kept is JournalState.BROKEN:
        why = f"it cannot be seen what this host holds: {found.why}"
    print(why or "the agent may be stopped: this host holds nothing exclusive, or is in maintenance mode HandsOff")
    return 1 if why else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="backstay-agent",
        description="The Backstay agent of one host. `backstay-agent survey UNIT` instead says what a unit needs,"
        " `backstay-agent policy` what this host allows services to bring.",
    )
    parser.add_argument("--config", type=Path, default=Path("/etc/backstay/agent.json"))
    parser.add_argument("--remove", action="store_true", help="give this host's units back; the agent must be stopped")
    parser.add_argument(
        "--may-stop", action="store_true", help="say whether the agent may be stopped (exit code 0) or why not (1)"
    )
    parser.add_argument("--self-test", action="store_true", help="say whether this release works on this host")
    parser.add_argument("--version", action="version", version=VERSION)
    parser.add_argument("--json-logs", action="store_true", help="one JSON object a line")
    parser.add_argument("--verbose", action="store_true")
    joining = parser.add_subparsers(dest="command").add_parser(
        "join", help="become the host of a join token: backstay host join-token n1 | ssh n1 backstay-agent join -"
    )
    # Never the line itself: what stands in a list of processes is no secret.
    joining.add_argument("line", metavar="FILE", help="a file with the line of `backstay host join-token`; -: stdin")
    joining.add_argument(
        "--machine-uuid-file", default="", metavar="FILE", help="holds this machine's UUID, where the firmware has none"
    )
    joining.add_argument(
        "--policy",
        action="store_true",
        help="allow nothing that /etc/backstay/policy.d does not: writes a first file there",
    )
    return parser


async def _run(config: Config, machine: Machine) -> None:
    rng = random.Random()
    api = HttpApi(config.api, rng=rng)
    keeps = (config.run_dir, config.state_dir)
    system = RealHostSystem(rng=rng, keeps=keeps, mount_roots=config.mount_roots)
    agent = Agent(
        api,
        RealDisk(run_dir=config.run_dir, state_dir=config.state_dir),
        system,
        machine,
        rng=random.SystemRandom(),  # nonces must differ between machines that boot at the same moment
        settings=Settings(facts=facts(await own_addresses()), wall=_wall),
    )
    task = asyncio.current_task()
    assert task
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    log.info("agent started", extra={"host": machine.host, "boot": machine.boot_id})
    postpone_full_collections()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(agent.run(), name="agent")
        tasks.create_task(collect_for_ever(), name="garbage")
        await asyncio.sleep(0)
        tasks.create_task(_tell_systemd(agent), name="for systemd")
        tasks.create_task(_end_when_told(told, agent, task), name="end")
        tasks.create_task(follow(lambda found: agent.learn(addresses=found)), name="addresses")
        checks = host_checks.follow(agent.examined, keeps, wall_s=_wall_s, asked=lambda: agent.checks)
        tasks.create_task(checks, name="checks of the host")
        surveys = AskedSurveys(api, machine.host, looking(system.policy.unit_refusal), _wall, rng)
        tasks.create_task(surveys.run(), name="surveys")
        await _add_what_is_optional(tasks, config, agent, api)


async def _add_what_is_optional(tasks: asyncio.TaskGroup, config: Config, agent: Agent, api: HttpApi) -> None:
    if config.api.token_file:
        renewing = renew_token(
            api.lane("token"),
            Path(config.api.token_file),
            now_s=_wall_s,
            rng=random.Random(),
            told=lambda until_s: agent.learn(credential_until=_written(until_s)),
        )
        tasks.create_task(renewing, name="token")
    if config.health:
        tasks.create_task(HealthEndpoint(agent).serve(config.health), name="health")


async def _end_when_told(told: asyncio.Event, agent: Agent, life: asyncio.Task[None]) -> None:
    await told.wait()
    await leave(agent, systemd_jobs, _notify)
    life.cancel()


async def _tell_systemd(agent: Agent) -> None:
    """READY, then a sign of life at least in half the time that systemd allows, and what `systemctl status` shows."""
    _notify("READY=1")
    limit_us = os.environ.get("WATCHDOG_USEC")
    period_s = min(int(limit_us) / 2e6, STATUS_S) if limit_us else STATUS_S
    while True:
        line = agent.sentence().replace("\n", " ")
        _notify(f"WATCHDOG=1\nSTATUS={line[:1000]}")
        await asyncio.sleep(period_s)


def _notify(state: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.connect("\0" + address[1:] if address.startswith("@") else address)
        to.send(state.encode())


def _wall_s() -> float:
    return datetime.now(UTC).timestamp()


def _wall() -> str:
    # Six digits: that is how a Lease's renewTime must look.
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _written(wall_s: float) -> str:
    return datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    sys.exit(main())
