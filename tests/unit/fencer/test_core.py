"""The fencer's thought: when a read is due, who may be switched off, and what proves it."""

from dataclasses import replace

import pytest

from backstay_api.objects.models.fencing import FenceEvidence
from backstay_api.objects.models.host import FenceDevice, FenceLevel
from backstay_fencer.core import followed_by, is_done_on, judge_read, next_steps, owed, power, proof
from backstay_fencer.facts import Identity, Read, RequestFacts, Step, Tried
from backstay_fencer.reading import Power
from backstay_fencer.words import on_again
from backstay_testing.fencer_facts import off_wanted

BMC = ("bmc", "bmc")
LEVEL = FenceLevel(name="bmc", devices=[FenceDevice(name="bmc", agent="fence_redfish", read_gap="1s")])
SECOND = FenceLevel(
    name="pdu", devices=[FenceDevice(name="left", agent="fence_apc"), FenceDevice(name="right", agent="fence_apc")]
)


FACTS = off_wanted(LEVEL, others=(SECOND,), now_s=100.0)


def read(power: Power, begun_s: float, *, after_seal: bool = True) -> Read:
    return Read(power, begun_s, begun_s + 0.2, after_seal)


def reads_in_a_row(*made: Read) -> tuple[Read, ...]:
    """As they stand once all of them were made, one after the other."""
    kept: tuple[Read, ...] = ()
    for one in made:
        kept = followed_by(kept, one)
    return kept


@pytest.mark.parametrize(
    ("exit_code", "output", "expected"),
    [
        pytest.param(2, "Status: OFF", "Off", id="exit 2 and the words: off"),
        pytest.param(0, "Status: ON", "On", id="exit 0 and the words: on"),
        pytest.param(2, "Traceback: syntax error", "Unknown", id="exit 2 alone is what a broken script returns too"),
        pytest.param(0, "Status: OFF", "Unknown", id="the words without exit 2 are not believed"),
        pytest.param(1, "Failed: Unable to connect", "Unknown", id="a failure is unknown"),
        pytest.param(None, "Status: OFF", "Unknown", id="past our deadline nothing counts"),
    ],
)
def test_a_read_says_off_only_by_exit_code_and_words(exit_code: int | None, output: str, expected: str) -> None:
    assert judge_read(exit_code=exit_code, output=output)[0] == expected


def test_what_a_failed_read_says_is_the_trouble_and_nothing_that_differs_from_read_to_read() -> None:
    words = "ERROR: Failed: send_get_request: (Caused by <HTTPSConnection object at 0x{}>: Connection refused)"
    output = "2026-11-22 18:09:27,{} " + words + "\n\n2026-11-22 18:09:27,{} ERROR: Please use '-h' for usage\n"
    said = {judge_read(exit_code=1, output=output.format(n, f"7f{n}", n))[1] for n in (101, 202)}
    assert said == {"exit 1: " + words.replace(" at 0x{}", "")}


@pytest.mark.parametrize(
    ("reads", "expected"),
    [
        pytest.param((), "not read yet", id="no read proves nothing"),
        pytest.param((read("Off", 90),), "read off once", id="one read proves nothing"),
        pytest.param((read("Off", 80, after_seal=False), read("Off", 90)), None, id="two, the second after the seal"),
        pytest.param(
            (read("Off", 80), read("Off", 90, after_seal=False)),
            "not read since the lease",
            id="second before the seal",
        ),
        pytest.param((read("Off", 90), read("Off", 90.5)), "less than 1s apart", id="too close together"),
        pytest.param((read("Off", 80), read("On", 90)), "says on", id="a second read that says on undoes the first"),
        pytest.param((read("On", 80), read("Off", 90)), "read off once", id="on, then off: once"),
        pytest.param((read("Off", 80), read("Unknown", 90)), "says unknown", id="unknown is not off"),
    ],
)
def test_device_evidence_needs_two_reads_the_second_after_the_seal(
    reads: tuple[Read, ...], expected: str | None
) -> None:
    found = proof(replace(FACTS, reads={BMC: reads_in_a_row(*reads)}))
    if expected is None:
        assert isinstance(found, FenceEvidence)
    else:
        assert expected in found


