"""Mutants of what a manifest says of units and commands beyond their names, and of how systemd is asked."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, API, DRIVERS, FENCER, HOSTS, UNIT, Mutant, one

_SETTINGS: Final = f"{API}/objects/unit_settings.py"
_OVERRIDES: Final = f"{DRIVERS}/systemd/overrides.py"
_COMMAND: Final = f"{DRIVERS}/command.py"
_EXECUTION: Final = f"{DRIVERS}/tools/execution.py"
_APPLYING: Final = f"{AGENT}/run/applying.py"
_SAID: Final = f"{UNIT}/api/objects/test_unit_settings.py"
_EDITS: Final = f"{UNIT}/agent/test_edits.py"
_COMMANDS: Final = f"{UNIT}/agent/drivers/test_command.py"
_EXECUTED: Final = f"{UNIT}/agent/drivers/tools/test_execution.py"


def _told(story: str) -> str:
    return f"{HOSTS}/test_drivers_host.py::test_story[{story}]"


MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "a volume group is taken over only from who had it for Backstay",
        f"{DRIVERS}/mount/volumes.py",
        'if owner not in ("", host.system_id) and',
        "if False and",
        f"{UNIT}/agent/drivers/mount/test_volumes.py",
    ),
    one(
        "a stop counts when the volume is not active",
        f"{DRIVERS}/mount/lvm.py",
        "        if await self.active(volume):\n            raise StopFailed(",
        "        if False:\n            raise StopFailed(",
        f"{UNIT}/agent/drivers/mount/test_volumes.py",
    ),
    one(
        "what is not in the table cannot be overridden",
        _SETTINGS,
        "if (setting := SETTINGS.get(name)) is None:",
        "if (setting := SETTINGS.get(name, _COUNT)) is None:",
        _SAID,
    ),
    one(
        "a value is within its bounds",
        _SETTINGS,
        "return self.lowest <= int(value) <= self.highest if",
        "return True if",
        _SAID,
    ),
    one("our mark is no variable of others", _SETTINGS, ' or name.startswith("BACKSTAY_"):', ":", _SAID),
    one(
        "a limit holds from a start on",
        _SETTINGS,
        "return unit.unit, tuple(sorted(lasting.items())), tuple",
        "return unit.unit, (), tuple",
        _SAID,
        _EDITS,
    ),
    one(
        "calls of one connection to D-Bus take turns",
        f"{DRIVERS}/tools/bus.py",
        "        async with self._turns:\n            call = send()",
        "        if self._turns:\n            call = send()",
        f"{UNIT}/agent/drivers/tools/test_bus.py",
    ),
    one(
        "systemd may be asked to keep any number of units",
        f"{DRIVERS}/tools/systemd_quota.py",
        "        if only_watched and path not in self._held and self.count >= MOST_WATCHED:",
        "        if self.count < 0:",
        f"{UNIT}/agent/drivers/tools/test_systemd_quota.py",
    ),
    one(
        "any number of programs may run at a time",
        f"{DRIVERS}/tools/transient.py",
        "    async with manager.programs, manager.watch(unit) as watch:",
        "    async with manager.watch(unit) as watch:",
        f"{UNIT}/agent/drivers/tools/test_manager.py",
    ),
    one(
        "a program that systemd has forgotten has answered",
        f"{DRIVERS}/tools/transient.py",
        '                if not watch.properties.get("ExecMainCode") and',
        "                if False and",
        f"{UNIT}/agent/drivers/tools/test_manager.py",
    ),
    one(
        "a watch that has ended is watched anew",
        f"{DRIVERS}/tools/manager.py",
        "        if watch not in self._watches:\n            return",
        "        if False:\n            return",
        f"{UNIT}/agent/drivers/tools/test_manager.py",
    ),
    one(
        "a unit for which a start is queued is not down",
        f"{DRIVERS}/tools/verified_stop.py",
        "            if watch.active in DOWN and not watch.has_job:",
        "            if watch.active in DOWN:",
        f"{UNIT}/agent/drivers/tools/test_manager.py",
    ),
    one(
        "an old answer overwrites a newer signal",
        f"{DRIVERS}/tools/manager.py",
        "            if watch.signals == told:\n                return",
        "            return",
        f"{UNIT}/agent/drivers/tools/test_manager.py",
    ),
    one(
        "what is posted to D-Bus counts as a call that waits",
        f"{DRIVERS}/tools/bus.py",
        "            message.expect_reply = False",
        "            message.expect_reply = True",
        f"{UNIT}/agent/drivers/tools/test_bus.py",
    ),
    one(
        "parts that were given back are parts still",
        f"{DRIVERS}/tools/units.py",
        "        self._note(unit, unit)\n",
        "",
        f"{UNIT}/agent/drivers/tools/test_units.py",
    ),
    one(
        "an open gate is left by nobody",
        f"{DRIVERS}/systemd/driver.py",
        "            stays_down = down and not self._files.is_open(unit)",
        "            stays_down = down",
        f"{HOSTS}/test_drivers_host.py::test_story[what_is_down_while_its_gate_stands_open_is_left_over_too]",
    ),
    one("a percent sign is a percent sign", _OVERRIDES, '("%", "%%"), ', "", _SAID),
    one(
        "overrides go with the stop",
        f"{DRIVERS}/systemd/driver.py",
        "            await self._overrides.take_away(unit)\n        except",
        "        except",
        _told("overrides_hold_from_the_start_on_and_go_with_the_stop"),
    ),
    one(
        "what a dead agent has written and systemd has not read is found out",
        _OVERRIDES,
        "if is_news or self._is_in_force(spec.unit, known) is not bool(wanted):",
        "if is_news:",
        _told("a_live_override_reaches_what_runs"),
    ),
    one(
        "what could not be applied is tried again",
        _APPLYING,
        "            while not await self._is_applied(before, wanted):",
        "            if not await self._is_applied(before, wanted):",
        _EDITS,
    ),
    one(
        "what could not be applied is told",
        _APPLYING,
        'self.why = f"{wanted.name}: {error}',
        'self.why = "" and f"{wanted.name}: {error}',
        _EDITS,
    ),
    one("the same text is no reload", _APPLYING, "if is_applied(old, new)]", "]", _EDITS, _SAID),
    one(
        "7 is no status of an init script",
        f"{DRIVERS}/tools/lsb.py",
        "3: CheckAnswer.DOWN}",
        "3: CheckAnswer.DOWN, 7: CheckAnswer.DOWN}",
        _COMMANDS,
    ),
    one(
        "what is dead does not run",
        f"{DRIVERS}/tools/lsb.py",
        "1: CheckAnswer.DEAD, 2",
        "1: CheckAnswer.DOWN, 2",
        _COMMANDS,
    ),
    one(
        "what a simple command started does not outlive its end in name",
        _COMMAND,
        '("RemainAfterExit", ("b", False))]',
        '("RemainAfterExit", ("b", True))]',
        _COMMANDS,
    ),
    one(
        "a command that had to be killed is stopped",
        _COMMAND,
        "stop_s = 2 * max(",
        "stop_s = min(",
        f"{HOSTS}/test_driver_contracts.py::test_a_driver_keeps_it[command-what_does_not_go_is_not_called_stopped]",
    ),
    one(
        "a command's own variables do not replace ours",
        _EXECUTION,
        '{**(command.environment or {}), **dict(word.split("=", 1) for word in ours)}',
        '{**dict(word.split("=", 1) for word in ours), **(command.environment or {})}',
        _EXECUTED,
    ),
    one(
        "a command's stop and check see the tmp of its start",
        _EXECUTION,
        '[("JoinsNamespaceOf", ("as", [beside]))] if beside else []',
        "[]",
        _EXECUTED,
        _told("what_a_start_leaves_in_its_own_tmp_the_others_see"),
    ),
    one(
        "a command is not ready where its user is not",
        _COMMAND,
        "await self._unfit(resource) or await self._not_as_whom(resource)",
        "await self._unfit(resource)",
        _told("a_host_that_cannot_run_it_so_says_why_before_and_at_a_start"),
    ),
    one(
        "a command's stop runs as its start does",
        _COMMAND,
        "timeout_s, more=more)",
        "timeout_s)",
        _told("all_four_programs_run_as_that_user_there_and_with_these_variables"),
    ),
    one(
        "a command's check that was edited is the one that is asked",
        f"{API}/objects/resource_kinds.py",
        "        watched=lambda command: commands_of(command).check,\n",
        "",
        _EDITS,
        f"{UNIT}/api/objects/test_edits.py",
    ),
    one(
        "a command's user is a matter of its start",
        f"{API}/objects/commands.py",
        "yield from (command.user, command.group, command.working_directory)",
        "yield from (command.group, command.working_directory)",
        _EDITS,
        f"{UNIT}/api/objects/test_edits.py",
    ),
    one(
        "a command's stop that somebody has mended is used by the stop that failed",
        f"{AGENT}/core/checkpoint.py",
        "return self.wanted if same_work(self.resources, self.wanted) else self.resources",
        "return self.resources",
        _EDITS,
    ),
    one(
        "a command is stopped by what another user started it with",
        f"{AGENT}/core/checkpoint.py",
        "return self.wanted if same_work(self.resources, self.wanted) else self.resources",
        "return self.wanted",
        _EDITS,
    ),
    one(
        "a command's mended stop is in the inventory",
        f"{AGENT}/run/runner.py",
        "            await self._tools.journal.cover(self.uid, record.wanted)\n",
        "",
        _EDITS,
    ),
    one(
        "a command that the inventory lists is not stopped as it was started",
        f"{AGENT}/run/supervisor.py",
        "if not any(same_work([one], [known]) for known in listed)",
        "if not listed or one",
        _EDITS,
    ),
    one(
        "a command that systemd has not forgotten is not started as it was",
        _COMMAND,
        "_transient(watch.unit, settings, is_wanted=is_wanted)",
        "_transient(watch.unit, settings)",
        _told("what_systemd_has_not_forgotten_is_never_started_as_another_user"),
    ),
    one(
        "a command's memory limit reaches what runs",
        _COMMAND,
        "if limits != live(_spec(before)):",
        "if not limits:",
        _told("limits_hold_for_what_runs_and_another_value_reaches_it"),
    ),
    one(
        "another limit of a command restarts nothing",
        f"{API}/objects/commands.py",
        '"" if name in live(command) else value',
        "value",
        f"{UNIT}/api/objects/test_edits.py",
    ),
    one(
        "a soft limit of a command comes before the hard one",
        f"{DRIVERS}/tools/typed_settings.py",
        '[(f"{name}Soft", ("t", _amount(soft))), (name, ("t", _amount(hard or soft)))]',
        '[(name, ("t", _amount(hard or soft))), (f"{name}Soft", ("t", _amount(soft)))]',
        f"{UNIT}/agent/drivers/tools/test_typed_settings.py",
    ),
    one(
        "a script that a shell is told to run is looked into",
        f"{DRIVERS}/systemd/fitness.py",
        "is_read = bool(_READS.fullmatch(before))",
        "is_read = False",
        f"{UNIT}/agent/drivers/systemd/test_fitness.py",
    ),
    one(
        "what a unit is bound to and that has ended has stopped it",
        f"{DRIVERS}/tools/sentences.py",
        '_ENDS_WITH_IT: Final = ("BindsTo", "StopPropagatedFrom")',
        '_ENDS_WITH_IT: Final = ("StopPropagatedFrom",)',
        f"{UNIT}/agent/drivers/tools/test_sentences.py",
    ),
    one(
        "a unit that cannot enter its working directory is not ready",
        f"{DRIVERS}/systemd/needs.py",
        'str(properties.get("WorkingDirectory", ""))',
        '""',
        f"{UNIT}/agent/standby/test_needs.py",
    ),
    one(
        "what a service mounts itself is missed on no standby",
        f"{AGENT}/standby/readiness.py",
        "with mounted_by(order.resources):",
        "with mounted_by(()):",
        f"{UNIT}/agent/standby/test_readiness.py",
    ),
    one(
        "what another service names is no part of this one (the whole)",
        f"{AGENT}/standby/common_units.py",
        "for part in sorted(set(self._parts(unit)) - own):",
        "for part in ():",
        f"{UNIT}/agent/standby/test_common_units.py",
    ),
    one(
        "what another service names is no part of this one (the part)",
        f"{AGENT}/standby/common_units.py",
        "                    if unit in self._parts(whole):",
        "                    if False:",
        f"{UNIT}/agent/standby/test_common_units.py",
    ),
    one(
        "of one service all copies and roles may share their units",
        f"{AGENT}/standby/common_units.py",
        "sorted(self._by.get(other, set()) - {service})",
        "sorted(self._by.get(other, set()))",
        f"{UNIT}/agent/standby/test_common_units.py",
    ),
    one(
        "a host is ready for neither of two that share a unit",
        f"{AGENT}/standby/readiness.py",
        "        whys += self._common.against(uid, order.resources)\n",
        "",
        f"{UNIT}/agent/standby/test_common_units.py",
    ),
    one(
        "the last off that is ours is never forgotten",
        f"{FENCER}/records.py",
        "old -= {id(one) for each in of.values() for one in [one for one in each if one.tried.ours][-1:]}",
        "old -= set()",
        f"{UNIT}/fencer/test_records.py",
    ),
)
