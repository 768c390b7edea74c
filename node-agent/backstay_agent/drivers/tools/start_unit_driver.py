"""What drivers have in common whose resources live in the unit of their start: it tells of their end, and remembers them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from backstay_agent.drivers.base import Plain, Seen

from . import start_units
from .manager import Manager
from .verified_stop import groups_of
from .wakeups import changes_of

if TYPE_CHECKING:
    from backstay_api.objects.plain import RenderedResource


class StartUnitDriver(Plain, ABC):
    """Drivers of kinds that are started by a program."""

    prefix: ClassVar[str]
    """Of the names of their units."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._asked: Counter[str] = Counter()
        """Checks that have not answered yet, by unit."""

    @abstractmethod
    def unit_of(self, resource: RenderedResource) -> str:
        """Name of the unit of its start. What is one thing on the host has one."""

    @abstractmethod
    async def period_s(self, resource: RenderedResource) -> float | None:
        """How often its check is asked; None: it has none."""

    @abstractmethod
    async def check(self, resource: RenderedResource) -> Seen: ...

    async def changes(self, resource: RenderedResource) -> AsyncGenerator[Seen, None]:
        """First what it is now, then every change: its unit and its control group tell, and its check is asked regularly."""
        unit = self.unit_of(resource)
        with start_units.as_start_failed(unit):
            period_s, look = await self.period_s(resource), partial(self.check, resource)
            async with aclosing(changes_of(self._manager, unit, look, period_s)) as seen:
                async for one in seen:
                    yield one

    async def groups(self, resource: RenderedResource) -> list[Path]:
        unit = self.unit_of(resource)
        return groups_of(unit, await self._manager.properties(unit))

    async def leftovers(self, *, run_is_intact: bool = False) -> list[RenderedResource]:
        """The resources of every start here that is not verifiably stopped, as they were when they were started."""
        return [*(await start_units.remembered(self._manager, self.prefix)).values()]
