"""Mutants of what a unit has others do, of what has left its control group, and of what a host's own end is told from."""

from __future__ import annotations

from typing import Final

from .kinds import AGENT, DRIVERS, UNIT, Mutant, one

_FITNESS: Final = f"{DRIVERS}/systemd/fitness.py"
_ELSEWHERE: Final = f"{DRIVERS}/systemd/work_elsewhere.py"
_DRIVER: Final = f"{DRIVERS}/systemd/driver.py"
_SECURING: Final = f"{DRIVERS}/systemd/securing.py"
_ESCAPED: Final = f"{DRIVERS}/tools/escaped_processes.py"
_JOBS: Final = f"{DRIVERS}/tools/jobs.py"
_FIT: Final = f"{UNIT}/agent/drivers/systemd/test_fitness.py"
_STOPS: Final = f"{UNIT}/agent/drivers/systemd/test_stopping.py"
_ACTS: Final = f"{UNIT}/agent/drivers/tools/test_jobs.py"
_LEAVING: Final = f"{AGENT}/core/leaving.py"
_LEAVES: Final = f"{UNIT}/agent/test_leaves.py"
_WORDS: Final = f"{UNIT}/agent/drivers/systemd/test_work_elsewhere.py"

MUTANTS: Final[tuple[Mutant, ...]] = (
    one(
        "a start that systemd gives more time is waited for",
        f"{DRIVERS}/systemd/start_time.py",
        "            limit.reschedule(loop.time() + 2 * LOOK_S)\n",
        "",
        f"{UNIT}/agent/drivers/systemd/test_start_time.py",
    ),
    one(
        "a restart by systemd is another start",
        f"{DRIVERS}/systemd/start_time.py",
        " or start != this_start",
        "",
        f"{UNIT}/agent/drivers/systemd/test_start_time.py",
    ),
    one(
        "a remark begins where no quotes are open",
        _ELSEWHERE,
        """    end = next((at for at in found if not any(line.count(quote, 0, at) % 2 for quote in "'\\"")), len(line))""",
        "    end = next(found, len(line))",
        _WORDS,
    ),
    one(
        "a number sign within a word begins no remark",
        _ELSEWHERE,
        r"""re.compile(r"(?:^|(?<=[\s;&|()]))#")""",
        """re.compile(r"#")""",
        _WORDS,
    ),
    one(
        "a runtime that detaches leaves a unit's control group",
        _ELSEWHERE,
        '    **dict.fromkeys(("runc", "crun"), _detached),\n',
        "",
        _WORDS,
    ),
    one(
        "who conflicts with a unit is asked for, too",
        f"{DRIVERS}/systemd/fitness.py",
        'known[unit].get("ConflictedBy", [])',
        "()",
        f"{UNIT}/agent/drivers/systemd/test_fitness.py",
    ),
    one(
        "a part of a unit that would harm others makes the host not ready",
        f"{DRIVERS}/systemd/fitness.py",
        "        or _part_would_harm(unit, known)\n",
        "",
        f"{UNIT}/agent/drivers/systemd/test_fitness.py",
    ),
    one(
        "what a stop has left is asked to end before it is killed",
        f"{DRIVERS}/tools/verified_stop.py",
        "    cgroups.terminate(group)\n",
        "",
        f"{UNIT}/agent/drivers/tools/test_leftovers.py",
    ),
    one(
        "work in a scope of its own is refused",
        _ELSEWHERE,
        "    return IN_A_SCOPE if",
        '    return "" if',
        _WORDS,
    ),
    one(
        "parts have their work done by nobody else either",
        _FITNESS,
        "        or _parts_work_elsewhere(unit, known, scripts_of_parts)\n",
        "",
        _WORDS,
    ),
    one("a container's exec is its work too", _ELSEWHERE, '"launch", "exec", "play"),', '"launch", "play"),', _WORDS),
    one("a unit is started by D-Bus too", _ELSEWHERE, '    "busctl": _JOBS,\n', "", _WORDS),
    one("what starts is told to start by reenable too", _ELSEWHERE, '("enable", "reenable")', '("enable",)', _WORDS),
    one(
        "what has no verb does what it does",
        _ELSEWHERE,
        '    "batch": re.compile(r"|-[^V]\\S*|<\\S*"),\n',
        "",
        _WORDS,
    ),
    one("a long command goes on", _ELSEWHERE, 'script.replace("\\\\\\n", " ")', "script", _WORDS),
    one("no host is restarted softly for a unit", _FITNESS, "|soft-reboot|suspend)", "|suspend)", _WORDS),
    one(
        "no host ends as its unit has been started too often",
        _FITNESS,
        '"SuccessAction", "StartLimitAction", ',
        '"SuccessAction", ',
        _WORDS,
    ),
    one(
        "an agent that is stopped with other units releases what it holds",
        _LEAVING,
        "    return end or (_WITH_OTHERS if",
        "    return end or (None if",
        _LEAVES,
    ),
    one(
        "an agent that is stopped alone stops nothing",
        _LEAVING,
        " and any(map(_is_running_work, stopping - {_AGENT})) else",
        " else",
        _LEAVES,
    ),
    one("an agent that only sees others stop does not leave", _LEAVING, "_AGENT in stopping and any", "any", _LEAVES),
    one("who logs out stops nothing", _LEAVING, " and not unit.startswith(_LOGINS)", "", _LEAVES),
    one(
        "a soft reboot is an end",
        _LEAVING,
        '    "soft-reboot.target": GoingDown("its user space is restarted", "Reboot"),\n',
        "",
        _LEAVES,
    ),
    one(
        "a boot of another kernel is an end",
        _LEAVING,
        '    "kexec.target": GoingDown("it boots another kernel", "Reboot"),\n',
        "",
        _LEAVES,
    ),
    one(
        "a oneshot starts nothing that others want as well",
        _FITNESS,
        "        or _starts_what_stays(unit, known, working)\n",
        "",
        _FIT,
    ),
    one(
        "a oneshot may say after its stop how it is undone",
        _FITNESS,
        ' and not _command_lines(properties, "ExecStopPost")',
        "",
        _FIT,
    ),
    one(
        "who conflicts with what it pulls in is not fit",
        _FITNESS,
        "        if name in pulled_in:\n",
        "        if False:\n",
        _FIT,
    ),
    one(
        "what was seen elsewhere is ended though its parents are gone",
        _ESCAPED,
        "alive = [process for process in known if _lives(process)]",
        "alive = list[Escaped]()",
        _STOPS,
    ),
    one(
        "what has the number of a dead process is left alone",
        _ESCAPED,
        'return birth(f"/proc/{process.pid}") == process.born',
        'return birth(f"/proc/{process.pid}") != ""',
        _STOPS,
    ),
    one("what does not listen is killed", _ESCAPED, "else signal.SIGKILL", "else signal.SIGTERM", _STOPS),
    one(
        "a stop does not count while something lives elsewhere",
        _DRIVER,
        "        if left:\n            raise StopFailed(",
        "        if False:\n            raise StopFailed(",
        _STOPS,
    ),
    one(
        "what a unit was given while it stopped is stopped too",
        _DRIVER,
        "        if late := [member for member in now.members if member not in standing.members]:",
        "        if late := list[str]():",
        _STOPS,
    ),
    one("who starts a unit at a boot is looked for some way back", _SECURING, "depth=4", "depth=0", _STOPS),
    one(
        "what is enabled until a boot is enabled",
        _SECURING,
        'if state.startswith("enabled")',
        'if state == "enabled"',
        _STOPS,
    ),
    one(
        "only a start is a start by an admin",
        _JOBS,
        'if asked.kind in ("start", "reload-or-start") and not was_up',
        "if not was_up",
        _ACTS,
    ),
    one("of what is up no start is told", _JOBS, ' if active not in UP else ""', "", _ACTS),
    one("only of a start its job is asked for", _JOBS, 'asked.kind == "start" and has_job', "has_job", _ACTS),
    one(
        "a stop that is followed by a job is no restart",
        _JOBS,
        "(not asked.kind and has_job and active",
        "(has_job and active",
        _ACTS,
    ),
    one("what a part starts by is looked into, too", _FITNESS, "scripts.get(part, ())", "()", _WORDS),
    one("the scripts of parts are read", _SECURING, "scripts_of_parts=parts", "scripts_of_parts={}", _STOPS),
    one(
        "a host that has left its target has stopped more than its agent",
        _LEAVING,
        'return [(target, "stop")] if is_left',
        "return [] if is_left",
        _LEAVES,
    ),
    one("a host that boots has left no target", _LEAVING, " and all(unit != target for unit, _ in jobs)", "", _LEAVES),
    one(
        "a target that is up was not left",
        _LEAVING,
        'is_left = state in ("inactive", "deactivating") and all',
        "is_left = bool(state) and all",
        _LEAVES,
    ),
    one(
        "nothing of the host is secured under another of its names",
        f"{DRIVERS}/systemd/securing.py",
        "        if (why := await self._not_ours(unit)) is not None:",
        "        if False:",
        f"{UNIT}/agent/drivers/systemd/test_other_names.py",
    ),
    one(
        "what was secured before the host had it under another name is given back",
        f"{DRIVERS}/systemd/securing.py",
        "        await self._give_back_the_hosts(standing)\n",
        "",
        f"{UNIT}/agent/drivers/systemd/test_other_names.py",
    ),
    one(
        "a unit that is the host's by another of its names is never handed over",
        f"{DRIVERS}/tools/sentences.py",
        '    if name := name_of_the_host((str(properties.get("Id", unit)), *map(str, properties.get("Names", ())))):',
        '    if name := "":',
        f"{UNIT}/agent/drivers/systemd/test_other_names.py",
    ),
    one(
        "a handler that isolates stops the rest of the host",
        f"{DRIVERS}/systemd/fitness.py",
        '_STOPS_THE_REST: Final = ("isolate", "flush")',
        "_STOPS_THE_REST: Final = ()",
        f"{UNIT}/agent/drivers/systemd/test_fitness.py",
    ),
    one(
        "an init script is started by the unit that its package has beside it",
        f"{DRIVERS}/command.py",
        'is_native = bool(made.get("FragmentPath"))',
        "is_native = False",
        f"{UNIT}/agent/drivers/test_command.py",
    ),
    one(
        "what a removed package has left says nothing of what runs",
        f"{DRIVERS}/command.py",
        '    if (why := await missing(argv)) is not None or not argv[0].startswith("/etc/init.d/"):',
        "    if (why := await missing(argv)) is not None or True:",
        f"{UNIT}/agent/drivers/test_command.py",
    ),
    one(
        "an OCF agent is not started with the parameters of before",
        f"{DRIVERS}/tools/start_units.py",
        " and known.ocf == resource.ocf",
        "",
        f"{UNIT}/agent/drivers/ocf/test_announced.py",
    ),
    one(
        "a file system on several disks is unmounted whichever of them the kernel shows",
        f"{DRIVERS}/mount/driver.py",
        "            self._note_what_shows(resource, source)\n",
        "",
        f"{UNIT}/agent/drivers/mount/test_mounts.py",
    ),
    one(
        "who holds a mount is asked to end, and nobody who has its number by now",
        f"{DRIVERS}/tools/escaped_processes.py",
        '            if birth(f"/proc/{pid}") == born:',
        "            if True:",
        f"{UNIT}/agent/drivers/tools/test_escaped_processes.py",
    ),
)
