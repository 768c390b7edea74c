"""Whose power is off: a device is wired to the neighbour, and both boards bear one UUID, so that the device names either machine.

n2's session is sealed, and n2 lives on behind a network that is cut. Its device switches n3's machine. n3 has only just joined, or never
names itself; the fencer's watch may tell of it late, or never. Whoever names n2's machine as well, as far as the fencer knows, makes
the device worthless. Bad is a proof that n2 is off though n3 had named itself by then: a second copy would be granted. That n3 named
itself *later* nobody can know; a machine that is off says nothing.

    python models/machines.py        # every variant, and which of them believe n2 to be off
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from explore import Result, Row, explore, report, stuck


@dataclass(frozen=True)
class Rules:
    """The defaults are the protocol."""

    ask: Literal["never", "before the off", "after a read", "after a read that says off"] = "after a read that says off"
    """When the API server is asked what every agent has said, for the proof."""
    heed: bool = True
    """Who shares a name is trusted by nobody."""
    boots_between_reads: bool = False
    """n3 is switched on, names itself and loses its power again between two reads that both say off."""


@dataclass(frozen=True)
class State:
    is_there: bool = True
    """There is an n3 at all; if not, n2's device is wired to n2, which is dead."""
    on: bool = True
    named: bool = False
    """n3's agent has named its machine: it stands in its HostAssignment."""
    known: bool = False
    """The fencer knows of it, by its watch or because it has asked."""
    sent: bool = False
    read: bool = False
    """A read was made, whatever it said."""
    off_reads: int = 0
    """In a row; two are enough."""
    asked: Literal["", "before the off", "after a read", "after a read that says off"] = ""
    """The latest answer counts as this; a read that says on makes it one of before."""
    proven: bool = False
    wrong: bool = False
    """n3 had named itself when n2 was proven to be off."""


ANSWERS = ("", "before the off", "after a read", "after a read that says off")


def steps(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    yield from neighbour(rules, s)
    yield from fencer(rules, s)


def neighbour(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    """n3, its people, and the watch."""
    if s.is_there and s.on and not s.named:
        yield "n3 names itself", replace(s, named=True)
    if s.on:
        yield "n3 loses its power", replace(s, on=False)
    elif s.is_there and (not s.off_reads or rules.boots_between_reads):
        yield "n3 is switched on", replace(s, on=True)
    if s.named and not s.known:
        yield "the watch tells of n3", replace(s, known=True)


def fencer(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    is_believed = not (rules.heed and s.known)
    yield "the API server is asked", _asked(s)
    if is_believed and not s.sent:
        yield "`off` is sent for n2", replace(s, sent=True, on=False)
    if s.on:
        was = "after a read" if s.asked == ANSWERS[3] else s.asked
        yield "n2 is read on", replace(s, read=True, off_reads=0, asked=was)
    else:
        yield "n2 is read off", replace(s, read=True, off_reads=min(2, s.off_reads + 1))
    is_answered = rules.ask == "never" or ANSWERS.index(s.asked) >= ANSWERS.index(rules.ask)
    if is_believed and s.off_reads == 2 and is_answered and not s.proven:
        yield "n2 is proven off", replace(s, proven=True, wrong=s.named)


def _asked(s: State) -> State:
    answer = ANSWERS[3] if s.off_reads else ANSWERS[2] if s.read else ANSWERS[1]
    return replace(s, asked=answer, known=s.known or s.named)


def safety(**change: object) -> Result:
    rules = Rules(**change)  # type: ignore[arg-type]
    return explore(State(), lambda s: steps(rules, s), lambda s: s.wrong)


def liveness() -> Result:
    """Where there is nobody else, a host that has lost its power is proven off."""
    initial = State(is_there=False, on=False)
    return stuck(initial, lambda s: steps(Rules(), s), lambda s: fencer(Rules(), s), lambda s: s.proven)


ROWS = [
    Row("the protocol: who names which machine is asked once a device was read off", safety, True),
    Row("what the watch tells is all (seed 37592163639)", lambda: safety(ask="never"), False),
    Row("asked before the off, not for the proof", lambda: safety(ask="before the off"), False),
    Row("asked after a read, be it one that says on", lambda: safety(ask="after a read"), False),
    Row("asked, and a name that two share is believed all the same", lambda: safety(heed=False), False),
    Row("a machine boots and dies between two reads", lambda: safety(boots_between_reads=True), False),
    Row("liveness: who is alone with its name is proven off", liveness, True),
]

if __name__ == "__main__":
    sys.exit(report(ROWS))
