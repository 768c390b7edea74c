"""Hundreds of hosts in one process: the real agent for each, with an API client and a token of its own, over machines that are fakes.

A machine runs for as long as nothing says in the folder of the power that it is off. Then its agent ends at the next await, without a word,
and what ran is gone; when it has power again, that is another boot.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from backstay_agent.agent import Agent, Machine, Settings
from backstay_agent.fake import FakeHostSystem, FakeMachine
from backstay_agent.store.disk import MemoryDisk
from backstay_api.client.api import Api
from backstay_api.client.http import HttpApi
from backstay_api.client.transport import ApiConfig
from backstay_api.process import logs
from backstay_api.process.garbage import collect_for_ever, postpone_full_collections

from .lives import Line
from .power import Power, uuid_of

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.02
"""How late a cut is noticed: that counts as ours."""
Note = Callable[[Line], None]


@dataclass
class FleetHost:
    """One machine, and the agent on it while it has power."""

    name: str
    api: Callable[[], Api]
    """Makes the client of one life of its agent."""
    note: Note
    disk: MemoryDisk = field(default_factory=MemoryDisk)
    boots: int = 0
    machine: FakeMachine = field(default_factory=FakeMachine)
    life: asyncio.Task[None] | None = None

    @property
    def is_on(self) -> bool:
        return self.life is not None

    def power_on(self, tasks: asyncio.TaskGroup) -> None:
        self.boots += 1
        self.disk.lose_run()
        self.machine = FakeMachine()
        self.machine.on_change = lambda what, runs: self.note(Line(time.monotonic(), self.name, what, runs))
        self.life = tasks.create_task(self._live(), name=self.name)

    def lose_power(self) -> None:
        """What runs first: from now on nobody is answered here."""
        assert self.life is not None
        for what in list(self.machine.running):
            self.machine.down(what)
        self.machine.on_change = lambda what, runs: None
        self.life.cancel()
        self.life = None

    async def _live(self) -> None:
        rng = random.SystemRandom()
        api, system = self.api(), FakeHostSystem(self.machine)
        machine = Machine(host=self.name, boot_id=f"{self.name}-boot-{self.boots}", uuid=uuid_of(self.name))
        try:
            await Agent(api, self.disk, system, machine, rng=rng, settings=Settings(wall=_wall)).run()
        finally:
            await api.close()


async def live(hosts: Sequence[FleetHost], power: Power) -> None:
    """Until cancelled, or until an agent dies of itself."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(collect_for_ever(), name="garbage")
        while True:
            off = power.off()
            for host in hosts:
                if host.is_on and host.name in off:
                    host.lose_power()
                elif not host.is_on and host.name not in off:
                    host.power_on(tasks)
            await asyncio.sleep(LOOK_EVERY_S)


def fleet(config: Path, note: Note) -> tuple[list[FleetHost], Power]:
    """As the bench has written it down: `{"server", "ca_file", "power", "tokens": {host: token}}`."""
    told = json.loads(config.read_text())
    hosts = [FleetHost(name, partial(_api, told, token), note) for name, token in told["tokens"].items()]
    return hosts, Power(Path(told["power"]))


def _api(told: Mapping[str, str], token: str) -> Api:
    config = ApiConfig(servers=(told["server"],), ca_file=told["ca_file"], token=lambda: token, user_agent="fleet")
    return HttpApi(config, rng=random.Random())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal."""
    parser = argparse.ArgumentParser(prog="fleet", description="Many hosts in one process; their machines are fakes.")
    parser.add_argument("config", type=Path)
    parser.add_argument("lives", type=Path, help="where each start and stop is written down")
    options = parser.parse_args(arguments)
    logs.set_up(style="text", level="warning")
    _allow_many_connections()
    postpone_full_collections()
    with options.lives.open("a", buffering=1) as lives:
        hosts, power = fleet(options.config, lambda line: print(line.text, file=lives))
        asyncio.run(live(hosts, power))
    return 0


def _allow_many_connections() -> None:
    """Three or four a host."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _wall() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


if __name__ == "__main__":
    sys.exit(main())
