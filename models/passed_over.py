"""Whom the first epoch does not wait for: a host that is silent, as far as the operator's picture goes, which may be late.

One candidate, h, on which somebody may have started the unit by hand, and an operator that would grant the service to another host. h is
asked by an order; its agent, when it is told, marks the unit (from then on nobody starts it by hand) and answers whether it runs. The
operator learns of renewals and answers as late as may be, and takes h for silent whenever it likes. Two copies while h is silent nobody
can know of who has never granted anything there. Bad is a grant beside a unit that h had *said* it runs, or beside one on a host that
had renewed its Lease since the operator saw it do so last: that host lives, and its answer is waited for.

    python models/passed_over.py        # every variant, and which of them pass over a host that lives or has answered
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from explore import Result, Row, explore, report, stuck

MOST_RENEWALS = 2
MOST_SESSIONS = 2

Answer = Literal["", "no", "active"]


@dataclass(frozen=True)
class Rules:
    """The defaults are the protocol."""

    read_lease: bool = True
    """The step that grants reads by quorum whether h has renewed its Lease since."""
    read_answer: bool = True
    """It reads what h has said as well."""
    sealed_too: bool = True
    """Whose Lease is sealed is read too: a newer session may hold it by now."""
    as_decided: bool = True
    """What is read is held against what was decided from, not against what the operator knows by then."""
    marks: bool = True
    """h marks the unit before it answers."""


Lease = tuple[int, int, bool]
"""Session, renewals, sealed."""


@dataclass(frozen=True)
class State:
    lease: Lease = (1, 0, False)
    seen: Lease = (1, 0, False)
    """As the operator knows it."""
    answer: Answer = ""
    known: Answer = ""
    running: bool = False
    marked: bool = False
    told: bool = False
    """h's agent knows that it is asked."""
    up: bool = True
    read: frozenset[str] | None = None
    """What the step that grants has read so far, and found as it was known; None: it has not begun."""
    taken: tuple[Lease, Answer] = ((1, 0, False), "")
    """What h was taken for silent by."""
    lives: bool = False
    """When that step began, h had renewed its Lease since, or had said that the unit runs."""
    granted: bool = False
    bad: bool = False


def steps(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    yield from host(rules, s)
    yield from picture(s)
    yield from grant(rules, s)


def host(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    session, renewals, sealed = s.lease
    if not s.running and not s.marked:
        yield "somebody starts the unit by hand", replace(s, running=True)
    if s.up:
        yield "h's agent is killed", replace(s, up=False)
        if not sealed and renewals < MOST_RENEWALS:
            yield "h renews", replace(s, lease=(session, renewals + 1, sealed))
        if not s.told:
            yield "h is told that it is asked", replace(s, told=True, marked=rules.marks)
        if s.told and not s.answer:
            yield "h answers", replace(s, answer="active" if s.running else "no")
    elif session < MOST_SESSIONS:
        yield "h opens another session", replace(s, up=True, told=False, lease=(session + 1, 0, False))
    if not sealed:
        yield "h is sealed", replace(s, lease=(session, renewals, True))


def picture(s: State) -> Iterator[tuple[str, State]]:
    if s.seen != s.lease:
        yield "the operator learns of h's Lease", replace(s, seen=s.lease)
    if s.known != s.answer:
        yield "the operator learns of h's answer", replace(s, known=s.answer)


def grant(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    """h has said no, or is taken for silent; what is read and is another begins the step anew."""
    if s.granted or s.known == "active":
        return
    if s.known == "no":
        yield "granted: h has said no", replace(s, granted=True, bad=s.running)
    elif s.read is None:
        lives = s.seen != s.lease or s.answer == "active"
        yield "h is taken for silent", replace(s, read=frozenset(), taken=(s.seen, s.known), lives=lives)
    else:
        yield from _read(rules, s, s.read)


def _read(rules: Rules, s: State, read: frozenset[str]) -> Iterator[tuple[str, State]]:
    lease, answer = s.taken if rules.as_decided else (s.seen, s.known)
    asks = rules.sealed_too or not lease[2]
    parts = {"lease": rules.read_lease and asks, "answer": rules.read_answer and asks}
    left = {part for part, is_asked in parts.items() if is_asked} - read
    anew = replace(s, read=None, taken=State.taken, lives=False)
    if not left:
        yield "granted over h", replace(s, granted=True, bad=s.running and s.lives)
    if "lease" in left:
        is_same = lease == s.lease
        yield "h's Lease is read", replace(s, read=read | {"lease"}) if is_same else replace(anew, seen=s.lease)
    if "answer" in left:
        is_same = answer == s.answer
        yield "h's answer is read", replace(s, read=read | {"answer"}) if is_same else replace(anew, known=s.answer)


def healthy(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    """Nobody starts, seals or kills anything any more."""
    faults = ("somebody starts the unit by hand", "h's agent is killed", "h is sealed", "h opens another session")
    for what, after in steps(rules, s):
        if what not in faults:
            yield what, after


def safety(**change: bool) -> Result:
    rules = Rules(**change)
    return explore(State(), lambda s: steps(rules, s), lambda s: s.bad)


def liveness() -> Result:
    """It is granted, or a person is told that it runs there."""
    return stuck(
        State(),
        lambda s: steps(Rules(), s),
        lambda s: healthy(Rules(), s),
        lambda s: s.granted or s.known == "active",
    )


ROWS = [
    Row("the protocol: Lease and answer are read in the step that grants, in any order", safety, True),
    Row(
        "silence is believed as the picture has it (seed 53479532458)",
        lambda: safety(read_lease=False, read_answer=False),
        False,
    ),
    Row("only what h has said is read (seed 52278829034)", lambda: safety(read_lease=False), False),
    Row("only whether h has renewed is read", lambda: safety(read_answer=False), False),
    Row("who is sealed is not looked at again", lambda: safety(sealed_too=False), False),
    Row("what is read is held against what is known by then", lambda: safety(as_decided=False), False),
    Row("the unit is not marked before the answer", lambda: safety(marks=False), False),
    Row("liveness: it is granted, or somebody is told what runs where", liveness, True),
]

if __name__ == "__main__":
    sys.exit(report(ROWS))
