"""Mutants of stops that do not succeed: who says so, and which hosts that live are sealed for it (PROTOCOL 4 and 7)."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, PLANNER, STORIES, UNIT, Mutant, one

_STUCK: Final = f"{PLANNER}/judge/stuck.py"
_TABLE: Final = (f"{UNIT}/planner/judge/test_stuck.py",)

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "a host that lives is sealed only for what it says it cannot stop",
        _STUCK,
        " or not report.unstoppable or report.released:",
        " or report.released:",
        *_TABLE,
    ),
    one(
        "… and only where the manifest says Fence",
        _STUCK,
        '    is_asked = recovery is not None and recovery.on_stop_failure == "Fence"',
        "    is_asked = recovery is not None or service is not None",
        *_TABLE,
    ),
    one(
        "who is lost comes before who lives",
        _STUCK,
        "sorted((storm.lost | storm.alive) - {host})",
        "sorted(storm.alive - {host})",
        *_TABLE,
        f"{STORIES}/test_text.py",
    ),
    one(
        "one host at a time is sealed for a stop",
        _STUCK,
        "sorted((storm.lost | storm.alive) - {host})",
        "sorted(storm.lost - {host})",
        *_TABLE,
    ),
    one(
        "of two hosts at once the second waits",
        _STUCK,
        "next((name for name, one in found.items() if not one.why_not), ",
        "next((name for name in () if name), ",
        *_TABLE,
    ),
    one(
        "a host that lives is sealed only where what is stuck could go elsewhere",
        _STUCK,
        "why_nobody_follows(world, host, keys)",
        "why_nobody_follows(world, host, held(world, host))",
        *_TABLE,
    ),
    one(
        "a host that lives is not sealed while its fence path is not known to work",
        _STUCK,
        "    if why := _untested(world, host):",
        '    if why := "" if has_no_means(host) else "no":',
        *_TABLE,
    ),
    one(
        "what else runs there is stopped in order first",
        _STUCK,
        '    return any(report and not report.released and report.phase != "Stuck" for report in reports)',
        "    return not any(reports) and False",
        *_TABLE,
    ),
    one(
        "… for a bounded time",
        _STUCK,
        " or world.now_s - sealed_since_s(seen) >= world.settings.orderly_s:",
        ":",
        *_TABLE,
    ),
    one(
        "nobody is fenced for a stop while the machine goes down",
        _STUCK,
        "    if how := shutting_down(world, host):",
        '    if how := "" if shutting_down(world, host) else "":',
        *_TABLE,
    ),
    one(
        "a host that lives never has the last place in the budget",
        f"{PLANNER}/judge/budget.py",
        'is kept for hosts that are lost" if room == 1 else ""',
        'is kept for hosts that are lost" if room == 0 else ""',
        *_TABLE,
    ),
    one(
        "who was sealed though it renewed is no part of a storm",
        f"{PLANNER}/judge/storm.py",
        "        return not seen.lease.sealed_alive and _is_fresh(world, seen)",
        "        return _is_fresh(world, seen)",
        f"{UNIT}/planner/judge/test_storm.py",
        f"{STORIES}/test_text.py",
    ),
    one(
        "what failed once may be stopped yet",
        f"{AGENT}/core/patience.py",
        "STOPS: Final = 2",
        "STOPS: Final = 1",
        f"{UNIT}/agent/test_stories.py",
    ),
    one(
        "what is stopped and not recorded is not unstoppable",
        f"{AGENT}/run/stopping.py",
        "self.failed = 0 if self.unrecorded else self.failed + 1",
        "self.failed += 1",
        f"{UNIT}/agent/test_full_disk.py",
    ),
    one(
        "a host that lives is not sealed while anything stands against it",
        f"{PLANNER}/do/fences.py",
        "    if found is None or found.why_not:\n",
        "    if found is None:\n",
        *_TABLE,
    ),
)
