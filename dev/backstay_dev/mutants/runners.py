"""Mutants of what the agent does on its host: runners, readiness, units, people's acts (PROTOCOL 7)."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, API, DRIVERS, UNIT, Mutant, one

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "everything is made unable to start without us before the first start",
        f"{AGENT}/run/work.py",
        "            await drivers[resource.name].secure(resource)",
        "            pass",
        f"{UNIT}/agent/test_keeping.py",
    ),
    one(
        "ready comes after the first good probe",
        f"{AGENT}/run/work.py",
        ("    if is_asked(resource):\n        allowance_s"),
        ("    if False:\n        allowance_s"),
        f"{UNIT}/agent/test_waits.py",
    ),
    one(
        "a stop goes bottom to top",
        f"{AGENT}/run/work.py",
        "await _each(downwards, stops(whole), down)",
        "await _each(range(len(whole)), needs(whole), down)",
        f"{UNIT}/agent/test_people.py",
    ),
    one(
        "what is restarted is what stands on what failed",
        "crds/backstay_api/objects/sequence.py",
        "        tuple(range(position)) if one.after is None else",
        "        tuple(range(position)) if True else",
        f"{UNIT}/agent/test_after.py",
    ),
    one(
        "a service is restarted in place as often as its manifest says",
        f"{AGENT}/core/rules.py",
        "return replace(known, wanted=order.resources, recovery=order.recovery)",
        "return replace(known, wanted=order.resources)",
        f"{UNIT}/agent/test_recovery.py",
    ),
    one(
        "what is left to others is not touched",
        f"{AGENT}/core/rules.py",
        "    return books.hands_off or record.hands_off",
        "    return books.hands_off",
        f"{UNIT}/agent/test_recovery.py",
        "sim:recovery:20",
    ),
    one(
        "an address goes up after its server",
        f"{AGENT}/run/work.py",
        "await _each(range(len(resources)), before, up)",
        "await _each(range(len(resources)), [() for _ in resources], up)",
        "sim:recovery:20",
    ),
    one(
        "an address goes down before its server",
        f"{AGENT}/run/work.py",
        "await _each(downwards, stops(whole), down)",
        "await _each(downwards, [() for _ in whole], down)",
        "sim:recovery:20",
    ),
    one(
        "what is left to others is stopped when that is ordered",
        f"{AGENT}/core/rules.py",
        "    if books.hands_off and record.may_run:",
        "    if hands_off(record, books) and record.may_run:",
        f"{UNIT}/agent/test_recovery.py",
    ),
    one(
        "one clear forgets once",
        f"{AGENT}/core/books.py",
        "return self if cleared <= self.cleared else",
        "return self if not cleared else",
        f"{UNIT}/agent/test_recovery.py",
    ),
    one(
        "a stop that failed stops the rest all the same",
        f"{AGENT}/run/work.py",
        '            failures[at] = f"{resource.name}: {error}"',
        "            raise",
        f"{UNIT}/agent/test_stories.py",
    ),
    one(
        "an address stays up while what stands below is restarted",
        f"{API}/objects/edits.py",
        "if one.name not in found | stays and",
        "if one.name not in found and",
        f"{UNIT}/api/objects/test_edits.py",
        f"{UNIT}/agent/test_people.py",
    ),
    one(
        "unknown counts as running for the first epoch",
        f"{AGENT}/standby/readiness.py",
        "DOWN: Final = (State.STOPPED, State.FAILED)",
        "DOWN: Final = (State.STOPPED, State.FAILED, State.UNKNOWN)",
        f"{UNIT}/agent/standby/test_readiness.py",
    ),
    one(
        "what hangs is not ready",
        f"{AGENT}/standby/readiness.py",
        "return StandbyReport(ready=False, active=unclear, unclear=unclear,",
        "return StandbyReport(ready=True, active=False, unclear=False,",
        f"{UNIT}/agent/standby/test_readiness.py",
    ),
    one(
        "what cannot be secured is not ready",
        f"{AGENT}/standby/readiness.py",
        '            return [str(error)], f"{error}; {by_itself}" if by_itself else ""',
        '            return [], ""',
        f"{UNIT}/agent/standby/test_readiness.py",
    ),
    one(
        "a unit that is held is not given back",
        f"{AGENT}/standby/standbys.py",
        (
            "        if why is not None:\n"
            "            self._held[unit] = Held(why, held.since_s if held else now_s)\n"
            "            return\n"
        ),
        "",
        f"{UNIT}/agent/standby/test_held.py",
    ),
    one(
        "nothing is given back before the orders are received",
        f"{AGENT}/standby/standbys.py",
        ("        if self._secured is None:\n            return\n"),
        ("        if self._secured is None:\n            self._secured = frozenset()\n"),
        f"{UNIT}/agent/standby/test_held.py",
    ),
    one(
        "what runs keeps its mark",
        f"{AGENT}/standby/standbys.py",
        "units_of((*ordered, *running))",
        "units_of(ordered)",
        f"{UNIT}/agent/standby/test_held.py",
    ),
    one(
        "an umbrella that pulls in is refused by name",
        f"{DRIVERS}/systemd/fitness.py",
        ("        _does_nothing(unit, known, pulled_in)\n        or _works"),
        "        _works",
        f"{UNIT}/agent/drivers/systemd/test_closure.py",
    ),
    one(
        "a process that only waits is an umbrella where its parts are others' as well",
        f"{DRIVERS}/systemd/fitness.py",
        "set(pulled_in) <= set(closure(unit, known))",
        "True",
        f"{UNIT}/agent/drivers/systemd/test_closure.py",
    ),
    one(
        "what RemainAfterExit= keeps up is stopped only by a stop that succeeds",
        f"{DRIVERS}/tools/sentences.py",
        "(has_no_process(properties) or _had_ended(properties))",
        "has_no_process(properties)",
        f"{UNIT}/agent/drivers/systemd/test_closure.py",
    ),
    one(
        "work elsewhere is refused",
        f"{DRIVERS}/systemd/fitness.py",
        "        or _works_elsewhere(unit, properties, scripts)\n",
        "",
        f"{UNIT}/agent/drivers/systemd/test_closure.py",
    ),
    one(
        "a oneshot needs a probe",
        f"{DRIVERS}/systemd/fitness.py",
        "        or _needs_a_probe(unit, properties, working, asked=asked)\n",
        "",
        f"{UNIT}/agent/drivers/systemd/test_closure.py",
    ),
    one(
        "what would not stay is refused",
        f"{DRIVERS}/systemd/fitness.py",
        "        or _would_not_stay(unit, properties)\n",
        "",
        f"{UNIT}/agent/drivers/systemd/test_closure.py",
    ),
    one(
        "a unit that ends the host is refused",
        f"{DRIVERS}/systemd/fitness.py",
        "        or _ends_the_host(unit, properties)\n",
        "",
        f"{UNIT}/agent/drivers/systemd/test_closure.py",
    ),
    one(
        "what others want too is the host's",
        f"{DRIVERS}/systemd/closure.py",
        "    return bool(wishes) and wishes <= ours and not _is_anybodys(name, known[name])",
        "    return bool(wishes) and not _is_anybodys(name, known[name])",
        f"{UNIT}/agent/drivers/systemd/test_closure.py",
    ),
    one(
        "parts go with the unit",
        f"{DRIVERS}/systemd/closure.py",
        ("        return name.endswith(GATED)\n    wishes"),
        ("        return False\n    wishes"),
        f"{UNIT}/agent/drivers/systemd/test_closure.py",
    ),
    one(
        "a trigger is one with its unit",
        f"{DRIVERS}/systemd/closure.py",
        "    return woken | triggers | {trigger",
        "    return woken | {trigger",
        f"{UNIT}/agent/drivers/systemd/test_closure.py",
    ),
)