@pytest.mark.parametrize(
    ("reads", "asked_s", "is_proven", "asks"),
    [
        pytest.param((), float("-inf"), False, False, id="nothing read: nothing to ask for"),
        pytest.param((read("On", 80),), float("-inf"), False, False, id="on: nothing to ask for"),
        pytest.param((read("Off", 80),), float("-inf"), False, True, id="off: asked at once, beside the next read"),
        pytest.param((read("Off", 80),), 80.2, False, False, id="answered since it was read off"),
        pytest.param((read("Off", 80), read("Off", 90)), 80.1, False, True, id="asked while it was being read off"),
        pytest.param((read("Off", 80), read("Off", 90)), 80.2, True, False, id="answered between the reads"),
        pytest.param((read("Off", 80), read("Off", 90)), 95.0, True, False, id="answered after both"),
        pytest.param(
            (read("Off", 60), read("Off", 70), read("Off", 80), read("Off", 90)), 60.2, True, False,
            id="off all the time since: a server that takes long to answer is not asked for ever",
        ),
        pytest.param(
            (read("Off", 60), read("On", 70), read("Off", 80), read("Off", 90)), 60.2, False, True,
            id="on in between: who has booted since may have named itself",
        ),
        pytest.param((read("On", 70), read("Off", 80), read("Off", 90)), 80.2, True, False, id="answered since it went off"),
        pytest.param((read("Off", 80), read("Unknown", 85), read("Off", 90)), 80.2, False, True, id="not known in between"),
    ],
)  # fmt: skip
def test_who_names_the_same_machine_is_asked_once_it_was_read_off(
    reads: tuple[Read, ...], asked_s: float, is_proven: bool, asks: bool
) -> None:
    facts = replace(FACTS, reads={BMC: reads_in_a_row(*reads)}, asked_s=asked_s)
    assert isinstance(proof(facts), FenceEvidence) == is_proven
    assert next_steps(facts).ask == asks
    assert not next_steps(replace(facts, asking=True)).ask, "it is under way"
    assert not next_steps(replace(facts, over=False)).ask, "nothing is proven before the seal"
    assert next_steps(replace(facts, want="Observe")).ask == asks, "it may be proven without an `off`"


@pytest.mark.parametrize(("identity", "word"), [("Mismatch", "another machine"), ("Unverified", "drill")])
def test_a_device_that_names_no_or_another_machine_proves_nothing_and_is_not_switched(
    identity: Identity, word: str
) -> None:
    facts = replace(FACTS, identity={BMC: identity}, reads={BMC: (read("Off", 80), read("Off", 90))})
    assert word in str(proof(facts))
    assert power(facts) == "Unknown", "a host that is only late would be sealed for it"
    assert Step(BMC, "off") not in next_steps(replace(facts, reads={})).steps


def test_a_drilled_device_counts_though_it_cannot_name_its_machine() -> None:
    drilled = FenceLevel(name="bmc", devices=[FenceDevice(name="bmc", agent="fence_x", drilled=True)])
    facts = replace(
        FACTS, levels=(drilled,), identity={}, reads={BMC: reads_in_a_row(read("Off", 80), read("Off", 90))}
    )
    assert isinstance(proof(facts), FenceEvidence)


