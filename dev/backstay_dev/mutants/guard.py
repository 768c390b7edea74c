"""Mutants of the guards before a seal or an off, and of what returns (PROTOCOL 4)."""

from __future__ import annotations

from typing import Final

from .kinds import PLANNER, STORIES, UNIT, Mutant, one

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "after ten seconds own trouble is over",
        f"{PLANNER}/know/liveness.py",
        "    if not own.lived_before or world.now_s - own.recovered_s >= world.settings.trust_again_s:",
        "    if not own.lived_before:",
        f"{UNIT}/planner/know/test_liveness.py",
    ),
    one(
        "a clean shutdown is no storm",
        f"{PLANNER}/judge/storm.py",
        "    if not state.is_late or (shutting_down(world, host) and not holds_exclusively(world, host, seen.lease.holder)):",
        "    if not state.is_late:",
        f"{STORIES}/test_power.py",
    ),
    one(
        "who says that it shuts down and holds something counts as lost",
        f"{PLANNER}/judge/storm.py",
        "(shutting_down(world, host) and not holds_exclusively(world, host, seen.lease.holder)):",
        "shutting_down(world, host):",
        f"{STORIES}/test_power.py",
    ),
    one(
        "a host that was removed is forgotten by a new operator's storm guard",
        f"{PLANNER}/know/liveness.py",
        '        if request.spec.want == "Off" and request.spec.host not in world.leases:',
        "        if False:",
        f"{UNIT}/planner/judge/test_storm.py",
    ),
    one(
        "who is left alone leaves the count of a storm",
        f"{PLANNER}/judge/storm.py",
        "(host not in left_alone and _would_be_fenced(world, host))",
        "_would_be_fenced(world, host)",
        f"{STORIES}/test_power.py",
    ),
    one(
        "what the guard holds back stays in the count",
        f"{PLANNER}/judge/storm.py",
        "    return late_s < world.settings.storm_window_s or (host not in left_alone and _would_be_fenced(world, host))",
        "    return late_s < world.settings.storm_window_s",
        f"{UNIT}/planner/judge/test_storm.py",
    ),
    one(
        "a shutdown is said by the session that holds the Lease",
        f"{PLANNER}/know/liveness.py",
        ('or seen is None or seen.lease.holder != session.text:\n        return ""'),
        ('or seen is None:\n        return ""'),
        f"{UNIT}/planner/judge/test_storm.py",
    ),
    one(
        "a host that is read off is exempt from the guard",
        f"{PLANNER}/do/fences.py",
        ("    if _is_read_off(request):\n        return None\n"),
        "",
        f"{STORIES}/test_faults.py",
        f"{STORIES}/test_text.py",
    ),
    one(
        "power is not even read in HandsOff",
        f"{PLANNER}/do/fences.py",
        ("    if is_hands_off(world, host):\n        return []\n    return _want("),
        "    return _want(",
        f"{STORIES}/test_power.py",
    ),
    one(
        "in HandsOff an Off is taken back",
        f"{PLANNER}/do/fences.py",
        '        return _take_back(world, host, f"{host} is in maintenance (HandsOff)")',
        "        return []",
        f"{STORIES}/test_power.py",
    ),
    one(
        "an off for what nobody holds any more is withdrawn",
        f"{PLANNER}/do/fences.py",
        '            actions.append(UpdateFence(request, "Withdrawn", f"nothing that session of {host} held is open any more"))',
        "            pass",
        f"{STORIES}/test_power.py",
    ),
    one(
        "who waits longest is fenced first",
        f"{PLANNER}/do/fences.py",
        "key=lambda host: (-age_s(world, world.leases[host]), host)",
        "key=lambda host: (age_s(world, world.leases[host]), host)",
        f"{UNIT}/planner/judge/test_budget.py",
    ),
    one(
        "a Lease that is deleted under a copy comes back for its session",
        f"{PLANNER}/know/sessions.py",
        "    return CreateLease(host, why, last, needs=tuple(_not_sealed(world, host, last)))",
        '    return CreateLease(host, f"{host} has no Lease to renew")',
        f"{STORIES}/test_hostile.py",
    ),
    one(
        "an unsealed Lease is made for a session only while its grant stands",
        f"{PLANNER}/know/sessions.py",
        "last, needs=tuple(_not_sealed(world, host, last)))",
        "last)",
        f"{UNIT}/planner/know/test_sessions.py",
    ),
    one(
        "a seal that the operator saw is remembered",
        f"{PLANNER}/know/sessions.py",
        "    sealed = max((*_sealed_by_requests(world, host), *_seen_sealed(world, host)), key=_seq, default=None)",
        "    sealed = max(_sealed_by_requests(world, host), key=_seq, default=None)",
        f"{STORIES}/test_power.py",
    ),
    one(
        "a seal that a request shows is remembered",
        f"{PLANNER}/know/sessions.py",
        "    sealed = max((*_sealed_by_requests(world, host), *_seen_sealed(world, host)), key=_seq, default=None)",
        "    sealed = max(_seen_sealed(world, host), key=_seq, default=None)",
        f"{STORIES}/test_power.py",
    ),
    one(
        "a seal that an operator before us saw is remembered",
        f"{PLANNER}/know/sessions.py",
        "    told = known.status.sealed if known else None",
        "    told = None",
        f"{UNIT}/planner/know/test_sessions.py",
    ),
    one(
        "an old look at a Lease does not forget its seal",
        f"{PLANNER}/know/sessions.py",
        "not seen.lease.sealed and seen.lease.seq > told.seq",
        "not seen.lease.sealed",
        f"{UNIT}/planner/know/test_sessions.py",
    ),
    one(
        "the last seal stands in the Host's status",
        f"{PLANNER}/tell/host_status.py",
        "        sealed=last_sealed(world, facts.name),",
        "        sealed=None,",
        f"{UNIT}/planner/tell/test_host_status.py",
    ),
    one(
        "a Lease that nobody is to hold is made only where nothing is granted",
        f"{PLANNER}/know/sessions.py",
        "        yield HoldsNothing(host, _UNDONE.format(host))\n",
        "",
        f"{UNIT}/planner/know/test_sessions.py",
    ),
    one(
        "a Lease is made unsealed only while the last seal is as we know it",
        f"{PLANNER}/know/sessions.py",
        "    if host in world.hosts:",
        "    if False:",
        f"{UNIT}/planner/know/test_sessions.py",
    ),
)
