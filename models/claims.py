"""Claims: two services want one thing (an address, a unit), one may have it at a time, and people edit while operators are late.

Service A has the thing X in revision 1, not in 2, and again in 3 (an edit and its roll-back). B wants it always. Any number of
operators, each of which may have read any version of anything that was ever written: so an operator's step is "decide by old facts",
then "write", and anything may happen between. Only a write that compares versions looks at the present object.

A's instance runs at epoch 1 on one host and, after that host's death, at epoch 2 on another. An order is (epoch, revision) and only
moves forward; the agent follows it, later; what it has ever reported may be read for ever.

    python models/claims.py        # every variant, and which of them let X run twice
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from explore import Result, Row, explore, report, stuck

WITH_X = {1, 3}
LAST = 3


@dataclass(frozen=True)
class Rules:
    """How operators decide. The defaults are the protocol."""

    check: Literal["none", "cache", "get", "revision", "write"] = "write"
    """Before an order that names X: nothing; a read of a cache; a quorum read; a write that records the revision; or one that
    records epoch and revision, for which it is enough to have seen, ever, that it was done."""
    give_back: Literal["at once", "runs without", "runs without, later than claimed"] = (
        "runs without, later than claimed"
    )
    """When A's claim is deleted after an edit."""
    version: bool = True
    """The delete names the version of the claim that it was decided on."""
    by_absence: bool = False
    """A replica that has not seen A yet takes its claim for abandoned."""


@dataclass(frozen=True)
class State:
    revision: int = 1
    epoch: int = 1
    dead: bool = False
    """The first host is proven off."""
    owner: str = "A"
    claimed: tuple[int, int] = (1, 1)
    """Epoch and revision that the claim records."""
    ordered: tuple[int, int] = (1, 0)
    """Revision ordered at epoch 1 and 2; 0: no order yet."""
    runs: tuple[int, int] = (1, 0)
    """Revision that runs there; 0: nothing."""
    reported: frozenset[tuple[int, int]] = frozenset({(1, 1)})
    owned_ever: frozenset[str] = frozenset({"A"})
    recorded_ever: frozenset[tuple[int, int]] = frozenset({(1, 1)})
    """What A's claims have ever recorded: any of it may be read, however late."""
    order_under_way: tuple[int, int] | None = None
    delete_under_way: Literal["", "of this version", "of an older version"] = ""
    """A delete that was decided on, and whether the claim has been written since."""
    order_b: bool = False
    order_b_under_way: bool = False
    runs_b: bool = False


def runs_twice(s: State) -> bool:
    return s.runs_b and any(revision in WITH_X for revision in s.runs)


