"""A unit is given back to its host's admin only by somebody who knows that it would start by itself, or once it would not.

One host that is no candidate any more, and its HostAssignment: `spec.secured` asks that the unit waits for our word, `status.held` says that
it would start by itself at the next boot. The operator writes the first by compare-and-swap from any picture, however old; the agent
writes the second, and is told of both in the order in which they were written, as late as may be. Answers to its writes get lost, it is
killed, a write of an earlier life comes late; an admin enables and disables the unit; the service is deleted. Bad is: the mark falls while
the unit is enabled and the service exists, for it may run elsewhere (seed 3300008524: the word had never been written, and the agent took
ten seconds for enough).

    python models/giving_back.py        # every variant, and which of them give back too much or for ever too little
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from explore import Result, Row, explore, report, stuck

MOST_VERSIONS = 3
"""Of the HostAssignment, that somebody has not read yet or names in a write: nothing is written before one of them has gone."""
MOST_FLIPS = 2

Said = Literal["nothing", "held", "ask again"]


@dataclass(frozen=True)
class Rules:
    """The defaults are the protocol."""

    by_time: bool = False
    """What has been held for long enough counts as known."""
    by_answer: bool = False
    """The answer to one's own write counts, whatever orders from before are still on their way."""
    any_word: bool = False
    """Any status counts that says so, whoever has written it, and when."""
    found_counts: bool = False
    """A status that is found to be as it should be counts like one that was written."""
    cut_is_forgotten: bool = True
    """What is left out of a status is known to nobody from then on: one that is too long is written without it."""
    sure_meanwhile: bool = False
    """What was certain stays so while another status is on its way."""
    names_version: bool = True
    """A unit is given back of the version that was decided on."""
    asks_again: bool = True
    """What was given back by somebody who may not have known is asked for once more."""


@dataclass(frozen=True)
class Stored:
    """The HostAssignment."""

    asked: bool = True
    said: Said = "nothing"


Write = tuple[Said, int]
"""A status, and the version that it names."""


@dataclass(frozen=True)
class State:
    history: tuple[Stored, ...] = (Stored(),)
    """From the oldest that still matters to the present one."""
    told: int = 0
    """Up to where the agent has been told; -1: of nothing yet in this life."""
    seen: int = 0
    """What the operator goes by."""
    flight: Write | None = None
    """A status that is on its way."""
    late: Write | None = None
    """One that its agent has given up, or died over: it may still come."""
    restarted: bool = False
    cut: bool = False
    """A status has been cut short."""
    mark: bool = True
    held: Said = "nothing"
    """What the agent would say now."""
    known: bool = False
    sure: int | None = None
    """The version in which this life has written what it has sent last."""
    enabled: bool = True
    flips: int = 0
    service: bool = True
    bad: bool = False

    @property
    def last(self) -> int:
        return len(self.history) - 1


