"""Mutants of what is done about sessions of hosts: seals, fences, what is owed (PROTOCOL 3 and 4). Tables of cases find them."""

from __future__ import annotations

from typing import Final

from .kinds import PLANNER, STORIES, UNIT, Mutant, one

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "a person's confirm is exempt from the guard",
        f"{PLANNER}/do/fence_guard.py",
        ("    if confirmation(world, request) is not None:\n        return None\n    if is_hands_off"),
        "    if is_hands_off",
        f"{UNIT}/planner/do/test_fences.py",
    ),
    one(
        "who is asked because a first epoch waits is asked on",
        f"{PLANNER}/do/fences.py",
        "request is not present and request.spec.session != asked:",
        "request is not present:",
        f"{UNIT}/planner/do/test_fences.py",
    ),
    one(
        "a power read that nothing waits for ends",
        f"{PLANNER}/do/fences.py",
        "request is present and asked is None and _is_idle(request):",
        "False:",
        f"{UNIT}/planner/do/test_past_sessions.py",
    ),
    one(
        "what a person has confirmed is not taken back as idle",
        f"{PLANNER}/do/fences.py",
        "    return request.status.evidence is None and request.spec.confirm is None and not is_read_off(request)",
        "    return request.status.evidence is None and not is_read_off(request)",
        f"{UNIT}/planner/do/test_fences.py",
    ),
    one(
        "while an edit is refused its budget of moves counts",
        f"{PLANNER}/judge/last_accepted.py",
        "    for recovery in (_not_told(service.spec.recovery), {}):",
        "    for recovery in ({},):",
        "tests/stories/test_recovery.py",
    ),
    one(
        "a Lease that nobody holds is silent when who lives would have taken it",
        f"{PLANNER}/do/fences.py",
        "    return trusts_itself(world) and age_s(world, seen) > silent_after_s(seen.lease.contract)",
        "    return trusts_itself(world)",
        f"{UNIT}/planner/do/test_fences.py",
    ),
    one(
        "what is sealed is brought to its end",
        f"{PLANNER}/do/fence_guard.py",
        "    silent = [host for host in lost if of_host(world, host) is Liveness.SILENT]",
        "    silent = lost",
        f"{UNIT}/planner/do/test_fences.py",
    ),
    one(
        "a person's word that was not true goes",
        f"{PLANNER}/do/fences.py",
        ("    if disproved := _disproved(world, host):\n        return disproved\n"),
        "",
        f"{UNIT}/planner/do/test_fences.py",
    ),
    one(
        "a confirm causes the seal",
        f"{PLANNER}/do/fences.py",
        ('    if confirm := confirmation(world, request):\n        return f"{host} is silent, and'),
        ('    if confirm := confirmation(world, request):\n        return None if host else f"{host} is silent, and'),
        f"{UNIT}/planner/do/test_fences.py",
    ),
    one(
        "a suspect is not sealed",
        f"{PLANNER}/do/fences.py",
        ("    if state is not Liveness.SILENT:\n        return None\n    if confirm"),
        "    if confirm",
        f"{UNIT}/planner/do/test_fences.py",
    ),
    one(
        "a host is not wanted off twice for what is proven",
        f"{PLANNER}/do/fences.py",
        ("    if not _proof_is_missing(world, host, lease.holder):\n        return []\n"),
        "",
        f"{UNIT}/planner/do/test_fences.py",
    ),
    one(
        "a proof does not go before it is used",
        f"{PLANNER}/do/fences.py",
        ("    if request is not None and request.status.evidence is not None:\n        return []  # it is proven"),
        ("    if False:\n        return []  # it is proven"),
        f"{UNIT}/planner/do/test_fences.py",
    ),
    one(
        "a fence is told before its request goes",
        f"{PLANNER}/do/fences.py",
        ("    if not is_in_status(world, request):\n        return None  #"),
        ("    if False:\n        return None  #"),
        f"{UNIT}/planner/do/test_past_sessions.py",
    ),
    one(
        "the last place of the budget is kept for another host",
        f"{PLANNER}/judge/budget.py",
        "    if ages and room == 1:",
        "    if False:",
        f"{STORIES}/test_power_guard.py",
    ),
    one(
        "an hour is the budget's period",
        f"{PLANNER}/judge/budget.py",
        ('    if world.now_s - world.fenced_s.get(name, float("-inf")) >= BUDGET_PERIOD_S:\n        return False\n'),
        "",
        f"{UNIT}/planner/do/test_past_sessions.py",
    ),
    one(
        "a fence path that nobody has reported on is unknown",
        f"{PLANNER}/know/liveness.py",
        "FENCER_SILENT_S: Final = 2 * FENCE_TEST_EVERY_S",
        "FENCER_SILENT_S: Final = 2000 * FENCE_TEST_EVERY_S",
        f"{UNIT}/planner/tell/test_host_status.py",
    ),
    one(
        "a removed host goes only when it holds nothing",
        f"{PLANNER}/do/removal.py",
        "    if is_set and is_leaving and not held(world, name):",
        "    if is_set and is_leaving:",
        f"{UNIT}/planner/do/test_removal.py",
    ),
    one(
        "a sealed Lease stays until its session is over",
        f"{PLANNER}/do/removal.py",
        "        return not _is_over(world, name, seen.lease.holder)",
        "        return False",
        f"{UNIT}/planner/do/test_removal.py",
    ),
    one(
        "without a device nobody is sealed",
        f"{PLANNER}/do/fence_guard.py",
        ('    if not could_be_proven(world, host):\n        return f"{has'),
        ('    if False:\n        return f"{has'),
        f"{UNIT}/planner/do/test_fences.py",
    ),
    one(
        "a host that was off anyway costs no budget",
        f"{PLANNER}/know/objects.py",
        "    return request.spec.confirm is None and not was_off_anyway",
        "    return request.spec.confirm is None",
        f"{UNIT}/planner/judge/test_budget.py",
    ),
    one(
        "in HandsOff nobody is sealed, whatever was read",
        f"{PLANNER}/do/fence_guard.py",
        (
            "    if is_hands_off(world, host):\n"
            '        return f"{host} is in maintenance (HandsOff): nobody is fenced"\n'
            "    if is_read_off(request):\n"
            "        return None\n"
        ),
        (
            "    if is_read_off(request):\n"
            "        return None\n"
            "    if is_hands_off(world, host):\n"
            '        return f"{host} is in maintenance (HandsOff): nobody is fenced"\n'
        ),
        f"{UNIT}/planner/do/test_fences.py",
    ),
    one(
        "a request that somebody deletes stays while it owes an on",
        f"{PLANNER}/do/fences.py",
        "and not owes_on(world, request) and is_in_status",
        "and is_in_status",
        f"{UNIT}/planner/do/test_fences.py",
    ),
    one(
        "a request that was proven is not withdrawn",
        f"{PLANNER}/do/fences.py",
        "        elif request.status.evidence is None and request",
        "        elif request",
        f"{UNIT}/planner/do/test_past_sessions.py",
    ),
    one(
        "an on is owed to a host whose Host object is gone",
        f"{PLANNER}/do/fences.py",
        "    return host is None or any(",
        "    return host is not None and any(",
        f"{UNIT}/planner/do/test_past_sessions.py",
    ),
    one(
        "an off that did nothing owes no on",
        f"{PLANNER}/do/fences.py",
        'attempt.action == "off" and attempt.ours and',
        'attempt.action == "off" and',
        f"{UNIT}/planner/do/test_past_sessions.py",
    ),
    one(
        "without a device there is no Off, whatever was read",
        f"{PLANNER}/do/fences.py",
        " is None and has_device(world, host) and",
        " is None and",
        f"{UNIT}/planner/do/test_fences.py",
    ),
    one(
        "a request that owes an on is used again, not replaced",
        f"{PLANNER}/do/fences.py",
        '== "Withdrawn" and not owes_on(world, request):',
        '== "Withdrawn":',
        f"{UNIT}/planner/do/test_fences.py",
    ),
    one(
        "a Host that cannot be read is not called removed",
        f"{PLANNER}/do/fences.py",
        "    if known is None and not world.cannot_read(Host, host):",
        "    if known is None:",
        f"{UNIT}/planner/do/test_past_sessions.py",
    ),
    one(
        "a look at the session that holds the Lease goes on",
        f"{PLANNER}/do/fences.py",
        " and request is not present and request.spec.session != asked:",
        " and request.spec.session != asked:",
        f"{UNIT}/planner/do/test_past_sessions.py",
    ),
    one(
        "the session that lives is counted by the Lease as by its report",
        f"{PLANNER}/know/sessions.py",
        " and seen.lease.seq == session.seq and",
        " and",
        f"{UNIT}/planner/know/test_sessions.py",
    ),
    one(
        "a session that is newer than the sealed one may renew a Lease that is made again",
        f"{PLANNER}/know/sessions.py",
        " and (last is None or sealed.seq >= last.seq):",
        ":",
        f"{UNIT}/planner/know/test_sessions.py",
    ),
    one(
        "a host that is gone and holds something has a Lease to renew",
        f"{PLANNER}/know/sessions.py",
        " if _is_wanted(world, host) or held(world, host) else []",
        " if _is_wanted(world, host) else []",
        f"{UNIT}/planner/know/test_sessions.py",
    ),
    one(
        "a Lease that is made again is for the latest session that holds something",
        f"{PLANNER}/know/sessions.py",
        "    last = max(granted, key=_seq, default=None)",
        "    last = granted[0] if granted else None",
        f"{UNIT}/planner/know/test_sessions.py",
    ),
    one(
        "an HAInstance that cannot be read keeps what was made for a removed host",
        f"{PLANNER}/do/removal.py",
        "if kind == HA_INSTANCES.kind or (kind, key)",
        "if (kind, key)",
        f"{UNIT}/planner/do/test_removal.py",
    ),
    one(
        "a sealed Lease goes only when that very session is proven to be over",
        f"{PLANNER}/do/removal.py",
        "any(one.text == holder and is_proven_over",
        "any(is_proven_over",
        f"{UNIT}/planner/do/test_removal.py",
    ),
    one(
        "what was made for a host that is being removed goes only if it is sealed",
        f"{PLANNER}/do/removal.py",
        " and seen is not None and seen.lease.sealed)\n",
        " and seen is not None)\n",
        f"{UNIT}/planner/do/test_removal.py",
    ),
    one(
        "a removed host that has still to learn of a stop keeps its orders",
        f"{PLANNER}/do/removal.py",
        "any(True for _ in remains.waiting_orders(world, name)) or ",
        "",
        f"{UNIT}/planner/do/test_removal.py",
    ),
    one(
        "a removed host that says what it runs keeps its orders",
        f"{PLANNER}/do/removal.py",
        " or any(True for _ in remains.open_reports(world, name)):",
        ":",
        f"{UNIT}/planner/do/test_removal.py",
    ),
    one(
        "a proof stays though a person's word besides it was not true",
        f"{PLANNER}/do/fences.py",
        "    if request is None or request.status.evidence is not None or not is_disproved(world, request):\n",
        "    if request is None or not is_disproved(world, request):\n",
        f"{UNIT}/planner/do/test_fences.py",
    ),
    one(
        "an on is owed by the device of the level that was used",
        f"{PLANNER}/do/fences.py",
        "        each.name == level and any(",
        "        any(",
        f"{UNIT}/planner/do/test_past_sessions.py",
    ),
    one(
        "a Lease that is sealed for an older session is not sealed again before it is reopened",
        f"{PLANNER}/do/fences.py",
        "    if seen.lease.sealed:\n",
        "    if False:\n",
        f"{UNIT}/planner/do/test_fences.py",
    ),
    one(
        "a Lease that a newer session holds is not read for an older one",
        f"{PLANNER}/do/fences.py",
        "    if latest is None or seen is None or seen.lease.seq > latest.seq or holds_exclusively(world, host, latest.text):",
        "    if latest is None or seen is None or holds_exclusively(world, host, latest.text):",
        f"{UNIT}/planner/do/test_fences.py",
    ),
)
