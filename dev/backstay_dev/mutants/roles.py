"""Mutants of OCF agents with roles: what is promoted, what only is up, and whose number counts."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, API, DRIVERS, PLANNER, STORIES, UNIT, Mutant, one

_DRIVER: Final = f"{DRIVERS}/ocf/driver.py"
_OUTCOMES: Final = f"{DRIVERS}/ocf/outcomes.py"
_TOLD: Final = f"{PLANNER}/do/roles.py"
_SAID_TO_HOSTS: Final = f"{UNIT}/planner/do/test_roles.py"
_SAID: Final = f"{UNIT}/agent/drivers/ocf/test_promotion.py"
_NOTIFIED: Final = f"{UNIT}/agent/drivers/ocf/test_notifying.py"
_SHARED: Final = f"{UNIT}/agent/drivers/ocf/test_shared.py"
_HELPERS: Final = f"{DRIVERS}/ocf/helpers.py"

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "a copy that is promoted though nobody asked for it has failed",
        _DRIVER,
        "                is_promoted = was_promoted or await self._is_promoted(ocf)\n",
        "                is_promoted = True\n",
        _SAID,
    ),
    one(
        "a copy that is promoted while it is asked has not failed",
        _DRIVER,
        "                is_promoted = was_promoted or await self._is_promoted(ocf)\n",
        "                is_promoted = was_promoted\n",
        _SAID,
    ),
    one(
        "nor has one that is demoted meanwhile",
        _DRIVER,
        "                is_promoted = was_promoted or await self._is_promoted(ocf)\n",
        "                is_promoted = await self._is_promoted(ocf)\n",
        _SAID,
    ),
    one(
        "a demote is not taken at its word",
        _OUTCOMES,
        "NOT_PROMOTED: Final = frozenset((0, 190, CLEANLY_DOWN))\n",
        "NOT_PROMOTED: Final = frozenset((0, 8, 190, CLEANLY_DOWN))\n",
        _SAID,
    ),
    one(
        "nobody knows what failed while it was promoted",
        _OUTCOMES,
        "NOT_PROMOTED: Final = frozenset((0, 190, CLEANLY_DOWN))\n",
        "NOT_PROMOTED: Final = frozenset((0, 9, 190, CLEANLY_DOWN))\n",
        _SAID,
    ),
    one(
        "what somebody else has promoted counts as promoted",
        _OUTCOMES,
        '            return Seen(State.RUNNING, "" if ours and code != 191 else why)\n',
        '            return Seen(State.RUNNING, "" if code != 191 else why) if ours else Seen(State.STOPPED)\n',
        _SAID,
    ),
    one(
        "without a memory a copy is demoted before it is stopped",
        _DRIVER,
        "        return sorted(found, key=lambda resource: bool(_ocf(resource).role))\n",
        "        return found\n",
        _SAID,
    ),
    one(
        "an agent without roles is not ready for any",
        _DRIVER,
        "    if missing:\n        yield",
        "    if missing and not ocf.copies:\n        yield",
        _SAID,
    ),
    one(
        "below zero nobody is promoted",
        f"{DRIVERS}/ocf/helpers.py",
        "    return score if score >= 0 else ",
        "    return score if True else ",
        _SAID,
    ),
    one(
        "a copy and its promotion are two things on a host",
        f"{API}/objects/resource_kinds.py",
        '    promotion = Claim("Ocf", f"promoted {ocf_key(ocf)}")\n',
        '    promotion = Claim("Ocf", ocf_key(ocf))\n',
        f"{UNIT}/planner/know/test_parts.py",
    ),
    one(
        "nobody is promoted whose agent has not said how fresh its data is",
        f"{PLANNER}/judge/promotion.py",
        "(spec.promotion is not None or any(map(tells_score, spec.resources)))\n",
        "spec.promotion is not None\n",
        f"{STORIES}/test_promotable.py",
    ),
    one(
        "of what agents have noted the latest counts",
        _TOLD,
        "(key not in found or _rank(found[key]) < _rank(one)):\n",
        "key not in found:\n",
        _SAID_TO_HOSTS,
    ),
    one(
        "a copy on a host that is gone is not promoted any more",
        _TOLD,
        "    return of_host(world, host) in (Liveness.SILENT, Liveness.SEALED)\n",
        "    return of_host(world, host) is Liveness.SEALED\n",
        _SAID_TO_HOSTS,
    ),
    one(
        "what lasts until a host boots is gone with the host",
        _TOLD,
        'if (one.scope != "Reboot" or one.host in there) and (',
        "if (",
        _SAID_TO_HOSTS,
    ),
    one(
        "what lasts outlives the copy that noted it",
        _TOLD,
        "            if assignment and one.uid in assignment.spec.roles:\n",
        "            if False:\n",
        _SAID_TO_HOSTS,
    ),
    one(
        "what was noted later than all that is known has a greater number",
        f"{DRIVERS}/ocf/helpers.py",
        "min((known[0] if known else 0) + 1, GREATEST)",
        "min((before[key][0] if key in before else 0) + 1, GREATEST)",
        f"{UNIT}/agent/drivers/ocf/test_shared.py",
    ),
    one(
        "a notification that is no longer true is cut short",
        f"{AGENT}/run/roles.py",
        "            elif (before.promoted, before.epoch) != (now.promoted, now.epoch) or self._is_idle(uid):\n",
        "            elif self._is_idle(uid):\n",
        f"{UNIT}/agent/run/test_roles.py",
    ),
    one(
        "a copy that is not up is notified of nothing",
        f"{AGENT}/run/roles.py",
        "        return uid in self._copies and self._copies[uid].is_up\n",
        "        return uid in self._copies\n",
        f"{UNIT}/agent/run/test_roles.py",
    ),
    one(
        "an agent is notified before its own promote and demote",
        _DRIVER,
        "            await notifying.before(self._agents, ocf, operation, most_s)\n",
        "            pass\n",
        _SAID,
    ),
    one(
        "what is to be done waits for no notification of what others did",
        _DRIVER,
        "        self._agents.cut_notify(ocf)\n        if ocf.role:\n",
        "        if ocf.role:\n",
        _SAID,
    ),
    one(
        "a copy that was started here is asked by no probe whether it is promoted",
        _DRIVER,
        "        if started.state is State.RUNNING or not ocf.role:\n",
        "        if True:\n",
        _SAID,
    ),
    one(
        "of what was done here an agent was notified before",
        f"{DRIVERS}/ocf/notifying.py",
        "WHEN[1:] if is_own else WHEN",
        "WHEN",
        _NOTIFIED,
    ),
    one(
        "of what was done elsewhere an agent is notified as before it too",
        f"{DRIVERS}/ocf/notifying.py",
        "WHEN[1:] if is_own else WHEN",
        "WHEN[1:]",
        _NOTIFIED,
    ),
    one(
        "a host that is away is not called online",
        _HELPERS,
        "online=str(one in there).lower()",
        'online="true"',
        _SHARED,
    ),
    one(
        "a copy that its agent wants banned is not promoted",
        _HELPERS,
        '        shared.note(_key("Reboot", host, f"master-{shared.resource}"), "-INFINITY")\n',
        "",
        _SHARED,
    ),
    one(
        "no agent bans the copy of another host",
        _HELPERS,
        '    is_ours = said("-r", "--resource") in (None, resource) and said("-N", "--node") in (None, host)\n',
        '    is_ours = said("-r", "--resource") in (None, resource)\n',
        _SHARED,
    ),
    one(
        "what who is gone has noted of a copy that is up is known",
        _TOLD,
        'if one.scope != "Reboot" or one.host in up)',
        'if one.scope != "Reboot")',
        _SAID_TO_HOSTS,
    ),
    one(
        "what lasts until a host boots is not known by what others were told once its copy is down",
        _TOLD,
        'if one.scope != "Reboot" or one.host in up)',
        "if True)",
        _SAID_TO_HOSTS,
    ),
    one(
        "no notification of its own takes longer than the operation may",
        f"{DRIVERS}/ocf/notifying.py",
        'min(known.limit_s("notify"), most_s)',
        'known.limit_s("notify")',
        _NOTIFIED,
    ),
)
