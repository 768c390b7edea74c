"""Our share of what systemd can keep track of for others.

For each unit that a client has it keep in memory, and for each job that a client has queued, systemd listens for the end of that client,
with a rule of its own at the bus. The bus allows 512 rules a connection; with one more, systemd loses its connection, and every call of
everybody that waits for an answer fails. So what we do at a time is bounded: each start, each stop and each program has one unit kept and
one job queued, and takes its turn before its own time limit begins. Starts wait for programs and stops, programs for stops, and stops for
nobody: so there is always one that goes on.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

MOST_STARTS: Final = 48
MOST_PROGRAMS: Final = 48
"""What runs to its end in a unit of its own: checks, stops by a command, mounts, actions of OCF agents."""
MOST_STOPS: Final = 48
MOST_WATCHED: Final = 96
"""Units that are kept only to see what becomes of them. Of one more it may be forgotten why it ended, if it ended well."""
MOST_LINGERING: Final = 160
"""Units that are kept in all, up to which those that are done with are kept for a moment."""
LINGER_S: Final = 1.0
"""From the end of a stop to the start that follows it, with what is looked at between."""


class Kept:
    """Units that systemd keeps in memory for us, by object path, over one connection."""

    def __init__(self, post: Callable[[str, str], None]) -> None:
        """`post`: calls a method of the unit at an object path."""
        self._post = post
        self._held: Counter[str] = Counter()

    @property
    def count(self) -> int:
        return len(self._held)

    def keep(self, path: str, *, only_watched: bool) -> bool:
        """While it is kept systemd does not forget why it failed, nor read it from disk again for each question. Says whether it is."""
        if only_watched and path not in self._held and self.count >= MOST_WATCHED:
            return False
        self._held[path] += 1
        self._post(path, "Ref")
        return True

    def release(self, path: str, *, at_once: bool) -> None:
        """Who stops a unit may start it next: where there is room, it is kept until then."""
        if at_once or self.count > MOST_LINGERING:
            self._release(path)
        else:
            asyncio.get_running_loop().call_later(LINGER_S, self._release, path)

    def _release(self, path: str) -> None:
        self._held[path] -= 1
        if not self._held[path]:
            del self._held[path]
        self._post(path, "Unref")