def test_on_one_level_every_device_must_be_off() -> None:
    both = {("pdu", "left"): (read("Off", 80), read("Off", 90)), ("pdu", "right"): (read("Off", 80), read("On", 90))}
    facts = replace(FACTS, levels=(SECOND,), reads=both)
    assert "right: says on" in str(proof(facts))
    assert power(facts) == "On"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(FACTS, [Step(BMC, "off"), Step(BMC, "status")], id="sealed and wanted: off, and watch it happen"),
        pytest.param(replace(FACTS, over=False), [Step(BMC, "status")], id="an unsealed session is never switched off"),
        pytest.param(replace(FACTS, want="Observe"), [Step(BMC, "status")], id="observing only reads"),
        pytest.param(replace(FACTS, want="Withdrawn"), [], id="a false alarm: nothing"),
        pytest.param(
            replace(FACTS, want="Withdrawn", tried=(Tried(BMC, "off", 94, 95),)),
            [Step(BMC, "status")],
            id="withdrawn, and our off may still come through: it is read, and no other off is sent",
        ),
        pytest.param(
            replace(FACTS, want="Withdrawn", tried=(Tried(BMC, "off", 94, 95),), reads={BMC: (read("Off", 99),)}),
            [Step(BMC, "on")],
            id="withdrawn, and our off has come through: on",
        ),
        pytest.param(
            replace(FACTS, want="Withdrawn", tried=(Tried(BMC, "off", 94, 95),), reads={BMC: (read("On", 99),)}),
            [],
            id="withdrawn, and it is still on: no on, and it is read again in a moment",
        ),
        pytest.param(
            replace(
                FACTS,
                want="Withdrawn",
                after="StayOff",
                tried=(Tried(BMC, "off", 84, 85),),
                reads={BMC: (read("Off", 95),)},
            ),
            [Step(BMC, "status")],
            id="withdrawn, off through us, and somebody has hands on it: it is read, so that it can be settled",
        ),
        pytest.param(
            replace(
                FACTS, want="Withdrawn", tried=(Tried(BMC, "off", 84, 85, ours=False),), reads={BMC: (read("Off", 95),)}
            ),
            [],
            id="withdrawn, and what was sent did nothing: whoever pulled the plug puts it back",
        ),
        pytest.param(
            replace(FACTS, reads={BMC: (read("Off", 99.7),)}), [], id="it reads off: no off, and the gap is waited for"
        ),
        pytest.param(replace(FACTS, reads={BMC: (read("Off", 98),)}), [Step(BMC, "status")], id="then read again"),
        pytest.param(
            replace(FACTS, tried=(Tried(BMC, "off", 99, None),), reading=frozenset({BMC})), [], id="both under way"
        ),
        pytest.param(
            replace(FACTS, tried=(Tried(BMC, "off", 60, 61),)),
            [Step(BMC, "off"), Step(BMC, "status")],
            id="without effect: again",
        ),
        pytest.param(
            replace(FACTS, tried=(Tried(BMC, "off", 94, 95),), reads={BMC: (read("On", 99),)}),
            [Step(BMC, "status")],
            id="sent a moment ago: it is watched, and not sent again",
        ),
        pytest.param(
            replace(FACTS, proven=True), [], id="proven, and nothing was switched off by us: nothing is switched on"
        ),
        pytest.param(
            replace(FACTS, proven=True, tried=(Tried(BMC, "off", 9, 9),)), [Step(BMC, "on")], id="proven: on again"
        ),
        pytest.param(
            replace(FACTS, proven=True, after="StayOff", tried=(Tried(BMC, "off", 9, 9),)), [], id="asked to stay off"
        ),
    ],
)
def test_what_is_run_next(facts: RequestFacts, expected: list[Step]) -> None:
    assert list(next_steps(facts).steps) == expected


def test_the_next_level_has_its_turn_when_the_first_has_failed() -> None:
    facts = replace(FACTS, levels=(LEVEL, SECOND), tried=(Tried(BMC, "off", 50, 51),), reading=frozenset({BMC}))
    offs = [step.slot for step in next_steps(facts).steps if step.action == "off"]
    assert offs == [("pdu", "left"), ("pdu", "right")]


def test_after_an_off_the_fencer_looks_again_in_time_for_the_next_level() -> None:
    facts = replace(FACTS, levels=(LEVEL, SECOND), tried=(Tried(BMC, "off", 99, 99.5),), reading=frozenset({BMC}))
    wake_at_s = next_steps(facts).wake_at_s
    assert wake_at_s is not None and 100 < wake_at_s <= 99 + 30.01


def test_nothing_is_switched_on_while_an_off_is_still_under_way() -> None:
    assert next_steps(replace(FACTS, proven=True, tried=(Tried(BMC, "off", 9, None),))).steps == ()


# --- several devices and levels, and the way back --------------------------------------------------------------------

LEFT, RIGHT = ("pdu", "left"), ("pdu", "right")


BOTH_OFF = replace(
    FACTS, levels=(LEVEL, SECOND), proven=True, tried=(Tried(LEFT, "off", 9, 10), Tried(RIGHT, "off", 9, 10))
)


