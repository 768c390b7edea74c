"""Mutants of the agent that holds a session: journal, heartbeat, orders, attempts (PROTOCOL 3 and 7)."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, UNIT, Mutant, one

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "a session that is published is not published again",
        f"{AGENT}/core/sessions.py",
        ("    if is_same(stored, books.session):\n        return Published(stored.seq)\n"),
        "",
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "supersedes are of this boot",
        f"{AGENT}/core/sessions.py",
        "if stored and stored.boot_id == books.boot_id else ()",
        "if stored else ()",
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "a lease of a newer session is not taken",
        f"{AGENT}/core/sessions.py",
        ("    return Hold.TAKE if lease.seq < mine.seq else Hold.LOST\n\n\ndef why"),
        ("    return Hold.TAKE\n\n\ndef why"),
        f"{UNIT}/agent/test_core.py",
    ),
    one(
        "after a conflict the Lease is read again",
        f"{AGENT}/cluster/heartbeat.py",
        ("            except Conflict:\n                self._known = None\n"),
        "            except Conflict:\n",
        f"{UNIT}/agent/test_trouble.py",
    ),
    one(
        "a write that may have been carried out is read again",
        f"{AGENT}/cluster/heartbeat.py",
        ("        if not isinstance(error, Unreachable):\n            self._known = None\n"),
        "",
        f"{UNIT}/agent/test_trouble.py",
    ),
    one(
        "the pace is the faster of wish and contract",
        f"{AGENT}/cluster/heartbeat.py",
        "        faster = min(self._wanted, self._obeyed,",
        "        faster = max(self._wanted, self._obeyed,",
        f"{UNIT}/agent/test_trouble.py",
    ),
    one(
        "the last words are waited for",
        f"{AGENT}/agent.py",
        "                await self.link.until_said(_said_all)",
        "                pass",
        f"{UNIT}/agent/test_leaves.py",
    ),
    one(
        "hands off is obeyed before any order",
        f"{AGENT}/run/supervisor.py",
        "                await self._obey_hands_off()\n",
        "",
        f"{UNIT}/agent/test_people.py",
    ),
    one(
        "a machine that goes down waits until everything is stopped",
        f"{AGENT}/run/supervisor.py",
        "        while (left := self._open_ones()) and not self._journal.books.hands_off:",
        "        while False and (left := self._open_ones()):",
        f"{UNIT}/agent/test_leaves.py",
    ),
    one(
        "hands off: the gate is opened only for what was granted",
        f"{AGENT}/run/runner.py",
        (
            "        elif refused := self._refused(record, self._tools.journal.books):\n"
            "            raise MayNot(refused.why)\n"
        ),
        "",
        f"{UNIT}/agent/test_people.py",
    ),
)