def steps(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    yield from world(s)
    yield from orders(rules, s)
    yield from claims(rules, s)


def world(s: State) -> Iterator[tuple[str, State]]:
    """People, agents and hosts."""
    if s.revision < LAST:
        yield f"A is edited: revision {s.revision + 1}", replace(s, revision=s.revision + 1)
    if not s.dead:
        yield "A's host dies, and is proven off", replace(s, dead=True, runs=(0, s.runs[1]))
    if s.dead and s.epoch == 1:
        yield "epoch 2 is granted to A on another host", replace(s, epoch=2)
    for at in (0, 1):
        if s.runs[at] != s.ordered[at] and not (at == 0 and s.dead):
            yield f"A runs revision {s.ordered[at]} at epoch {at + 1}", replace(s, runs=_set(s.runs, at, s.ordered[at]))
        if s.runs[at] and (at + 1, s.runs[at]) not in s.reported:
            yield "A's agent reports that", replace(s, reported=s.reported | {(at + 1, s.runs[at])})
    if s.order_b and not s.runs_b:
        yield "B runs with X", replace(s, runs_b=True)


def orders(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    """An operator orders what it knows; what names X only after the check."""
    for epoch in range(1, s.epoch + 1):
        for revision in range(1, s.revision + 1):
            if s.ordered[epoch - 1] >= revision:
                continue
            if revision not in WITH_X:
                yield f"order ({epoch}, {revision})", _ordered(s, epoch, revision)
            elif s.order_under_way is None and (checked := _checked(rules, s, epoch, revision)):
                yield f"checked: order ({epoch}, {revision}) may name X", checked
    if s.order_under_way is not None:
        yield f"order {s.order_under_way}", replace(_ordered(s, *s.order_under_way), order_under_way=None)
    if not s.order_b and not s.order_b_under_way and _owns(rules, s, "B"):
        yield "checked: B's order may name X", replace(_touched(rules, s, (1, 1)), order_b_under_way=True)
    if s.order_b_under_way:
        yield "B's order names X", replace(s, order_b=True, order_b_under_way=False)


def claims(rules: Rules, s: State) -> Iterator[tuple[str, State]]:
    """Claims are made once, and given back."""
    if not s.owner:
        yield "B claims X", _claimed(s, "B", (1, 1))
        for revision in WITH_X & set(range(1, s.revision + 1)):
            yield f"A claims X for revision {revision}", _claimed(s, "A", (s.epoch, revision))
    if s.owner == "A" and not s.delete_under_way and _may_give_back(rules, s):
        yield "an operator decides to give A's claim back", replace(s, delete_under_way="of this version")
    if s.delete_under_way:
        lands = s.delete_under_way == "of this version" or (not rules.version and bool(s.owner))
        after = replace(s, owner="", claimed=(0, 0)) if lands else s
        yield (
            "the claim is deleted" if lands else "the delete meets another version",
            replace(after, delete_under_way=""),
        )


def _may_give_back(rules: Rules, s: State) -> bool:
    if rules.by_absence:
        return True
    if s.revision < 2:
        return False
    if rules.give_back == "at once":
        return True
    without = [told for told in s.reported if told[1] not in WITH_X]
    if rules.give_back == "runs without":
        return bool(without)
    return any(epoch >= s.claimed[0] and revision > s.claimed[1] for epoch, revision in without)


def _checked(rules: Rules, s: State, epoch: int, revision: int) -> State | None:
    recorded = any(e >= epoch and r >= revision for e, r in s.recorded_ever)
    if rules.check == "write" and recorded:
        return replace(s, order_under_way=(epoch, revision))
    if not _owns(rules, s, "A"):
        return None
    at = (epoch, revision) if rules.check == "write" else (s.claimed[0], revision)
    return replace(_touched(rules, s, at), order_under_way=(epoch, revision))


def _owns(rules: Rules, s: State, who: str) -> bool:
    if rules.check == "none":
        return True
    return who in s.owned_ever if rules.check == "cache" else s.owner == who


def _touched(rules: Rules, s: State, at: tuple[int, int]) -> State:
    """The claim says for which epoch and revision it is needed; whoever decided on its older version meets another."""
    claimed = (max(s.claimed[0], at[0]), max(s.claimed[1], at[1]))
    if rules.check not in ("revision", "write") or claimed == s.claimed:
        return s
    recorded = s.recorded_ever | {claimed} if s.owner == "A" else s.recorded_ever
    return replace(s, claimed=claimed, delete_under_way=_outdated(s), recorded_ever=recorded)


def _claimed(s: State, who: str, at: tuple[int, int]) -> State:
    recorded = s.recorded_ever | {at} if who == "A" else s.recorded_ever
    made = replace(s, owner=who, claimed=at, delete_under_way=_outdated(s), recorded_ever=recorded)
    return replace(made, owned_ever=s.owned_ever | {who})


def _outdated(s: State) -> Literal["", "of an older version"]:
    """What was decided on the claim as it was before this write."""
    return "of an older version" if s.delete_under_way else ""


def _ordered(s: State, epoch: int, revision: int) -> State:
    return replace(s, ordered=_set(s.ordered, epoch - 1, max(s.ordered[epoch - 1], revision)))


def _set(pair: tuple[int, int], at: int, value: int) -> tuple[int, int]:
    return (value, pair[1]) if at == 0 else (pair[0], value)


def safety(**change: object) -> Result:
    rules = Rules(**change)  # type: ignore[arg-type]
    return explore(State(), lambda s: steps(rules, s), runs_twice)


def liveness() -> Result:
    """Where everybody works from now on, A runs what its newest revision says, or waits for X; and X is not kept for nobody."""
    rules = Rules()

    def is_good(s: State) -> bool:
        at = s.epoch - 1
        a_is_done = s.runs[at] == s.revision or (s.revision in WITH_X and s.owner == "B")
        return a_is_done and (s.runs_b or s.revision in WITH_X)

    return stuck(State(), lambda s: steps(rules, s), lambda s: steps(rules, s), is_good)


ROWS = [
    Row("the protocol: a claim records epoch and revision before an order names it", safety, True),
    Row("units without claims (F10, hijack)", lambda: safety(check="none"), False),
    Row("the claim is looked up in a cache (F4)", lambda: safety(check="cache"), False),
    Row("the claim is looked up by a quorum read", lambda: safety(check="get"), False),
    Row("the claim records the revision, not the epoch", lambda: safety(check="revision"), False),
    Row(
        "given back as soon as the manifest no longer names it (F10, handover)",
        lambda: safety(give_back="at once"),
        False,
    ),
    Row("given back when anything older was seen to run without it", lambda: safety(give_back="runs without"), False),
    Row("deleted without naming its version", lambda: safety(version=False), False),
    Row("taken for abandoned because a cache has not seen its service", lambda: safety(by_absence=True), False),
    Row("liveness: A runs its newest revision, and X is not kept for nobody", liveness, True),
]

if __name__ == "__main__":
    sys.exit(report(ROWS))
