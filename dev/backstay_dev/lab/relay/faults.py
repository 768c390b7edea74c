"""The relay's faults: which stand, whom they meet, how often they have, and when they are over."""

import asyncio
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from backstay_dev.lab.relay.http import Head
from backstay_dev.lab.relay.relay import Fault, Kind


@dataclass
class Active:
    number: int
    fault: Fault
    left: int | None
    ends_s: float | None
    dice: random.Random
    over: asyncio.Event

    def meets(self, source: str, head: Head | None) -> bool:
        fault = self.fault
        if fault.source is not None and fault.source != source:
            return False
        if head is None:
            return fault.path is None and fault.method is None
        if fault.method is not None and fault.method != head.method:
            return False
        return fault.path is None or re.search(fault.path, head.target) is not None


class Faults:
    def __init__(self) -> None:
        self._active: dict[int, Active] = {}
        self._hits: Counter[int] = Counter()
        self._next = 1

    def add(self, fault: Fault) -> int:
        number, self._next = self._next, self._next + 1
        loop = asyncio.get_running_loop()
        ends_s = None if fault.for_s is None else loop.time() + fault.for_s
        dice = random.Random(fault.seed)
        self._active[number] = Active(number, fault, fault.count, ends_s, dice, asyncio.Event())
        if fault.for_s is not None:
            loop.call_later(fault.for_s, self.remove, number)
        return number

    def remove(self, number: int) -> None:
        active = self._active.pop(number, None)
        if active is not None:
            active.over.set()

    def clear(self) -> None:
        for number in list(self._active):
            self.remove(number)

    def hits(self, number: int) -> int:
        return self._hits[number]

    async def over(self, number: int) -> None:
        """Come back when this fault no longer stands."""
        if number in self._active:
            await self._active[number].over.wait()

    def standing(self, source: str, head: Head | None, kinds: set[Kind]) -> list[Active]:
        """Those that meet such a request, without counting it as a hit."""
        return [one for one in self._active.values() if one.fault.kind in kinds and one.meets(source, head)]

    def refuses(self, source: str) -> bool:
        for active in self.standing(source, None, {Kind.REFUSE}):
            self._hit(active)
            return True
        return False

    def take(self, source: str, head: Head, kinds: set[Kind], *, at_most: int = 100) -> Iterator[Active]:
        """Those that hit this very request: counted, and gone when they have hit often enough."""
        for active in self.standing(source, head, kinds):
            if at_most > 0 and active.dice.random() < active.fault.chance:
                at_most -= 1
                self._hit(active)
                yield active

    def _hit(self, active: Active) -> None:
        self._hits[active.number] += 1
        if active.left is not None:
            active.left -= 1
            # One that hangs must stand as long as it holds somebody.
            if active.left <= 0 and active.fault.kind is not Kind.HANG:
                self.remove(active.number)
