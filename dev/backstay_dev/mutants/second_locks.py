"""Mutants of what is held once more where it is written, sent or read back: the last place before it would go wrong."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, CONTROL, FENCER, PLANNER, UNIT, Mutant, one

_APPLY: Final = (f"{UNIT}/control/act/test_apply.py", f"{UNIT}/control/act/test_apply_grants.py")
_TWO_FILES: Final = f"{UNIT}/agent/store/test_two_files.py"

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "of a text in two files half is not believed",
        f"{AGENT}/store/two_files.py",
        "if newest.number > 0 and not all(half.is_there for half in halves):",
        "if False:",
        _TWO_FILES,
    ),
    one(
        "a text that was altered is not believed",
        f"{AGENT}/store/two_files.py",
        "if any(half.is_bad for half in halves):",
        "if all(half.is_bad for half in halves):",
        _TWO_FILES,
    ),
    one(
        "what the API server will never take is not sent for ever",
        f"{AGENT}/core/refused.py",
        "return isinstance(error, Invalid) or is_too_large",
        "return isinstance(error, Invalid)",
        f"{UNIT}/agent/core/test_refused.py",
    ),
    one(
        "of too many instances those are told of that may run",
        f"{AGENT}/core/brief_status.py",
        'key=lambda item: item[1].phase in ("Stopped", "Failed"))',
        'key=lambda item: item[1].phase not in ("Stopped", "Failed"))',
        f"{UNIT}/agent/test_understanding.py",
    ),
    one(
        "the shortest status tells of all that may run",
        f"{AGENT}/core/brief_status.py",
        "            for uid, report in status.instances.items()\n",
        "            for uid, report in status.instances.items() if not report.why\n",
        f"{UNIT}/agent/test_understanding.py",
    ),
    one(
        "an answer is for those who asked before the question",
        f"{FENCER}/shared.py",
        "if self._ended <= before:",
        "if self._ended < before:",
        f"{UNIT}/fencer/test_shared.py",
    ),
    one(
        "of two fencers one works",
        f"{FENCER}/replica.py",
        "return self._is_alone or self.leader.leads()",
        "return True",
        f"{UNIT}/fencer/test_two_fencers.py",
    ),
    one(
        "a question that has no answer is none",
        f"{FENCER}/naming.py",
        '            return f"which machines other hosts name could not be read ({error})"\n',
        "            return str(error)[:0]\n",
        f"{UNIT}/fencer/test_shared_uuid.py",
    ),
    one(
        "orders that are too large are never sent",
        f"{CONTROL}/act/checks.py",
        "    if size > MOST_BYTES:\n",
        "    if False:\n",
        *_APPLY,
    ),
    one(
        "a step of a grant that no rule allows is never sent",
        f"{CONTROL}/act/checks.py",
        "        assert kept, ",
        "        assert kept or after, ",
        *_APPLY,
    ),
    one(
        "a service does not bounce between two bad hosts",
        f"{PLANNER}/judge/retries.py",
        "if is_new or (wait_s <= 0 and (ask.retry or not here)):",
        "if is_new or wait_s <= 0 or not here:",
        f"{UNIT}/planner/judge/test_failures.py",
        f"{UNIT}/planner/judge/test_judges.py",
        f"{UNIT}/planner/judge/test_where.py",
    ),
    one(
        "what is not carried out yet is refused",
        f"{PLANNER}/judge/unsupported.py",
        "            if value not in (None, [], {}, *allowed):\n",
        "            if False:\n",
        f"{UNIT}/planner/judge/test_acceptance.py",
    ),
)
