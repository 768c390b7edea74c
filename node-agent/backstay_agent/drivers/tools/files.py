"""Puts files in place on this very host, and has them checked and read: by a process that may hang, and by systemd."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from backstay_agent.drivers.base import NotInstalled, StartFailed
from backstay_agent.drivers.tools import installing, private_view
from backstay_api.objects.editions import Edition
from backstay_api.objects.plain import RenderedResource

from .bus import BusError
from .file_system_looks import NoAnswer, look
from .manager import Manager
from .reloading import reload
from .transient import missing, run_once

LIMIT_S: Final = 10.0
CHECK_S: Final = 30.0
RELOAD_S: Final = 60.0
_numbers = itertools.count(1)


class RealInstaller:
    """`host_system.Installer` of this very host."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    async def read(self, path: str) -> Edition:
        try:
            return await look(f"{path} (in place)", partial(installing.read_there, path), limit_s=LIMIT_S)
        except (NoAnswer, OSError) as error:
            raise NotInstalled(_told(path, error)) from error

    async def put(self, path: str, edition: Edition) -> None:
        # Never two at once, and none that is only joined: what hangs must not come later over what was put there since.
        try:
            await look(f"{path} (put)", partial(installing.install, path, edition), limit_s=LIMIT_S)
        except (NoAnswer, OSError) as error:
            raise NotInstalled(_told(path, error)) from error
        if not edition.is_seen_in(await self.read(path)):
            raise NotInstalled(f"{path} is not as it was put there: another write to it was under way")

    async def check(self, argv: Sequence[str], editions: Mapping[str, Edition]) -> str:
        view = private_view.VIEWS / str(next(_numbers))
        try:
            if why := await missing(argv):
                raise NotInstalled(why)  # nobody has called it wrong yet
            laid = await look(f"{view} (view)", partial(private_view.make_view, view, editions), limit_s=LIMIT_S)
            binds = [(copy, folder, False, 0) for copy, folder in laid]
            ended = await run_once(
                self._manager,
                "backstay-validate",
                argv,
                CHECK_S,
                more=[("BindReadOnlyPaths", ("a(ssbt)", binds)), ("MemoryMax", ("t", 512 << 20))],
                wait_s=CHECK_S + LIMIT_S,
            )
        except (NoAnswer, OSError, BusError) as error:
            raise NotInstalled(f"{argv[0]} could not check it: {error}") from error
        finally:
            await self._remove(view)
        return "" if ended.exit_code == 0 else ended.why

    async def _remove(self, view: Path) -> None:
        try:
            await look(f"{view} (gone)", partial(private_view.remove_view, view), limit_s=LIMIT_S)
        except (NoAnswer, OSError):
            return  # /run is emptied at the next boot

    async def tell(self, resource: RenderedResource) -> None:
        if resource.systemd is None:
            raise StartFailed(f"{resource.name} is no unit, and cannot be reloaded")
        try:
            await reload(self._manager, resource.systemd.unit, RELOAD_S)
        except (BusError, OSError) as error:
            raise StartFailed(f"{resource.systemd.unit} was not reloaded: {error}") from error


def _told(path: str, error: Exception) -> str:
    return str(error) if isinstance(error, NoAnswer) else f"{path} cannot be read or written: {error}"
