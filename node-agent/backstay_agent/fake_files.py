"""Files that services bring, on a machine in memory: a fake for tests and the simulator."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from backstay_api.objects.editions import Edition
from backstay_api.objects.plain import RenderedResource

from .drivers.base import NotInstalled, StartFailed


class Holding(Protocol):
    """What tests change of a FakeMachine."""

    files: dict[str, Edition]
    wrong: dict[str, str]
    unwritable: dict[str, str]
    told: list[str]
    hard_to_tell: dict[str, str]
    log: list[str]


class FakeInstaller:
    """`host_system.Installer` in memory. An agent may be killed before and after each effect."""

    def __init__(self, machine: Holding) -> None:
        self._machine = machine

    async def read(self, path: str) -> Edition:
        await asyncio.sleep(0)
        return self._machine.files.get(path, Edition())

    async def put(self, path: str, edition: Edition) -> None:
        await asyncio.sleep(0)
        if why := self._machine.unwritable.get(path):
            raise NotInstalled(f"{path} cannot be written: {why}")
        there = self._machine.files.get(path, Edition(None, "root", "root", "0644"))
        if edition.content is None:
            self._machine.files.pop(path, None)
        else:
            rights = edition.owner or there.owner, edition.group or there.group, edition.mode or there.mode
            self._machine.files[path] = Edition(edition.content, *rights)
        self._machine.log.append(f"put {path} {edition.content}")
        await asyncio.sleep(0)

    async def check(self, argv: Sequence[str], editions: Mapping[str, Edition]) -> str:
        await asyncio.sleep(0)
        said = [self._machine.wrong.get(one.content or "", "") for one in editions.values()]
        self._machine.log.append(f"check {' '.join(argv)}")
        return next(filter(None, said), "")

    async def tell(self, resource: RenderedResource) -> None:
        await asyncio.sleep(0)
        self._machine.told.append(resource.name)
        self._machine.log.append(f"reload {resource.name}")
        if why := self._machine.hard_to_tell.get(resource.name):
            raise StartFailed(why)
