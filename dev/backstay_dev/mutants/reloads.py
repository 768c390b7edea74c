"""Mutants of what is reloaded instead of restarted."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, API, DRIVERS, UNIT, Mutant, one

_DECIDED: Final = f"{API}/objects/edits.py"
_KINDS: Final = f"{API}/objects/resource_kinds.py"
_APPLYING: Final = f"{AGENT}/run/applying.py"
_RESTARTING: Final = f"{AGENT}/run/restarting.py"
_RUNNER: Final = f"{AGENT}/run/runner.py"
_METADATA: Final = f"{DRIVERS}/ocf/metadata.py"
_SAID: Final = f"{UNIT}/api/objects/test_edits.py"
_DONE: Final = f"{UNIT}/agent/test_edits.py"
_PARTLY: Final = f"{UNIT}/agent/test_partial_restarts.py"
_OCF: Final = f"{UNIT}/agent/drivers/ocf/test_reloadable.py"

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "what its host does not call reloadable is restarted",
        _DECIDED,
        ".items() if name not in live}",
        ".items() if not live}",
        _SAID,
    ),
    one(
        "what a manifest gives no name is another thing with other parameters",
        _KINDS,
        "        work=lambda ocf: (ocf_part(ocf), ocf_roles.are_told(ocf)),\n",
        "        work=lambda ocf: (ocf_agent(ocf.agent), ocf_roles.are_told(ocf)),\n",
        _SAID,
    ),
    one(
        "what nobody has said is told as that",
        _DECIDED,
        "return same_work(one, other, {**everything, **reloadable})",
        "return same_work(one, other, {**reloadable, **everything})",
        _SAID,
    ),
    one(
        "a reload that fails is followed by a restart",
        _APPLYING,
        "            return bool(self.failed)\n",
        "            return False\n",
        _DONE,
    ),
    one(
        "what an agent can reload is asked before an edit is judged",
        _APPLYING,
        "return not self._monitor.is_looking",
        "return True",
        _DONE,
    ),
    one(
        "what is not known yet is not called done",
        _APPLYING,
        "            return False  # what can be reloaded is not known yet",
        "            return True",
        _DONE,
    ),
    one(
        "what does not run is not reloaded",
        _RUNNER,
        "self._applying.needs_start if self.phase is Phase.RUNNING and not down else is_other_work",
        "self._applying.needs_start",
        _DONE,
    ),
    one(
        "what stands on other work is restarted with it",
        _DECIDED,
        "if one.name not in found | stays and any(",
        "if one.name not in found | stays and not any(",
        _SAID,
    ),
    one(
        "what an edit drops is stopped before it leaves the journal",
        _RESTARTING,
        "        self._say(await work.take_down(self._tools.system, gone, of=record.resources))\n",
        "",
        _PARTLY,
    ),
    one(
        "what an edit starts is in the journal first",
        _RESTARTING,
        (
            "        await self._amend(lambda now: now.changed(names, record.wanted, record.revision), may_start=True)\n"
            "        for one in self._these:\n"
            "            await self._tools.system.driver(one).secure(one)\n"
            "        await self._bring_up(after.resources, unproven)\n"
        ),
        (
            "        for one in self._these:\n"
            "            await self._tools.system.driver(one).secure(one)\n"
            "        await self._bring_up(after.resources, unproven)\n"
            "        await self._amend(lambda now: now.changed(names, record.wanted, record.revision), may_start=True)\n"
        ),
        _PARTLY,
    ),
    one(
        "an edit is called done when all of it has reached what runs",
        f"{AGENT}/core/checkpoint.py",
        "runs = revision if mixed == wanted else self.running_revision",
        "runs = revision",
        _PARTLY,
    ),
    one(
        "an agent without the operation reloads nothing",
        _METADATA,
        'if self.action("reload-agent") is None:',
        "if not self.actions:",
        _OCF,
    ),
    one(
        "what tells two resources apart is not reloaded",
        _METADATA,
        "if one.reloadable and not one.unique)",
        "if one.reloadable)",
        _OCF,
    ),
)
