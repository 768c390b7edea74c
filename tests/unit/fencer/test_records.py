"""What several fencers tell of one request, each beside the others."""

from backstay_api.objects.models.fencing import Attempt
from backstay_fencer.facts import Slot
from backstay_fencer.records import Records

BMC: Slot = ("first", "bmc")
NOW = "2026-03-01T12:00:08Z"


def stored(records: Records) -> list[Attempt]:
    return [Attempt.model_validate(told) for told in records.wire()]


def test_two_fencers_that_begin_in_the_same_second_do_not_take_each_others_off_for_their_own() -> None:
    """Seeds 40670776569 and 40663202865: what the one had sent was told as not sent by the other, so nobody owed an `on`."""
    one, other = Records("one"), Records("other")
    one.begin(BMC, "off", at=NOW, now_s=1.0)
    other.begin(BMC, "off", at=NOW, now_s=1.0).sends()
    one.observe(stored(other), now_s=2.0, at_s=1.0)
    assert [tried.ours for tried in one.tried()] == [False, True]
    other.observe(stored(one), now_s=3.0, at_s=1.0)
    assert sorted((told["by"], told["ours"]) for told in other.wire()) == [("one", False), ("other", True)]


def test_what_a_fencer_reads_of_itself_is_nothing_new() -> None:
    records = Records("one")
    records.begin(BMC, "off", at=NOW, now_s=1.0).sends()
    records.observe(stored(records), now_s=2.0, at_s=1.0)
    assert len(records.tried()) == 1


def test_of_a_month_of_tries_those_are_kept_that_decide() -> None:
    """A board that says on for ever: 86,400 tries in thirty days, of which each was gone through several times a second."""
    records = Records("one")
    ours = records.begin(BMC, "off", at=NOW, now_s=0.0)
    ours.sends()
    ours.end(0.5, result="exit 0", ours=True)
    first_on = records.begin(BMC, "on", at=NOW, now_s=0.6)
    hangs = records.begin(BMC, "off", at=NOW, now_s=0.7)
    last_ours = records.begin(BMC, "off", at=NOW, now_s=0.8)
    last_ours.end(0.9, result="exit 0", ours=True)
    for number in range(1, 1000):
        for action in ("off", "on"):
            records.begin(BMC, action, at=NOW, now_s=float(number)).end(
                number + 0.5, result="no", ours=False, unsent=True
            )
    kept = records.tried()
    assert {ours.tried, first_on.tried, hangs.tried, last_ours.tried} <= set(kept)
    assert max(tried.begun_s for tried in kept) == 999.0 and len(kept) <= 2 * 34
    assert [told["by"] for told in records.wire()] == ["one"] * 32


def test_another_device_is_not_forgotten_for_the_tries_of_this_one() -> None:
    records, other = Records("one"), ("second", "plug")
    its = records.begin(other, "off", at=NOW, now_s=0.0)
    its.end(0.1, result="exit 0", ours=True)
    for number in range(1, 100):
        records.begin(BMC, "off", at=NOW, now_s=float(number)).end(number + 0.5, result="exit 0", ours=True)
    assert its.tried in records.tried()
