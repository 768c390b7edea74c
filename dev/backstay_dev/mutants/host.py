"""Mutants of the agent and its drivers: sessions, journal, starts and stops (PROTOCOL 3 and 7)."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, DRIVERS, HOSTS, UNIT, Edit, Mutant, one

_RULES: Final = f"{AGENT}/core/rules.py"
_MACHINE: Final = f"{AGENT}/core/machine.py"
_SESSIONS: Final = f"{AGENT}/core/sessions.py"
_RUNNER: Final = f"{AGENT}/run/runner.py"
_C: Final = (
    *(f"{UNIT}/agent/core/test_{each}.py" for each in ("rules", "machine", "sessions")),
    *(f"{UNIT}/agent/test_{each}.py" for each in ("stories", "restarted", "full_disk", "trouble")),
)
_K: Final = tuple(f"{UNIT}/agent/test_{each}.py" for each in ("killed", "stories", "restarted", "full_disk", "trouble"))


def _told(story: str) -> str:
    """The story that a lab's host tells of real drivers."""
    return f"{HOSTS}/test_drivers_host.py::test_story[{story}]"


MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "an entry is bound to its session",
        _RULES,
        "    if checkpoint.seq == 0 or order.session != checkpoint.session:",
        "    if checkpoint.seq == 0:",
        *_C,
        "sim:reboots",
    ),
    Mutant(
        "an epoch that is over here is over for ever",
        (
            Edit(
                _RULES,
                '    if record.closed:\n        return Ignored(f"epoch {order.epoch} is over on this host")\n',
                "",
            ),
            Edit(
                _RULES,
                '    if record.want == "Down":\n        return Ignored("it was told to stop, and that is',
                '    if record.want == "Down" and not record.closed:\n        return Ignored("it was told to stop, and that is',
            ),
        ),
        _C,
    ),
    Mutant(
        "Down is not taken back within an epoch",
        (
            Edit(
                _RULES,
                '    if record.want == "Down":\n'
                '        return Ignored("it was told to stop, and that is not taken back within an epoch")\n',
                "",
            ),
            Edit(
                _RULES,
                "        known = replace(forgiven, revision=order.revision",
                "        known = replace(forgiven, want=order.want, revision=order.revision",
            ),
        ),
        _C,
    ),
    one(
        "nothing starts after a seal",
        _RULES,
        '    if checkpoint.seal_seen:\n        return NotToStart(f"this session may start nothing any more',
        '    if False:\n        return NotToStart(f"this session may start nothing any more',
        *_C,
        quick=True,
    ),
    one(
        "a grant of an earlier session starts nothing",
        _RULES,
        '    if record.nonce != checkpoint.nonce:\n        return NotToStart("it was granted to an earlier session',
        '    if False:\n        return NotToStart("it was granted to an earlier session',
        *_C,
    ),
    one(
        "nothing that was told to stop starts",
        _RULES,
        '    if record.want != "Up":\n        return NotToStart("it was told to stop")\n',
        "",
        *_C,
    ),
    one(
        "a host that may run nothing exclusive runs nothing exclusive",
        _RULES,
        "    if record.exclusive and obstacle:",
        "    if False:",
        *_C,
        f"{UNIT}/agent/test_keeping.py",
    ),
    one(
        "nothing starts while the machine goes down",
        _RULES,
        "    if leaving:\n",
        "    if False:\n",
        *_C,
        f"{UNIT}/agent/test_people.py",
    ),
    one(
        "two instances that name one unit do not both run on a host",
        _RULES,
        "            for claim in sorted(mine & claims(other)):",
        "            for claim in ():",
        *_C,
    ),
    one(
        "what must stop does not wait for the end of a maintenance",
        _MACHINE,
        "lambda now: now.hands_off and not now.must_stop,",
        "lambda now: now.hands_off,                      ",
        *_C,
    ),
    one(
        "a sealed Lease is never taken",
        _SESSIONS,
        "        return Hold.WAIT if lease.seq < mine.seq else Hold.LOST",
        "        return Hold.TAKE if lease.seq < mine.seq else Hold.LOST",
        *_C,
    ),
    one(
        "who finds its own Lease sealed stops",
        _SESSIONS,
        "        return Hold.LOST if lease.sealed else Hold.RENEW",
        "        return Hold.WAIT if lease.sealed else Hold.RENEW",
        *_C,
        "sim:fencing",
    ),
    one(
        "a new session supersedes every earlier one of its boot",
        _SESSIONS,
        "    return tuple(known)[-SUPERSEDES_MOST:]",
        "    return tuple(known)[-1:]",
        *_C,
    ),
    one(
        "seq only grows",
        _SESSIONS,
        "    seq = checkpoint.seq or counted + 1",
        "    seq = checkpoint.seq or counted",
        *_C,
    ),
    one(
        "a session of another machine is not overwritten",
        _SESSIONS,
        "    if stored is not None and stored.machine_uuid != machine_uuid:",
        "    if False:",
        *_C,
    ),
    one(
        "an overtaken session stops",
        _SESSIONS,
        "    if stored is not None and checkpoint.seq and stored.seq >= checkpoint.seq:",
        "    if False:",
        *_C,
    ),
    one(
        "a journal that cannot be trusted stops everything first",
        _SESSIONS,
        "    **{(JournalState.BROKEN, inventory): Start.STOP_ALL for inventory in Inventory},",
        "    **{(JournalState.BROKEN, inventory): Start.OPEN for inventory in Inventory},",
        *_C,
    ),
    one(
        "a lost journal stops what the inventory lists",
        _SESSIONS,
        "    **{(kept, Inventory.THIS_BOOT): Start.STOP_ALL for kept in (JournalState.ABSENT, JournalState.OTHER_BOOT)},",
        "    **{(kept, Inventory.THIS_BOOT): Start.OPEN for kept in (JournalState.ABSENT, JournalState.OTHER_BOOT)},",
        *_C,
    ),
    one(
        "leftovers are stopped before a session is opened",
        _SESSIONS,
        "    return Start.STOP_ALL if leftovers and start is Start.OPEN else start",
        "    return start",
        *_C,
    ),
    one(
        "it is asked once more at the moment of the start",
        _RUNNER,
        "            if may_start and (refused := self.promotion.may_start(record, checkpoint)):",
        "            if False and (refused := self.promotion.may_start(record, checkpoint)):",
        *_K,
        f"{UNIT}/agent/core/test_rules.py",
        f"{UNIT}/agent/test_people.py",
        "sim:agents",
        "sim:fencing",
    ),
    one(
        "the inventory lists what is started, before it is",
        _RUNNER,
        "        await self._tools.journal.cover(self.uid, resources)\n        # After a restart",
        "        # After a restart",
        *_K,
    ),
    one(
        "Released comes after the verified stop",
        f"{AGENT}/core/reports.py",
        'else "Soft",\n        released=record.closed,',
        'else "Soft",\n        released=record.closed or record.want == "Down",',
        *_K,
        "sim:moves",
    ),
    Mutant(
        "Released comes after the own record",
        (
            Edit(
                f"{AGENT}/store/journal.py",
                "            if new is not self.checkpoint and new != self.checkpoint:\n                await self._write(new)",
                "            if new is not self.checkpoint and new != self.checkpoint:\n"
                "                self._checkpoint = new\n"
                "                self._late = asyncio.create_task(self._write_later())",
            ),
            Edit(
                f"{AGENT}/store/journal.py",
                "    async def _write(self, checkpoint: Checkpoint) -> None:",
                "    async def _write_later(self) -> None:\n"
                "        await asyncio.sleep(1.0)\n"
                "        await self._write(self.checkpoint)\n\n"
                "    async def _write(self, checkpoint: Checkpoint) -> None:",
            ),
        ),
        (*_K, "sim:agents"),
    ),
    Mutant(
        "a session is superseded only when everything exclusive of it has stopped",
        (
            Edit(
                f"{AGENT}/run/supervisor.py",
                "        while left := _may_still_run(self._journal.checkpoint):",
                "        while left := list[str]():",
            ),
            Edit(f"{AGENT}/core/checkpoint.py", "        assert not exclusive,", "        assert True,"),
        ),
        (*_K, "sim:fencing"),
    ),
    one(
        "a stop that failed is no stop",
        _RUNNER,
        "        self.stops.note = await work.take_down(self._tools.system, self.record.to_stop)\n        try:",
        "        try:\n            self.stops.note = await work.take_down(self._tools.system, self.record.to_stop)\n"
        "        except StopFailed:\n            pass\n        try:",
        *_K,
        f"{UNIT}/agent/core/test_rules.py",
    ),
    one(
        "a session whose Lease is lost is over",
        f"{AGENT}/cluster/heartbeat.py",
        "                    self._on_lost(why_lost(known, session))",
        "                    pass",
        *_K,
        *_C,
    ),
    one(
        "what is altered is not trusted",
        f"{AGENT}/store/journal.py",
        "    if not newline or _check_sum(body) != check_sum:",
        "    if not newline:",
        *_K,
    ),
    # --- drivers --------------------------------------------------------------------------------------------------
    one(
        "every candidate's unit waits for a gate",
        f"{DRIVERS}/tools/units.py",
        '        f"ConditionPathExists={gate}",\n',
        "",
        f"{UNIT}/agent/drivers/tools/test_units.py",
        quick=True,
    ),
    one(
        "systemd does not restart a unit by itself",
        f"{DRIVERS}/tools/units.py",
        '        lines += [] if owner else ["Restart=no", "RestartForceExitStatus="]',
        "        lines += []",
        f"{UNIT}/agent/drivers/tools/test_units.py",
    ),
    one(
        "the host's own units are nobody's",
        f"{DRIVERS}/tools/units.py",
        "    if _is_forbidden(unit):",
        "    if False:",
        f"{UNIT}/agent/drivers/tools/test_units.py",
    ),
    one(
        "everything that starts and stops with a unit is gated with it",
        f"{DRIVERS}/systemd/closure.py",
        "            return (unit, *sorted(kept - {unit}))",
        "            return (unit,)",
        f"{UNIT}/agent/drivers/systemd/test_closure.py",
    ),
    one(
        "what only a unit's end calls is gated with it",
        f"{DRIVERS}/systemd/closure.py",
        '    handlers = HANDLERS if "OnFailureOf" in properties else ()',
        "    handlers = ()",
        f"{UNIT}/agent/drivers/systemd/test_closure.py",
    ),
    one(
        "a stop out of turn does not overtake those who named the unit",
        f"{DRIVERS}/tools/shutdown_order.py",
        '            if other.state != "waiting":',
        "            if not other.state:",
        f"{UNIT}/agent/drivers/tools/test_shutdown_order.py",
    ),
    one(
        "of a unit that does nothing itself it is said which unit does the work",
        f"{DRIVERS}/systemd/closure.py",
        '    names = _names(known.get(unit, {}), (*PULLS, "ConsistsOf", "PropagatesStopTo"))',
        "    names = set[str]()",
        f"{UNIT}/agent/drivers/systemd/test_closure.py",
    ),
    one(
        "a stop is proven by an empty control group",
        f"{DRIVERS}/tools/verified_stop.py",
        "    return down and not any(cgroups.populated(group) for group in groups)",
        "    return down",
        _told("what_a_unit_leaves_behind_goes_too"),
    ),
    one(
        "what a unit pulls in bears the mark of who started it, too",
        f"{DRIVERS}/tools/units.py",
        '        lines += ["[Service]", f"Environment={MARK_VARIABLE}=%n"]\n',
        '        lines += ["[Service]", *([] if owner else [f"Environment={MARK_VARIABLE}=%n"])]\n',
        _told("work_that_a_part_left_elsewhere_is_stopped_too"),
    ),
    one(
        "a stop is of everything that the unit stands for",
        f"{DRIVERS}/systemd/driver.py",
        "            rest = [member for member in standing.members if member not in standing.triggers]",
        "            rest = [standing.unit]",
        _told("what_an_umbrella_runs_is_seen_and_stopped_with_it"),
    ),
    one(
        "a leftover is also what only a part of the unit runs",
        f"{DRIVERS}/systemd/driver.py",
        "for unit in self._files.with_drop_in() if not run_is_intact",
        "for unit in self._files.owners() if not run_is_intact",
        _told("what_an_umbrella_runs_is_seen_and_stopped_with_it"),
    ),
    one(
        "a unit is stopped only when all that it stands for is",
        f"{DRIVERS}/systemd/driver.py",
        "        for part in standing.members[1:]:",
        "        for part in standing.members[:0]:",
        _told("what_an_umbrella_runs_is_seen_and_stopped_with_it"),
    ),
    one(
        "a stop that systemd calls failed is no verified stop of what has no process",
        f"{DRIVERS}/tools/verified_stop.py",
        "        if why := stop_failed(unit, watch.properties):",
        "        if (why := stop_failed(unit, watch.properties)) and False:",
        _told("a_stop_that_failed_is_no_verified_stop_of_what_has_no_process"),
    ),
    one(
        "the gate shuts before the stop",
        f"{DRIVERS}/tools/units.py",
        "        self.gate(unit).unlink(missing_ok=True)",
        "        pass",
        f"{UNIT}/agent/drivers/tools/test_units.py",
        f"{HOSTS}/test_drivers_host.py",
    ),
    one(
        "what cannot be kept from starting at the next boot counts as running",
        f"{AGENT}/standby/readiness.py",
        "            if loose and not is_ours and not active:",
        "            if False:",
        f"{UNIT}/agent/standby/test_readiness.py",
    ),
    one(
        "the period of a renewal is counted from the send",
        f"{AGENT}/cluster/heartbeat.py",
        "            begun_s = clock_s()\n            await self._beat()",
        "            await self._beat()\n            begun_s = clock_s()",
        f"{UNIT}/agent/test_trouble.py",
    ),
    one(
        "in HandsOff the gate opens for what was granted to this session only",
        _RUNNER,
        "        elif refused := self.promotion.may_start(record, self._tools.journal.checkpoint):\n"
        "            raise MayNot(refused.why)\n        for",
        "        for",
        f"{UNIT}/agent/test_people.py",
    ),
)
