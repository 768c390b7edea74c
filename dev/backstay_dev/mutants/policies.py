"""Mutants of the policy of a host and of ServiceClasses: where they are asked, and what they let through."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, API, PLANNER, UNIT, Mutant, one

_ASKED: Final = f"{UNIT}/agent/test_policy.py"
_WORDS: Final = f"{UNIT}/api/objects/test_policies.py"
_FILES: Final = f"{UNIT}/agent/policy/test_policy_files.py"
_CLASSES: Final = f"{UNIT}/planner/judge/test_service_classes.py"
_BOUNDS: Final = f"{UNIT}/planner/judge/test_class_bounds.py"
_STORIES: Final = "tests/stories/test_text.py"
_JUDGE: Final = f"{PLANNER}/judge/service_classes.py"

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "the policy is asked before an order is taken",
        f"{AGENT}/run/supervisor.py",
        'self._received.spec.instances.items() if order.want == "Up"}',
        'self._received.spec.instances.items() if order.want == "Never"}',
        _ASKED,
        quick=True,
    ),
    one(
        "the policy is asked before a start",
        f"{AGENT}/run/runner.py",
        "        resources, revision = record.wanted, record.revision\n        await must_be_fit(self._tools, record, resources, self._say)\n",
        "        resources, revision = record.wanted, record.revision\n",
        _ASKED,
    ),
    one(
        "the policy is asked before a restart in place",
        f"{AGENT}/run/restarting.py",
        "        await must_be_allowed(self._tools, record, record.resources, self._say, is_known=True)\n",
        "",
        _ASKED,
    ),
    one(
        "what runs is restarted though a file is broken",
        f"{AGENT}/run/restarting.py",
        "record.resources, self._say, is_known=True)",
        "record.resources, self._say)",
        _ASKED,
    ),
    one(
        "the policy is asked before a standby is secured",
        f"{AGENT}/standby/readiness.py",
        "            if refused:\n                raise StartFailed(refused)\n",
        "",
        _ASKED,
    ),
    one(
        "…and before a unit is that is only to wait",
        f"{AGENT}/standby/standbys.py",
        " for unit in units if not self._policy.unit_refusal(unit)",
        " for unit in units",
        _ASKED,
    ),
    one(
        "the policy is asked before a command of a manifest says whether it runs",
        f"{AGENT}/standby/readiness.py",
        "            if refused and runs_programs(resource):\n",
        "            if False:\n",
        _ASKED,
    ),
    one(
        "the inventory lists nothing that is refused",
        f"{AGENT}/run/supervisor.py",
        " if uid not in refused}",
        "}",
        _ASKED,
    ),
    one(
        "what another policy has said of an order counts no more",
        f"{AGENT}/policy/answers.py",
        "self._known if policy is self._said_by else {}",
        "self._known",
        f"{UNIT}/agent/policy/test_answers.py",
    ),
    one(
        "one row allows all of a resource",
        f"{API}/objects/policies.py",
        "        if row.is_kind(item) and not row.lacks(item):\n",
        "        if row.is_kind(item) and len(row.lacks(item)) < len(item.asked):\n",
        _WORDS,
    ),
    one(
        "no pattern is left by two dots",
        f"{API}/objects/policy_words.py",
        'step not in ("", ".", "..") and ',
        "",
        _WORDS,
    ),
    one(
        "a file that others may write allows nothing",
        f"{AGENT}/policy/files.py",
        "_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH\n",
        "_OTHERS_MAY_WRITE: Final = 0\n",
        _FILES,
    ),
    one(
        "what cannot be read allows nothing",
        f"{AGENT}/policy/files.py",
        "        if self.faults:\n            return Answer(",
        "        if False:\n            return Answer(",
        _FILES,
    ),
    one(
        "what systemd calls a unit is looked at too",
        f"{AGENT}/policy/asking.py",
        " or await self._by_own_name(\n            policy, namespace, resources, is_known=is_known\n        )",
        "",
        _FILES,
    ),
    one(
        "what systemd calls a unit and does not say now is not allowed",
        f"{AGENT}/policy/asking.py",
        "                if not is_known:\n                    raise\n",
        "                if False:\n                    raise\n",
        _FILES,
    ),
    one(
        "a command that says how fresh data is is not begun while the one before hangs in the kernel",
        f"{AGENT}/run/asking/programs.py",
        "    ended = await questions.ask(",
        "    ended = await Questions(questions._run).ask(",
        f"{UNIT}/agent/standby/test_scores.py",
    ),
    one(
        "the policy is asked before a program says how fresh data is",
        f"{AGENT}/standby/scores.py",
        "(refused := self._refusal(namespace, asked))",
        "(refused := '')",
        f"{UNIT}/agent/standby/test_scores.py",
    ),
    one(
        "…by the keeper of standbys too",
        f"{AGENT}/standby/standbys.py",
        "self._tell, self._policy.score_refusal)",
        "self._tell)",
        _ASKED,
    ),
    one(
        "where there is a class, a namespace that none names may bring nothing",
        _JUDGE,
        "    if not classes:\n        yield Answer(",
        "    if False:\n        yield Answer(",
        _CLASSES,
        quick=True,
    ),
    one(
        "each class that names a namespace must allow it",
        _JUDGE,
        "        refused = next((one for one in said if one.why), None)\n",
        "        refused = said[0] if all(one.why for one in said) else None\n",
        _CLASSES,
    ),
    one(
        "the pool of each class is asked",
        _JUDGE,
        '        lacks = unasked(service.spec.placement.hosts, one.spec.hosts) if one.spec.hosts else ""\n',
        '        lacks = ""\n',
        _CLASSES,
    ),
    one(
        "what says how fresh data is is judged too",
        _JUDGE,
        "    yield from score_item(",
        "    score_item(",
        _CLASSES,
    ),
    one(
        "a class that cannot be read is there",
        _JUDGE,
        "    return bool(world.classes or _unreadable(world))\n",
        "    return bool(world.classes)\n",
        _CLASSES,
    ),
    one(
        "…and allows nothing",
        _JUDGE,
        " if not world.why_unreadable(SERVICE_CLASSES.kind, one.key)]",
        "]",
        _CLASSES,
    ),
    one(
        "what no class allows keeps nobody from having a thing",
        f"{PLANNER}/judge/acceptance.py",
        "        and not refused_alone(world, rival)\n",
        "        and not own_fault(world, rival)\n",
        _CLASSES,
    ),
    one(
        "a selector that takes one more value is wider than its pool",
        f"{PLANNER}/know/selection.py",
        "        if values is None or values - {value}:\n",
        "        if values is None or value not in values:\n",
        _CLASSES,
    ),
    one(
        "what a service asks for as a whole is judged too",
        _JUDGE,
        "    yield from (_of_bound(service, bound, classes) for bound in asked_of(service.spec))\n",
        "",
        _BOUNDS,
    ),
    one(
        "nobody is stopped for a service unless a class says so",
        f"{PLANNER}/judge/class_bounds.py",
        "    most = one.max_priority or 0\n",
        "    most = 1000 if one.max_priority is None else one.max_priority\n",
        _BOUNDS,
    ),
    one(
        "what is told of a class is no reason to judge anybody anew",
        f"{PLANNER}/know/reading.py",
        "    if before is None or before.spec != after.spec:\n",
        "    if True:\n",
        f"{UNIT}/planner/tell/test_class_status.py",
    ),
    one(
        "classes are asked before a host is fenced for a stop that fails",
        f"{PLANNER}/judge/stuck.py",
        ' and may_fence(world, instance.metadata.namespace or "")',
        "",
        f"{UNIT}/planner/judge/test_stuck.py",
    ),
    one(
        "what a class came to refuse can be stopped",
        f"{PLANNER}/judge/acceptance.py",
        " or acceptance.reason == NOT_ALLOWED\n",
        "\n",
        _STORIES,
    ),
    one(
        "a class that is edited is judged by anew",
        _JUDGE,
        "    made_from = (service.spec, *(one.spec for one in _readable(world)), *_unreadable(world))\n",
        "    made_from = (service.spec,)\n",
        _CLASSES,
    ),
)
