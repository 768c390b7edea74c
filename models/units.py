"""One unit is many: what is gated, stopped, verified and looked for must be all that the unit runs or stands for.

Two hosts, one exclusive service. It names a unit U; the work is done by W, which U only pulls in (Debian's `postgresql.service`), or
which U has started elsewhere. U is enabled on both hosts, as packages leave it. systemd pulls W in at boot before it looks at U's
condition, so only W's own mark (the drop-in with the gate) keeps W from starting. Hosts lose power, reboot, lose `/run`; admins start
and stop W by hand, in maintenance (HandsOff) and outside; hosts stop being candidates; stops fail. Evidence is either Released for the
epoch, or a newer session of the host (a boot, or `supersedes`), which is opened only when nothing is seen to run.

    python models/units.py        # every variant, and which of them run the service twice
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from explore import Result, Row, explore, report

MOST_SESSIONS = 3
MOST_EPOCHS = 3

Named = Literal["off", "on", "failed"]
Work = Literal["off", "on", "stopping", "left"]
"""`left`: the stop failed and it goes on; no process shows that, only systemd's result."""


@dataclass(frozen=True)
class Rules:
    """The defaults are the protocol."""

    gate_work: bool = True
    """W carries the mark as well as U."""
    verify_work: bool = True
    """A stop is verified when W is down, not when U is."""
    failed_stop_counts: bool = False
    look_for_work: bool = True
    """Before a session is opened, W is looked for, not only U."""
    keep_marks: bool = True
    """A host that is no candidate any more keeps the marks while the service exists and the unit is enabled."""
    close_behind_gate: bool = True
    """An epoch is closed only after its gate is shut; an admin's stop in maintenance closes nothing."""
    permit_only_granted: bool = True
    """In maintenance the gate opens for the admin only where the epoch was granted."""


@dataclass(frozen=True)
class Host:
    on: bool = True
    session: int = 1
    """Number of the newest session; a grant is bound to one."""
    is_open: bool = True
    named: Named = "off"
    work: Work = "off"
    mark_named: bool = True
    mark_work: bool = True
    gate: bool = False
    candidate: bool = True
    closed: bool = False
    """The present epoch is recorded as over in this session."""
    hands_off: bool = False


@dataclass(frozen=True)
class State:
    hosts: tuple[Host, Host]
    epoch: int = 1
    holder: int = 0
    holder_session: int = 1
    released: bool = False


def runs_twice(s: State) -> bool:
    return all(host.work != "off" for host in s.hosts)


def first(rules: Rules) -> State:
    """Epoch 1 runs on the first host; both are marked."""
    marked = Host(mark_work=rules.gate_work)
    return State((replace(marked, named="on", work="on", gate=True), marked))


