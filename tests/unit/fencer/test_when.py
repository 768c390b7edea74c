"""When the fencer does what it does next, and which of its tries counts for what: tables of instants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import pytest

from backstay_api.objects.models.host import FenceDevice, FenceLevel
from backstay_fencer.core import distrust, is_busy, is_done_on, next_steps, owed, proof, unsettled, without_effect
from backstay_fencer.facts import Read, RequestFacts, Step, Tried
from backstay_fencer.reading import Power
from backstay_testing.fencer_facts import off_wanted

BMC, LEFT, RIGHT = ("bmc", "bmc"), ("pdu", "left"), ("pdu", "right")
BOARD = FenceLevel(name="bmc", devices=[FenceDevice(name="bmc", agent="fence_redfish", timeout="5s", read_gap="3s")])
OUTLETS = FenceLevel(
    name="pdu",
    devices=[
        FenceDevice(name="left", agent="fence_apc", timeout="5s"),
        FenceDevice(name="right", agent="fence_apc", timeout="20s"),
    ],
)
NOW_S = 1000.0
FACTS = off_wanted(BOARD, others=(OUTLETS,), now_s=NOW_S, begun_s=NOW_S - 10)


def read(power: Power, ago_s: float) -> Read:
    """One that took no time."""
    return Read(power, NOW_S - ago_s, NOW_S - ago_s, True)


def off(ago_s: float, slot: tuple[str, str] = BMC, **more: Any) -> Tried:
    """An `off` that ended so long ago, a second after it was sent."""
    return Tried(slot, "off", NOW_S - ago_s - 1, NOW_S - ago_s, **more)


def on(ago_s: float, slot: tuple[str, str] = BMC, **more: Any) -> Tried:
    return Tried(slot, "on", NOW_S - ago_s - 1, NOW_S - ago_s, **more)


def is_sent(facts: RequestFacts, slot: tuple[str, str], action: Literal["status", "off", "on"]) -> bool:
    return Step(slot, action) in next_steps(facts).steps


# --- reads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "last", "pause_s"),
    [
        pytest.param(replace(FACTS, want="Observe"), "On", 0.5, id="suspected"),
        pytest.param(replace(FACTS, want="Observe", begun_s=NOW_S - 70), "On", 5.0, id="suspected for long"),
        pytest.param(replace(FACTS, want="Observe", begun_s=NOW_S - 70), "Off", 3.0, id="off, and sealed: the device's own gap"),
        pytest.param(replace(FACTS, want="Observe", over=False), "Off", 1.0, id="off, and not sealed yet"),
        pytest.param(replace(FACTS, tried=(off(5),)), "On", 0.05, id="our off is having its effect"),
        pytest.param(replace(FACTS, tried=(Tried(BMC, "off", NOW_S - 1, None),)), "On", 0.05, id="our off is under way"),
        pytest.param(replace(FACTS, tried=(off(15),)), "On", 1.0, id="our off has had its time"),
        pytest.param(replace(FACTS, tried=(on(5), off(15))), "On", 1.0, id="it was switched on since"),
        pytest.param(replace(FACTS, tried=(off(15), off(5, LEFT))), "On", 1.0, id="another device's off"),
    ],
)  # fmt: skip
def test_when_a_device_is_read_again(facts: RequestFacts, last: Power, pause_s: float) -> None:
    facts = replace(facts, reads={BMC: (read(last, 0),)})
    early, due = replace(facts, now_s=NOW_S + pause_s - 0.01), replace(facts, now_s=NOW_S + pause_s + 0.001)
    assert not is_sent(early, BMC, "status") and is_sent(due, BMC, "status")
    assert not is_sent(replace(due, reading=frozenset({BMC})), BMC, "status"), "one at a time"


# --- off -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tried", "again_s"),
    [
        pytest.param(off(0), 30.0, id="it was sent"),
        pytest.param(off(0, ours=False, unsent=True), 2.0, id="it was not sent"),
        pytest.param(off(0, unsent=True), 30.0, id="it may have been sent"),
        pytest.param(off(0, ours=False), 30.0, id="it was sent, and did nothing"),
    ],
)
def test_when_an_off_is_sent_again(tried: Tried, again_s: float) -> None:
    facts = replace(FACTS, tried=(tried,), reads={BMC: (read("On", 0),)})
    early, due = replace(facts, now_s=NOW_S + again_s - 0.01), replace(facts, now_s=NOW_S + again_s + 0.01)
    assert not is_sent(early, BMC, "off") and is_sent(due, BMC, "off")


def test_an_on_that_was_sent_lately_is_no_off() -> None:
    assert is_sent(replace(FACTS, tried=(on(1),)), BMC, "off")


@pytest.mark.parametrize(
    ("tried", "switched"),
    [
        pytest.param((), [BMC], id="the first level"),
        pytest.param((off(31),), [LEFT, RIGHT], id="it had its time, and brought no proof"),
        pytest.param((off(31), off(1)), [LEFT, RIGHT], id="its time counts from its first try"),
        pytest.param((on(31), off(31, LEFT), off(31, RIGHT)), [BMC], id="neither an on nor the other level's tries take its time"),
        pytest.param((off(20, LEFT), off(20, RIGHT)), [BMC], id="the other level's time is not this one's"),
        pytest.param((on(20),), [BMC], id="nor that of an on"),
        pytest.param((off(100), off(40, LEFT), off(40, RIGHT)), [BMC], id="all have failed: the one that was tried longest ago"),
        pytest.param((off(40), off(100, LEFT), off(100, RIGHT)), [LEFT, RIGHT], id="…whichever that is"),
        pytest.param((off(40), off(100, LEFT), off(32, RIGHT)), [BMC], id="…by its last try"),
    ],
)  # fmt: skip
def test_whose_turn_it_is(tried: Sequence[Tried], switched: list[tuple[str, str]]) -> None:
    facts = replace(FACTS, levels=(BOARD, OUTLETS), tried=tuple(tried))
    assert [step.slot for step in next_steps(facts).steps if step.action == "off"] == switched


@pytest.mark.parametrize(("ago_s", "is_over"), [(29, False), (31, True)])
def test_a_level_has_the_time_of_its_slowest_device(ago_s: float, is_over: bool) -> None:
    facts = replace(FACTS, levels=(OUTLETS, BOARD), tried=(off(ago_s - 1, LEFT), off(ago_s - 1, RIGHT)))
    assert is_sent(facts, BMC, "off") is is_over
    wake_s = next_steps(facts).wake_at_s
    assert is_over or (wake_s is not None and wake_s <= NOW_S + 30 - ago_s + 0.01), "and it is looked at again then"


@pytest.mark.parametrize(
    ("tried", "in_s"),
    [
        pytest.param((off(10),), 4.0, id="when the level has had its time"),
        pytest.param((off(20),), 10.0, id="when it may be sent again"),
        pytest.param((off(20), off(12, LEFT)), 10.0, id="the other level's times are its own"),
        pytest.param((off(1, ours=False, unsent=True),), 1.0, id="soon, if it was not sent"),
        pytest.param((), None, id="nothing was sent"),
    ],
)
def test_when_another_off_may_be_due_while_the_device_is_still_being_read(
    tried: Sequence[Tried], in_s: float | None
) -> None:
    levels = (BOARD, OUTLETS) if len(tried) > 1 else (BOARD,)
    facts = replace(FACTS, levels=levels, tried=tuple(tried), reading=frozenset({BMC, LEFT, RIGHT}))
    wake_s = next_steps(facts).wake_at_s
    assert wake_s == (None if in_s is None else pytest.approx(NOW_S + in_s, abs=0.01))


def test_a_level_with_one_device_that_is_not_trusted_has_no_turn() -> None:
    facts = replace(FACTS, levels=(OUTLETS, BOARD), identity={LEFT: "Match", RIGHT: "Mismatch", BMC: "Match"})
    assert [step.slot for step in next_steps(facts).steps if step.action == "off"] == [BMC]


def test_a_host_without_levels_and_a_device_that_is_gone_are_said_to_be_so() -> None:
    assert proof(replace(FACTS, levels=())) == "the host has no fence device"
    assert distrust(LEFT, FACTS) == "the device is no longer in the Host's spec" and distrust(BMC, FACTS) == ""


@pytest.mark.parametrize(("message", "words"), [("", "bmc: says on"), ("busy", "bmc: says on (busy)")])
def test_what_a_device_says_of_itself_is_told(message: str, words: str) -> None:
    last = replace(read("On", 1), message=message)
    assert proof(replace(FACTS, reads={BMC: (last,)})) == f"level bmc: {words}"


# --- on again --------------------------------------------------------------------------------------------------------

PROVEN = replace(FACTS, proven=True, tried=(off(100),))
TWO = replace(PROVEN, levels=(OUTLETS,), tried=(off(100, LEFT), off(100, RIGHT)))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(PROVEN, (BMC,), id="it is off through us"),
        pytest.param(replace(PROVEN, after="StayOff"), (), id="it shall stay off"),
        pytest.param(replace(PROVEN, powered_on=True), (), id="it is settled"),
        pytest.param(replace(PROVEN, tried=(off(100, ours=False),)), (), id="it was off by itself"),
        pytest.param(replace(PROVEN, tried=(off(100), on(60)), reads={BMC: (read("On", 1),)}), (), id="it is on again"),
        pytest.param(replace(PROVEN, tried=(off(40), on(35)), reads={BMC: (read("On", 20),)}), (BMC,), id="it said on too early"),
        pytest.param(replace(PROVEN, tried=(off(100), off(40), on(35)), reads={BMC: (read("On", 20),)}), (BMC,),
            id="every off must be through"),
        pytest.param(replace(PROVEN, tried=(off(100), off(40, ours=False), on(35)), reads={BMC: (read("On", 20),)}), (),
            id="but none that did nothing"),
        pytest.param(replace(PROVEN, tried=(off(100), off(40, LEFT), on(35)), reads={BMC: (read("On", 20),)}), (),
            id="nor another device's"),
        pytest.param(replace(PROVEN, reads={BMC: (read("On", 1),)}), (BMC,), id="it says on, and we have not switched it on"),
        pytest.param(replace(PROVEN, proven=False, want="Withdrawn", reads={BMC: (read("Off", 1),)}), (BMC,), id="withdrawn, and off"),
        pytest.param(replace(PROVEN, proven=False, want="Withdrawn", reads={BMC: (read("On", 1),)}), (), id="withdrawn, and on"),
        pytest.param(replace(PROVEN, proven=False, reads={BMC: (read("Off", 1),)}), (), id="not proven yet"),
    ],
)  # fmt: skip
def test_what_is_owed(facts: RequestFacts, expected: tuple[tuple[str, str], ...]) -> None:
    assert owed(facts) == expected


@pytest.mark.parametrize(
    ("facts", "is_unsettled"),
    [
        pytest.param(replace(PROVEN, proven=False, want="Withdrawn"), True, id="withdrawn with an off of ours"),
        pytest.param(replace(PROVEN, want="Withdrawn"), False, id="proven"),
        pytest.param(replace(PROVEN, proven=False), False, id="still wanted"),
    ],
)
def test_what_must_be_settled(facts: RequestFacts, is_unsettled: bool) -> None:
    assert unsettled(facts) == ((BMC,) if is_unsettled else ())
    assert is_busy(facts), "it is proven and owed, wanted, or to be settled"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(replace(PROVEN, tried=(), reading=frozenset({BMC})), True, id="a read is under way"),
        pytest.param(replace(PROVEN, tried=(Tried(BMC, "on", 1, None, ours=False),)), True, id="a switch is under way"),
        pytest.param(replace(PROVEN, tried=()), False, id="proven, and nothing is owed"),
        pytest.param(replace(FACTS, want="Withdrawn", reading=frozenset({BMC})), False, id="withdrawn: nothing is read for it"),
    ],
)  # fmt: skip
def test_whether_there_is_anything_to_run(facts: RequestFacts, expected: bool) -> None:
    assert is_busy(facts) is expected


def test_nothing_is_switched_on_beside_an_off_and_an_on_of_another_device_is_no_off() -> None:
    assert {step.slot for step in next_steps(TWO).steps if step.action == "on"} == {LEFT, RIGHT}
    beside_off = replace(TWO, tried=(*TWO.tried, Tried(LEFT, "off", NOW_S - 1, None)))
    assert next_steps(beside_off).steps == ()
    beside_on = replace(TWO, tried=(*TWO.tried, Tried(LEFT, "on", NOW_S - 1, None)))
    assert [step.slot for step in next_steps(beside_on).steps if step.action == "on"] == [RIGHT]


@pytest.mark.parametrize(
    ("tries", "pause_s"),
    [
        pytest.param((on(0),), 15.0, id="the first"),
        pytest.param((on(20), on(0)), 30.0, id="the second: twice as long"),
        pytest.param((*(on(400 - 10 * n) for n in range(10)), on(0)), 300.0, id="the eleventh: never longer than this"),
        pytest.param((on(0, ours=False, unsent=True),), 2.0, id="not sent"),
    ],
)  # fmt: skip
def test_when_an_on_is_tried_again(tries: tuple[Tried, ...], pause_s: float) -> None:
    facts = replace(PROVEN, tried=(off(900), *tries), reads={BMC: (read("Off", 0),)})
    early, due = replace(facts, now_s=NOW_S + pause_s - 0.01), replace(facts, now_s=NOW_S + pause_s + 0.01)
    assert not is_sent(early, BMC, "on") and is_sent(due, BMC, "on")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(replace(PROVEN, tried=(off(100), on(60)), reads={BMC: (read("On", 1),)}), True, id="read on again"),
        pytest.param(replace(PROVEN, tried=(off(100), on(60)), reads={BMC: (read("Off", 1),)}), False, id="still off"),
        pytest.param(replace(PROVEN, tried=(off(100, ours=False), on(60))), True, id="nothing is owed any more, and an on was sent"),
        pytest.param(replace(PROVEN, tried=(off(100, ours=False), Tried(BMC, "on", 1, None))), False, id="the on is under way"),
        pytest.param(replace(PROVEN, tried=(off(100, ours=False), on(60, unsent=True))), False, id="the on was not sent"),
        pytest.param(replace(PROVEN, tried=(off(100, ours=False),)), False, id="there was none"),
        pytest.param(replace(PROVEN, proven=False, tried=(off(100, ours=False), on(60))), False, id="not proven"),
        pytest.param(replace(PROVEN, after="StayOff", tried=(off(100, ours=False), on(60))), False, id="it shall stay off"),
        pytest.param(replace(PROVEN, powered_on=True, tried=(off(100, ours=False), on(60))), False, id="it was told already"),
    ],
)  # fmt: skip
def test_whether_all_is_on_again(facts: RequestFacts, expected: bool) -> None:
    assert is_done_on(facts) is expected


@pytest.mark.parametrize(
    ("tried", "last", "expected"),
    [
        pytest.param(off(40), read("On", 5), True, id="on, when it had had its time"),
        pytest.param(off(40), read("On", 15), False, id="on, too early"),
        pytest.param(off(40), read("Off", 5), False, id="off"),
        pytest.param(off(40, LEFT), read("On", 5), False, id="another device's"),
        pytest.param(on(40), read("On", 5), False, id="an on"),
        pytest.param(off(40, ours=False), read("On", 5), False, id="it is not ours any more"),
        pytest.param(Tried(BMC, "off", NOW_S - 40, None), read("On", 5), False, id="it is under way"),
    ],
)
def test_which_read_shows_that_an_off_did_nothing(tried: Tried, last: Read, expected: bool) -> None:
    assert without_effect(tried, BMC, last) is expected


SETTLING = replace(PROVEN, proven=False, want="Withdrawn", levels=(BOARD, OUTLETS))


@pytest.mark.parametrize(
    ("tried", "last_ago_s", "pause_s"),
    [
        pytest.param((off(10),), 5, 2.0, id="closely, while it may come through"),
        pytest.param((off(60),), 5, 30.0, id="rarely, when it has had its time"),
        pytest.param((off(60), off(10)), 5, 2.0, id="the last one counts"),
        pytest.param((off(60), off(10, LEFT)), 5, 30.0, id="another device's does not"),
    ],
)
def test_when_a_withdrawn_request_is_looked_at_again(tried: Sequence[Tried], last_ago_s: float, pause_s: float) -> None:
    facts = replace(SETTLING, tried=tuple(tried), reads={BMC: (read("On", last_ago_s),), LEFT: (read("On", 0),)})
    due_s = NOW_S - last_ago_s + pause_s
    early, due = replace(facts, now_s=due_s - 0.01), replace(facts, now_s=due_s + 0.01)
    assert not is_sent(early, BMC, "status") and is_sent(due, BMC, "status")
    assert not is_sent(replace(due, reading=frozenset({BMC})), BMC, "status")
    under_way = replace(due, tried=(*tried, Tried(BMC, "on", NOW_S, None)))
    assert not is_sent(under_way, BMC, "status")


def test_what_a_withdrawn_off_has_switched_off_is_switched_on_and_the_other_device_read() -> None:
    facts = replace(SETTLING, tried=(off(60), off(60, LEFT)), reads={BMC: (read("Off", 40),), LEFT: (read("On", 40),)})
    assert set(next_steps(facts).steps) == {Step(BMC, "on"), Step(LEFT, "status")}
