"""Mutants of prerequisites: what is right, what is only older, what the chosen host looks at once more."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, PLANNER, UNIT, Mutant, one

_TABLE: Final = f"{UNIT}/planner/judge/test_prerequisites.py"
_TREES: Final = f"{UNIT}/agent/drivers/test_tree_looks.py"
_TOLD: Final = f"{UNIT}/planner/tell/test_other_hosts.py"
_ACCEPTED: Final = f"{UNIT}/planner/judge/test_accepted_drift.py"
_WHERE: Final = f"{UNIT}/planner/judge/test_where.py"
_STORIES: Final = "tests/stories/test_text.py"

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "a gate that only warns keeps nobody from being chosen",
        f"{PLANNER}/judge/prerequisites.py",
        '(resource.gate or kind.gate) != "Warn"',
        "True",
        _TABLE,
    ),
    one(
        "what is missing is told from what differs",
        f"{PLANNER}/judge/prerequisites.py",
        'drift=kind.drift if found.facts else "")',
        "drift=kind.drift)",
        _TOLD,
    ),
    one(
        "of several hosts the reason is what a person must mend",
        f"{PLANNER}/tell/other_hosts.py",
        "(one for one in REASONS if",
        "(one for one in reversed(REASONS) if",
        _TOLD,
    ),
    one(
        "what is older has run well for a minute",
        f"{PLANNER}/judge/prerequisites.py",
        ">= PROVEN_S",
        ">= 0",
        _TABLE,
    ),
    one(
        "what runs is not moved to what is older",
        f"{PLANNER}/judge/prerequisites.py",
        "instance, host) if one.is_older]",
        "instance, host) if False]",
        _TABLE,
    ),
    one(
        "what fails is moved to what is older",
        f"{PLANNER}/judge/prerequisites.py",
        ' or (report is not None and report.phase == "Failed"):',
        ":",
        _TABLE,
    ),
    one(
        "a package is never older",
        f"{PLANNER}/judge/prerequisites.py",
        "not kind.may_be_older or ",
        "",
        _TABLE,
    ),
    one(
        "the chosen host looks once more before it starts",
        f"{AGENT}/run/tools.py",
        "if record.begun_at_s else tools.drifted(record)",
        "if record.begun_at_s else _nothing(record)",
        _STORIES,
        "sim:drift:20",
    ),
    one(
        "a host that has another copy is granted nothing",
        f"{PLANNER}/judge/judges.py",
        "instance, facts.name) if one.blocks]",
        "instance, facts.name) if False]",
        "sim:drift:60",
    ),
    one(
        "what has run on a host may be restarted there whatever was edited",
        f"{AGENT}/run/tools.py",
        "tools.take_back(record) if record.begun_at_s else tools.drifted(record)",
        "tools.drifted(record)",
        f"{UNIT}/agent/run/test_tools.py",
    ),
    one(
        "hosts that lack a prerequisite keep no other from being asked",
        f"{PLANNER}/judge/placement.py",
        "    return False if any(one.is_known for one in lacks) else None if lacks else True\n",
        "    return True\n",
        _TABLE,
    ),
    one(
        "before it is known what they are held against nobody else is asked",
        f"{PLANNER}/judge/placement.py",
        "    if lacks and ask.holder and not seen_on(",
        "    if False and not seen_on(",
        _TABLE,
    ),
    one(
        "what an earlier life was ordered by what was found here is looked at again before its start",
        f"{AGENT}/agent.py",
        "        if record.expects:\n",
        "        if False:\n",
        f"{UNIT}/agent/test_trouble.py",
    ),
    one(
        "what is found out about other copies counts for nothing",
        f"{PLANNER}/judge/where.py",
        "facts = [sorted(each.items()) for each in pair.facts]",
        "facts = []",
        _WHERE,
    ),
    one(
        "an entry that only one host has is named by the one that comes first",
        f"{PLANNER}/judge/where.py",
        "_order(here) < _order(there)",
        "_order(here) > _order(there)",
        _WHERE,
    ),
    one(
        "a digest can be read by two agents alone",
        f"{AGENT}/standby/teller.py",
        "hashlib.blake2b(about, key=secret,",
        "hashlib.blake2b(about, key=b'',",
        f"{UNIT}/agent/standby/test_teller.py",
    ),
    one(
        "a word is told only of what everybody may read",
        f"{AGENT}/drivers/tools/lines.py",
        "shows_words=is_open",
        "shows_words=True",
        f"{UNIT}/agent/drivers/test_parts.py",
    ),
    one(
        "what was written a moment ago is read again",
        f"{AGENT}/drivers/tools/trees.py",
        "> SETTLED_NS",
        "> -1",
        _TREES,
    ),
    one(
        "a folder above its limits is not compared in part",
        f"{AGENT}/drivers/tools/trees.py",
        "if self._files > self._spec.max_files:",
        "if False:",
        _TREES,
    ),
    one(
        "an accepted difference is one beside exactly that other copy",
        f"{PLANNER}/know/accepted_drift.py",
        "(mine == here and there.fingerprint == self.reference)",
        "(mine == here)",
        _ACCEPTED,
    ),
    one(
        "an accepted difference is one of exactly that copy",
        f"{PLANNER}/know/accepted_drift.py",
        "return (mine == here and",
        "return (self.host == here.host and",
        _ACCEPTED,
    ),
    one(
        "an accepted difference holds whichever of the two runs the service",
        f"{PLANNER}/know/accepted_drift.py",
        "mine == there and here.fingerprint == self.reference",
        "False",
        _ACCEPTED,
    ),
    one(
        "what is accepted is written letter for letter as we write it",
        f"{PLANNER}/know/accepted_drift.py",
        " and word.line == line else",
        " else",
        _ACCEPTED,
    ),
    one(
        "what is accepted is no reason against a host",
        f"{PLANNER}/judge/prerequisites.py",
        "tuple(one for one in found if one.accepted is None)",
        "tuple(found)",
        _ACCEPTED,
    ),
    one(
        "the chosen host starts with what was accepted",
        f"{PLANNER}/judge/prerequisites.py",
        "if here and not is_fit:",
        "if False:",
        _ACCEPTED,
    ),
    one(
        "what is missing cannot be accepted",
        f"{PLANNER}/judge/prerequisites.py",
        "found.verdict not in (",
        "found.verdict in (",
        _ACCEPTED,
    ),
    one(
        "of an accepted difference what the manifest declares is no part",
        f"{PLANNER}/judge/prerequisites.py",
        "if name not in kind.declared(spec)}\n    return ComparedCopy",
        "}\n    return ComparedCopy",
        _ACCEPTED,
    ),
)