def steps(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    for at in (0, 1):
        for what, host in (*machine(rules, s.hosts[at]), *people(rules, s, at), *agent(rules, s, at)):
            yield f"n{at + 1} {what}", _with(s, at, host)
    yield from released(rules, s)
    yield from grants(s)


def machine(rules: Rules, h: Host) -> Iterator[tuple[str, Host]]:
    """Power, and what systemd does by itself."""
    if h.on:
        yield (
            "loses power",
            replace(h, on=False, is_open=False, named="off", work="off", gate=False, closed=False, hands_off=False),
        )
        if h.is_open:
            yield "loses /run and its agent", replace(h, is_open=False, gate=False, closed=False)
        if h.work == "stopping":
            yield "W has stopped", replace(h, work="off")
            yield "the stop of W fails", replace(h, work="left", named="failed")
        if h.work == "on":
            yield "W dies", replace(h, work="off", named="off")
    else:
        named: Named = "off" if h.mark_named else "on"
        work: Work = "off" if h.mark_work else "on"
        yield "boots", replace(h, on=True, named=named, work=work)


def people(rules: Rules, s: State, at: int) -> Iterator[tuple[str, Host]]:
    h = s.hosts[at]
    if h.on:
        yield "maintenance begins or ends", replace(h, hands_off=not h.hands_off)
        if h.work == "on":
            yield "an admin stops it", replace(h, work="off", named="off")
        if h.work == "off" and h.gate:  # a marked unit starts only where its gate is open
            yield "an admin starts it", replace(h, work="on", named="on")
    if at != s.holder:
        yield "is selected, or no longer", replace(h, candidate=not h.candidate)


def agent(rules: Rules, s: State, at: int) -> Iterator[tuple[str, Host]]:
    h = s.hosts[at]
    if not h.on:
        return
    if not h.candidate and h.work == "off" and not rules.keep_marks:
        yield "gives the units back", replace(h, mark_named=False, mark_work=False, gate=False)
    if h.candidate:
        yield "marks its units", replace(h, mark_named=True, mark_work=rules.gate_work or h.mark_work)
    if not h.is_open:
        yield from _open_session(rules, h)
        return
    granted = (s.holder, s.holder_session) == (at, h.session) and not h.closed
    if h.hands_off and (granted or not rules.permit_only_granted):
        yield "opens the gate for its admin", replace(h, gate=True)
    if granted and not h.hands_off:
        yield from _carry_out(h)


def _carry_out(h: Host) -> Iterator[tuple[str, Host]]:
    if h.work == "off" and h.named != "failed":
        yield "starts it", replace(h, gate=True, named="on", work="on")
    if h.work in ("on", "left") or h.gate:
        stopping: Work = "stopping" if h.work in ("on", "left") else h.work
        yield "stops it", replace(h, gate=False, named="off", work=stopping)


def _open_session(rules: Rules, h: Host) -> Iterator[tuple[str, Host]]:
    """After a boot, or with `/run` gone: only when nothing is seen to run."""
    seen = h.named == "on" or (rules.look_for_work and h.work != "off")
    if seen and h.work in ("on", "left"):
        yield "stops what was left", replace(h, named="off", work="stopping")
    if not seen and h.session < MOST_SESSIONS:
        yield "opens a session", replace(h, is_open=True, session=h.session + 1, closed=False)


def released(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    """The holder's agent records that the epoch is over, then says so."""
    h = s.hosts[s.holder]
    if not (h.on and h.is_open and h.session == s.holder_session) or s.released:
        return
    down = h.named == "off" or (h.named == "failed" and rules.failed_stop_counts)
    if rules.verify_work and h.work in ("on", "stopping"):
        down = False
    if down and (not h.gate if rules.close_behind_gate else True):
        yield "the epoch is released", replace(_with(s, s.holder, replace(h, closed=True)), released=True)


def grants(s: State) -> Iterator[tuple[str, State]]:
    over = s.released or (s.hosts[s.holder].is_open and s.hosts[s.holder].session > s.holder_session)
    if not over or s.epoch == MOST_EPOCHS:
        return
    for at in (0, 1):
        h = s.hosts[at]
        if h.on and h.is_open and h.candidate and h.mark_named and not (at == s.holder and h.closed and h.gate):
            granted = replace(s, epoch=s.epoch + 1, holder=at, holder_session=h.session, released=False)
            yield f"epoch {s.epoch + 1} is granted to n{at + 1}", _with(granted, at, replace(h, closed=False))


def _with(s: State, at: int, host: Host) -> State:
    return replace(s, hosts=(host, s.hosts[1]) if at == 0 else (s.hosts[0], host))


def safety(**change: bool) -> Result:
    rules = Rules(**change)
    return explore(first(rules), lambda s: steps(rules, s), runs_twice)


ROWS = [
    Row("the protocol: all of it is gated, stopped, verified, looked for", safety, True),
    Row("only the named unit is gated (F1b, F1c)", lambda: safety(gate_work=False), False),
    Row("a stop is verified by the named unit (F1a; work in another scope)", lambda: safety(verify_work=False), False),
    Row("a stop that systemd calls failed counts (F1d)", lambda: safety(failed_stop_counts=True), False),
    Row("a session is opened after a look at the named unit", lambda: safety(look_for_work=False), False),
    Row("the units of a former candidate are given back at once (F20)", lambda: safety(keep_marks=False), False),
    Row("an admin's stop in maintenance closes the epoch", lambda: safety(close_behind_gate=False), False),
    Row("maintenance opens the gate on every host", lambda: safety(permit_only_granted=False), False),
]

if __name__ == "__main__":
    sys.exit(report(ROWS))