def test_of_two_outlets_only_those_that_we_switched_off_are_switched_on_each_until_it_says_on() -> None:
    assert next_steps(BOTH_OFF).steps == (Step(LEFT, "on"), Step(RIGHT, "on"))
    only_one = replace(BOTH_OFF, tried=(Tried(LEFT, "off", 9, 10), Tried(RIGHT, "off", 9, 10, ours=False)))
    assert next_steps(only_one).steps == (Step(LEFT, "on"),)
    on = (Tried(LEFT, "on", 70, 71), Tried(RIGHT, "on", 70, 71, failed="exit 1"))
    one_is_on = replace(
        BOTH_OFF, tried=(*BOTH_OFF.tried, *on), reads={LEFT: (read("On", 80),), RIGHT: (read("Off", 80),)}
    )
    assert owed(one_is_on) == (RIGHT,) and not is_done_on(one_is_on)
    assert Step(RIGHT, "on") in next_steps(one_is_on).steps and LEFT not in {
        s.slot for s in next_steps(one_is_on).steps
    }
    assert on_again(one_is_on).startswith("not on again yet: right does not say on after 1 time: exit 1")
    both_on = replace(one_is_on, reads={LEFT: (read("On", 80),), RIGHT: (read("On", 80),)})
    assert is_done_on(both_on) and next_steps(both_on).steps == ()


def test_an_on_that_was_not_sent_has_switched_nothing_on() -> None:
    """Seed 40663202865: another fencer's `off`, begun in the same second, passed for ours, which was not sent; so nothing seemed owed."""
    unsent = Tried(LEFT, "on", 70, 71, ours=False, unsent=True)
    facts = replace(BOTH_OFF, tried=(Tried(LEFT, "off", 9, 10, ours=False), unsent), reads={LEFT: (read("Off", 80),)})
    assert owed(facts) == () and not is_done_on(facts)
    sent = replace(facts, tried=(facts.tried[0], replace(unsent, ours=True, unsent=False)))
    assert is_done_on(sent)


@pytest.mark.parametrize("read_s", [8, 69], ids=["before our off", "when our off was through"])
def test_what_it_said_before_the_on_does_not_count_as_on_again(read_s: int) -> None:
    tried = (Tried(BMC, "off", 9, 10), Tried(BMC, "on", 70, 71))
    assert owed(replace(FACTS, proven=True, tried=tried, reads={BMC: (read("On", read_s),)})) == (BMC,)


def test_it_is_looked_at_again_though_an_on_after_the_one_that_helped_was_not_sent() -> None:
    """Seed 50031426297: "on" counts once the `off` cannot come through any more; the last try was another fencer's, and not sent."""
    tried = (Tried(BMC, "off", 84, 85), Tried(BMC, "on", 90, 91), Tried(BMC, "on", 92, 92, unsent=True))
    facts = replace(FACTS, proven=True, tried=tried, reads={BMC: (read("On", 91),)})
    assert owed(facts) == (BMC,) and next_steps(facts).steps == (Step(BMC, "status"),)


def test_a_level_that_is_slow_has_its_time_before_the_next_one_has_its_turn() -> None:
    slow = FenceLevel(name="bmc", devices=[FenceDevice(name="bmc", agent="fence_redfish", timeout="60s")])
    facts = replace(
        FACTS, levels=(slow, SECOND), tried=(Tried(BMC, "off", 50, None),), reading=frozenset({BMC}), now_s=115.0
    )
    assert not [step for step in next_steps(facts).steps if step.action == "off"]
    later = replace(facts, now_s=121.0)
    assert {step.slot for step in next_steps(later).steps if step.action == "off"} == {LEFT, RIGHT}


def test_evidence_of_a_later_level_is_as_good_and_half_a_level_is_none() -> None:
    off = reads_in_a_row(read("Off", 80), read("Off", 90))
    half = replace(FACTS, levels=(LEVEL, SECOND), reads={LEFT: off, BMC: (read("On", 90),)})
    assert "right: not read yet" in str(proof(half)) and "level bmc: bmc: says on" in str(proof(half))
    whole = replace(half, reads={**half.reads, RIGHT: off})
    found = proof(whole)
    assert isinstance(found, FenceEvidence) and (found.level, found.why.split(" read off")[0]) == ("pdu", "left, right")


def test_a_machine_uuid_that_another_host_says_too_makes_every_device_worthless_drilled_or_not() -> None:
    drilled = FenceLevel(name="bmc", devices=[FenceDevice(name="bmc", agent="fence_x", drilled=True)])
    facts = replace(FACTS, levels=(drilled,), reads={BMC: (read("Off", 80), read("Off", 90))}, shared_with="n2")
    assert "this host and n2 say the same machine UUID" in str(proof(facts))
    assert Step(BMC, "off") not in next_steps(replace(facts, reads={})).steps