def steps(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    for what, after in (*people(s), *faults(rules, s), *cuts(rules, s), *_healthy(rules, s)):
        yield what, _short(after)


def healthy(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    """Nobody edits, dies or loses anything any more."""
    for what, after in _healthy(rules, s):
        yield what, _short(after)


def _healthy(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    yield from operator(rules, s)
    yield from network(rules, s)
    yield from agent(rules, s)


def _short(s: State) -> State:
    """Without the versions that nobody will ever read or name again."""
    named = [write[1] for write in (s.flight, s.late) if write] + ([] if s.told < 0 else [s.told])
    gone = min(s.seen, s.last, *named, *(() if s.sure is None else (s.sure,)))
    if s.sure is not None and s.told > s.sure:
        return _short(replace(s, sure=s.told))  # from there on it is the same
    if not gone:
        return s
    flight, late = (write and (write[0], write[1] - gone) for write in (s.flight, s.late))
    return replace(
        s,
        history=s.history[gone:],
        told=max(-1, s.told - gone),
        seen=s.seen - gone,
        flight=flight,
        late=late,
        sure=None if s.sure is None else s.sure - gone,
    )


def people(s: State) -> Iterator[tuple[str, State]]:
    if s.flips < MOST_FLIPS:
        yield "the admin enables or disables it", replace(s, enabled=not s.enabled, flips=s.flips + 1)
    if s.service:
        yield "the service is deleted", replace(s, service=False)


def faults(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    if not s.restarted:
        late = s.flight or s.late
        dead = replace(s, restarted=True, told=-1, flight=None, late=late, held="nothing", known=False, sure=None)
        yield "the agent is killed", dead
    if s.flight and not s.late:
        yield "the agent gives its status up", replace(s, flight=None, late=s.flight)
    if s.flight and s.flight[1] == s.last < MOST_VERSIONS - 1:
        yield "the status is written, and its answer lost", replace(_said(s, s.flight), flight=None)


def cuts(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    """The agent's status is refused as a whole, and written without this."""
    if not s.cut and not s.flight and s.held != "nothing":
        known = s.known and not rules.cut_is_forgotten
        yield (
            "the agent sends a status that is cut short",
            replace(s, cut=True, flight=("nothing", s.last), sure=None, known=known),
        )


def operator(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    if s.seen < s.last:
        yield "the operator reads the next version", replace(s, seen=s.seen + 1)
    at, now = s.history[s.seen], s.history[-1]
    wants = (at.said != "nothing" and s.service) or (rules.asks_again and at.said == "ask again")
    if wants is now.asked or s.last == MOST_VERSIONS - 1:
        return
    if s.seen == s.last or (not wants and not rules.names_version):
        what = "the operator asks for it" if wants else "the operator gives it back"
        yield what, replace(s, history=(*s.history, replace(now, asked=wants)))


def _said(s: State, write: Write) -> State:
    return replace(s, history=(*s.history, replace(s.history[-1], said=write[0])))


def network(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    if s.told < 0:
        yield "the agent reads the HostAssignment", _told(rules, replace(s, told=s.last))
    elif s.told < s.last:
        yield "the agent is told of the next version", _told(rules, replace(s, told=s.told + 1))
    if s.late and s.late[1] < s.last:
        yield "the late status is refused", replace(s, late=None)
    elif s.late and s.last < MOST_VERSIONS - 1:
        yield "the late status is written", replace(_said(s, s.late), late=None)
    if s.flight and s.flight[1] < s.last:
        yield "the status is refused", replace(s, flight=None)
    elif s.flight and s.last < MOST_VERSIONS - 1:
        written = replace(_said(s, s.flight), flight=None)
        written = replace(written, sure=written.last)
        is_said = written.history[-1].asked and s.flight[0] != "nothing" != s.held
        yield "the status is written", replace(written, known=True) if rules.by_answer and is_said else written


def _told(rules: Rules, s: State) -> State:
    """That a version which asks for it says so too, and is none from before what this life has written last."""
    now = s.history[s.told]
    is_ours = s.sure is not None and s.told >= s.sure and now.said == s.history[s.sure].said
    is_known = now.asked and now.said != "nothing" != s.held and (is_ours or rules.any_word)
    return replace(s, known=True, held="held") if is_known else s


def agent(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    if not s.flight and s.history[-1].said != s.held:
        yield (
            "the agent sends its status",
            replace(s, flight=(s.held, s.last), sure=s.sure if rules.sure_meanwhile else None),
        )
    if rules.found_counts and not s.flight and s.history[-1].said == s.held and s.sure is None:
        yield "the agent finds its status written", replace(s, sure=s.last)
    if s.told < 0:
        return
    if s.history[s.told].asked:
        yield from _keeps(s)
    elif s.mark:
        yield from _gives_back(rules, s)


def _keeps(s: State) -> Iterator[tuple[str, State]]:
    if not s.mark:
        yield "the agent marks it", replace(s, mark=True)
    elif s.enabled and s.held != "held":
        yield "the agent sees that it is enabled", replace(s, held="held")
    elif not s.enabled and s.held != "nothing":
        yield "the agent sees that it is not enabled", replace(s, held="nothing", known=False)


def _gives_back(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    is_known = s.known or (rules.by_time and s.held != "nothing")
    if is_known or not s.enabled:
        bad = s.enabled and s.service
        yield "the agent gives it back", replace(s, mark=False, held="nothing", known=False, bad=bad)
    elif s.held != "ask again":
        yield "the agent holds it", replace(s, held="ask again")


def safety(**change: bool) -> Result:
    rules = Rules(**change)
    return explore(State(), lambda s: steps(rules, s), lambda s: s.bad)


def is_done(s: State) -> bool:
    """While the service exists nothing need happen."""
    return s.service or not s.mark


def liveness(**change: bool) -> Result:
    rules = Rules(**change)
    return stuck(State(), lambda s: steps(rules, s), lambda s: healthy(rules, s), is_done)


ROWS = [
    Row("the protocol: written in this life, read back in order; given back of that version", safety, True),
    Row("what was held for long enough is taken for known (seed 3300008524)", lambda: safety(by_time=True), False),
    Row("the answer to a write counts before the orders on their way", lambda: safety(by_answer=True), False),
    Row("any status that says so counts", lambda: safety(any_word=True), False),
    Row("a status that is found as it should be counts as written", lambda: safety(found_counts=True), False),
    Row("what was left out of a status is known all the same", lambda: safety(cut_is_forgotten=False), False),
    Row("what was certain stays so while another status is on its way", lambda: safety(sure_meanwhile=True), False),
    Row("a unit is given back from any picture", lambda: safety(names_version=False), False),
    Row("once the service is gone it is given back", liveness, True),
    Row("nothing is asked for once more", lambda: liveness(asks_again=False), False),
]

if __name__ == "__main__":
    sys.exit(report(ROWS))
