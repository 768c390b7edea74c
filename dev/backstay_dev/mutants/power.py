"""Mutants of silence and power: who is suspected, sealed and cut off, and who is not (PROTOCOL 4)."""

from __future__ import annotations

from typing import Final

from .kinds import API, CONTROL, PLANNER, STORIES, UNIT, Edit, Mutant, one

_LIVENESS: Final = f"{PLANNER}/know/liveness.py"
_FENCES: Final = f"{PLANNER}/do/fences.py"
_GUARD: Final = f"{PLANNER}/do/fence_guard.py"
_SESSIONS: Final = f"{PLANNER}/know/sessions.py"
_STORM: Final = f"{PLANNER}/judge/storm.py"
_BUDGET: Final = f"{PLANNER}/judge/budget.py"
_L: Final = (
    f"{UNIT}/planner/know/test_liveness.py",
    f"{UNIT}/planner/judge/test_storm.py",
    f"{UNIT}/planner/judge/test_budget.py",
    f"{STORIES}/test_power.py",
    f"{STORIES}/test_power_guard.py",
    f"{STORIES}/test_promises.py",
    f"{STORIES}/test_faults.py",
    f"{STORIES}/test_text.py",
)
_P: Final = (
    f"{STORIES}/test_power.py",
    f"{STORIES}/test_power_guard.py",
    f"{UNIT}/planner/know/test_sessions.py",
    f"{UNIT}/planner/judge/test_evidence.py",
    STORIES,
)

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "silence is three periods",
        f"{API}/objects/promise.py",
        "SILENT_RENEWALS: Final = 3.0",
        "SILENT_RENEWALS: Final = 2.0",
        *_L,
        "sim:swarm:60",
    ),
    one(
        "fewer than half of all may be lost at once",
        _STORM,
        "        return len(self.lost) > 1 and 2 * len(self.lost) >= self.hosts",
        "        return len(self.lost) > 1 and len(self.lost) >= self.hosts",
        *_L,
        quick=True,
    ),
    one(
        "a storm is measured by the hosts that lived",
        _STORM,
        "    return Storm(lost, len(living | lost), alive)",
        "    return Storm(lost, len(world.hosts), alive)",
        *_L,
    ),
    one(
        "what was sealed counts for the whole window",
        _STORM,
        "        return not seen.lease.sealed_alive and _is_fresh(world, seen)\n",
        "        return False\n",
        *_L,
    ),
    one(
        "own trouble first: nobody is suspected while our own path is away",
        _LIVENESS,
        "    if not own.healthy:\n        return False\n",
        "",
        *_L,
    ),
    one(
        "after our own trouble more than half must renew first",
        _LIVENESS,
        "    return 2 * len(own.renewed_since & own.lived_before) > len(own.lived_before)",
        "    return True",
        *_L,
    ),
    Mutant(
        "silence is counted from when it could be noticed",
        (
            Edit(
                _LIVENESS,
                "    return world.now_s - max(seen.first_seen_s, world.own_path.recovered_s)",
                "    return world.now_s - seen.first_seen_s",
            ),
            Edit(
                _LIVENESS,
                "    own = world.own_path\n    if not own.healthy:",
                "    own = world.own_path\n    return True\n    if not own.healthy:",
            ),
            Edit(
                f"{CONTROL}/watch/cache.py",
                "            self.world.leases[host] = replace(seen, first_seen_s=now_s)",
                "            pass",
            ),
        ),
        (f"{UNIT}/planner/know/test_liveness.py", "sim:outages"),
    ),
    one(
        "only a renewal moves the clock of silence, no other write of the Lease",
        f"{CONTROL}/watch/cache.py",
        "    first_seen_s = before.first_seen_s if _count(old) == _count(lease) else now_s",
        "    first_seen_s = now_s",
        f"{UNIT}/control/watch/test_cache.py",
    ),
    one(
        "the storm guard holds back Off after the seal too",
        _FENCES,
        "    if held_back(world, guard, host) is None and has_device(world, host) and not stops_in_order(world, host):",
        "    if has_device(world, host):",
        *_P,
        "sim:swarm:150",
    ),
    one(
        "the guard is asked before a seal",
        _FENCES,
        "    if why is None or held_back(world, guard, host) is not None:",
        "    if why is None:",
        *_P,
    ),
    one(
        "nobody is fenced in HandsOff",
        _GUARD,
        '    if is_hands_off(world, host):\n        return f"{host} is in maintenance (HandsOff): nobody is fenced"\n',
        "",
        *_P,
    ),
    one(
        "only who holds something exclusive is touched",
        _FENCES,
        "    if not holds_exclusively(world, host, seen.lease.holder):\n        return []\n    if state.is_late:",
        "    if state.is_late:",
        *_P,
    ),
    one(
        "who renews again is left alone",
        _FENCES,
        '        lives = _take_back(world, host, f"{host} has renewed its Lease: it was a false alarm")\n',
        "        lives: list[Action] = []\n",
        *_P,
    ),
    Mutant(
        "an Off is never weakened to a look",
        (
            Edit(
                _FENCES,
                '    return want != request.spec.want and not (want == "Observe" and request.spec.want == "Off")',
                "    return want != request.spec.want",
            ),
        ),
        _P,
    ),
    one(
        "a read that says off leads straight to the seal",
        _FENCES,
        '    if is_read_off(request):\n        return f"{host} is late, and its fencing device says that it is off"\n',
        "",
        *_P,
    ),
    one(
        "power is cut only where somebody could take over",
        _GUARD,
        "    if host in guard.left_alone:\n        return guard.left_alone[host]\n",
        "",
        *_P,
        quick=True,
    ),
    one(
        "what was read before a false alarm says nothing of the next",
        _GUARD,
        '    return request is not None and request.status.power == "Off" and request.spec.want != "Withdrawn"',
        '    return request is not None and request.status.power == "Off"',
        *_P,
        "sim:fencing",
    ),
    one(
        "a request whose on is owed stays",
        _FENCES,
        "    if stays_off or request.status.powered_on:\n",
        "    if True:\n",
        *_P,
        f"{UNIT}/fencer/test_on_again.py",
        "sim:people",
        "sim:swarm:200",
    ),
    one(
        "the budget counts every fence",
        _BUDGET,
        "    room = size - sum(len(ages) for ages in spent.values())",
        "    room = size - len(spent)",
        *_L,
        *_P,
    ),
    one(
        "a host that was fenced lately is left alone for longer each time",
        _BUDGET,
        "    return _whole_pause_s(world, len(ages)) - ages[0] if ages else 0.0",
        "    return 0.0",
        *_L,
        *_P,
    ),
    one(
        "a person's word costs no budget",
        f"{PLANNER}/know/objects.py",
        "    return request.spec.confirm is None and not was_off_anyway",
        "    return not was_off_anyway",
        *_L,
        *_P,
    ),
    one(
        "a request that has cost nothing leaves no fence behind",
        f"{PLANNER}/know/world.py",
        "if old is not None and not has_cost(old):",
        "if False:",
        *_L,
        *_P,
    ),
    one(
        "a sealed Lease opens only for a newer session",
        _SESSIONS,
        " and session is not None and session.seq > seen.lease.seq\n",
        " and session is not None\n",
        *_P,
        "tests/property",
    ),
    one(
        "a grant goes only to a session that holds its Lease",
        _SESSIONS,
        "    holds = seen.lease.holder == session.text and seen.lease.seq == session.seq and seen.lease.renewal > 0",
        "    holds = True",
        *_P,
        "tests/property",
    ),
    one(
        "a Lease that was reopened and never renewed holds nothing",
        _SESSIONS,
        "seen.lease.seq == session.seq and seen.lease.renewal > 0",
        "seen.lease.seq == session.seq",
        *_P,
        "tests/property",
    ),
    one(
        "a grant goes only to a live host",
        _SESSIONS,
        "    if session is None or seen is None or of_host(world, host) is not Liveness.LIVE:",
        "    if session is None or seen is None:",
        *_P,
        "tests/property",
    ),
    one(
        "a sealed Lease that somebody deletes comes back sealed",
        _SESSIONS,
        "    if sealed is not None and (last is None or sealed.seq >= last.seq):",
        "    if False:",
        *_P,
        "sim:swarm:100",
    ),
    one(
        "a request that counts goes only when the Host lists it",
        _BUDGET,
        "    return any(fence.request == request.key for fence in host.status.fences)",
        "    return True",
        f"{UNIT}/planner/judge/test_budget.py",
    ),
    one(
        "evidence and reads after the seal show that a Lease was sealed, as Off does",
        _SESSIONS,
        '    return request.spec.want == "Off" or status.evidence is not None or any(read.sealed for read in status.reads)',
        '    return request.spec.want == "Off"',
        f"{UNIT}/planner/know/test_sessions.py",
    ),
    one(
        "a seal that we saw ourselves comes back too",
        _SESSIONS,
        "    return [sealed] if sealed is not None and matters else []",
        "    return []",
        f"{UNIT}/planner/know/test_sessions.py",
    ),
)
