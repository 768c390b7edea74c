"""How far the data on each host goes, as a command says it: something is written all the time, so that no number ever rests."""

from __future__ import annotations

import asyncio
from typing import Final

COMMAND: Final = "/data/position"
WRITES_A_SECOND: Final = 3


class Positions(dict[str, int]):
    """What commands say on one host. Each copy lags behind by something of its own."""

    def __init__(self, host: str) -> None:
        super().__init__()
        self._lag = sum(map(ord, host)) % 7

    def __contains__(self, name: object) -> bool:
        return name == COMMAND or super().__contains__(name)

    def __getitem__(self, name: str) -> int:
        if name != COMMAND:
            return super().__getitem__(name)
        return 10 + int(asyncio.get_running_loop().time() * WRITES_A_SECOND) - self._lag
