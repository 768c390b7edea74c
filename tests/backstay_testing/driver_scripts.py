"""What the things of driver contracts run: scripts of daemons that behave well, and badly."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path
from typing import Final


class Case(Enum):
    """How a thing behaves."""

    GOOD = auto()
    SLOW = auto()
    """Its start does not come to an end."""
    FAILING = auto()
    """Its start says a lot, and last why it fails: there is no space left."""
    STUBBORN = auto()
    """It does not go when it is asked to."""
    FLOODING = auto()
    """Whatever is asked of it, it answers with megabytes."""
    ESCAPING = auto()
    """What serves has left the control group in which it was started, and its stop forgets it."""
    ESCAPING_EARLY = auto()
    """It leaves before its start has come to an end: systemd may never see it run."""


# What most daemons' scripts do: a process that is known by a file with its number. `run` is a daemon itself; what `put` leaves is
# that file alone.
_SCRIPT: Final = """#!/bin/sh
S=${{PLACE:-/run}}/d-contract-{number}
alive() {{ [ -e $S ] && kill -0 $(cat $S) 2>/dev/null; }}
one_long_line() {{ head -c 1000000 /dev/zero | tr '\\0' x; echo; }}
flood() {{ one_long_line; one_long_line; yes 'a line of many' | head -n 100000; }}
{always}
case $1 in
start) alive && exit 0; {before}
  {run} & echo $! >$S; {after}; exit 0;;
stop) {stop}; rm -f $S; exit 0;;
check|monitor) [ -e $S ] || exit 7; alive && exit 0; echo it is dead; exit 1;;
status) [ -e $S ] || exit 3; alive || exit 1;;
meta-data) cat $0.xml;;
validate-all) exit 0;;
run) {main};;
put) {put}; touch $S; exit 0;;
take) {take}; rm -f $S; exit 0;;
has) [ -e $S ] || exit 7; exit 0;;
esac
"""
_STOP: Final = "[ -e $S ] && kill $(cat $S) 2>/dev/null"
_ELSEWHERE: Final = "/sys/fs/cgroup/d-elsewhere"


def script_of(case: Case, number: int) -> str:
    sleep = f"sleep {number}"
    leave = f"echo 0 >{_ELSEWHERE}/cgroup.procs; exec setsid {sleep}"
    words = {"always": "", "before": "", "run": sleep, "after": ":", "stop": _STOP, "number": number}
    words |= {"main": f"exec {sleep}", "put": ":", "take": ":"}
    if case in (Case.ESCAPING, Case.ESCAPING_EARLY):
        words |= {"before": f"mkdir -p {_ELSEWHERE}", "stop": "true"}
        words["main"] = f"mkdir -p {_ELSEWHERE}; ({leave}) & exec sleep 1000000"
    match case:
        case Case.SLOW:
            words |= {"before": sleep, "put": sleep}
        case Case.FAILING:
            words["before"] = words["put"] = "one_long_line; echo there is no space left; exit 3"
        case Case.STUBBORN:
            words |= {"run": f"(trap '' TERM; exec {sleep})", "main": f"trap '' TERM; exec {sleep}", "take": sleep}
        case Case.FLOODING:
            words["always"] = "[ $1 = meta-data ] || flood"
        case Case.ESCAPING:
            words["run"] = f"(while kill -0 $$; do :; done; {leave})"
        case Case.ESCAPING_EARLY:
            words |= {"run": f"({leave})", "after": f"until grep -qx $! {_ELSEWHERE}/cgroup.procs; do :; done"}
    return _SCRIPT.format(**words)


def pids_of(number: int) -> list[int]:
    wanted, found = f"sleep\0{number}\0".encode(), []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found += [int(place.parent.name)] if place.read_bytes() == wanted else []
    return found


def kill(number: int) -> None:
    for pid in pids_of(number):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
