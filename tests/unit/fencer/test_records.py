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
