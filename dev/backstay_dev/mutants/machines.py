"""Mutants of whose power it is: which machine each agent has named, asked before an `off` and for a proof (PROTOCOL 5)."""

from __future__ import annotations

from typing import Final

from .kinds import API, FENCER, UNIT, Mutant, one

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "before an off it is asked who names the same machine",
        f"{FENCER}/worker.py",
        'asked = [self._naming.ask()] if tried.action == "off" else []',
        'asked = [self._naming.ask()] if tried.action == "on" else []',
        f"{UNIT}/fencer/test_shared_uuid.py",
    ),
    one(
        "for the proof it is asked who names the same machine",
        f"{FENCER}/core.py",
        "    if facts.asked_s < reads[-1].off_since_s:\n",
        "    if not reads:\n",
        f"{UNIT}/fencer/test_core.py",
    ),
    one(
        "what was answered before it was read off is no answer for the proof",
        f"{FENCER}/core.py",
        "    since_s = reads[-1].off_since_s if was_off else read.ended_s\n",
        "    since_s = reads[-1].off_since_s if reads else read.ended_s\n",
        f"{UNIT}/fencer/test_core.py",
    ),
    one(
        "the question is put to the API server, not to the watch",
        f"{FENCER}/watches.py",
        "await self.assignments.catch_up(meta)",
        "pass",
        f"{UNIT}/fencer/test_shared_uuid.py",
    ),
    one(
        "an answer that is older than what was seen is none",
        f"{API}/client/informer.py",
        "        self._not_older(int(listing.resource_version), newest)\n",
        "",
        "tests/contract/test_informer.py",
    ),
    one(
        "what was deleted does not come back by a late answer",
        f"{API}/client/informer.py",
        "            if known is None and entry.meta.version <= (self._version or 0):\n",
        "            if False:\n",
        "tests/contract/test_informer.py",
    ),
)
