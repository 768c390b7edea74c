"""Who else was seen to have an address, and for how long that is believed."""

from ipaddress import ip_address

from backstay_agent.drivers.address.duplicates import AGAIN_S, FORGET_S, MOST, REMIND_S, Duplicates, next_reminder_s

IP = ip_address("192.0.2.10")
ONE, TWO, OWN = (bytes.fromhex(f"02000000000{number}") for number in (1, 2, 3))


def seen(*macs: bytes, at_s: float = 0.0) -> Duplicates:
    table = Duplicates()
    for mac in macs:
        assert table.saw(IP, "eth0", mac, now_s=at_s), "the first time it is news"
    return table


def test_whoever_was_seen_is_named_but_for_ourselves_and_what_came_in_elsewhere() -> None:
    table = seen(TWO, OWN, ONE)
    assert table.who(IP, "eth0", but={OWN}, now_s=1.0) == [ONE, TWO]
    assert table.who(IP, "eth1", but={OWN}, now_s=1.0) == []
    assert table.who(ip_address("192.0.2.11"), "eth0", but=(), now_s=1.0) == []


def test_who_says_it_without_pause_is_news_now_and_then_only() -> None:
    table = seen(ONE)
    news = [table.saw(IP, "eth0", ONE, now_s=at_s) for at_s in (0.1, AGAIN_S - 0.1, AGAIN_S, AGAIN_S + 1)]
    assert news == [False, False, True, False]


def test_who_was_asked_twice_and_was_not_seen_has_it_no_more() -> None:
    table = seen(ONE)
    assert FORGET_S > 2 * REMIND_S
    assert table.who(IP, "eth0", but=(), now_s=FORGET_S) == [ONE]
    assert table.who(IP, "eth0", but=(), now_s=FORGET_S + 1) == []


def test_who_makes_up_macs_does_not_fill_our_memory_for_ever() -> None:
    table = seen(*(bytes([2, 0, 0, 0, 0, number]) for number in range(MOST)))
    assert not table.saw(IP, "eth0", OWN, now_s=1.0)
    assert table.saw(IP, "eth0", OWN, now_s=FORGET_S + 1)


def test_a_start_that_has_asked_forgets_who_had_it_before() -> None:
    table = seen(ONE)
    table.forget(IP)
    assert table.who(IP, "eth0", but=(), now_s=1.0) == []


def test_all_addresses_of_a_host_have_their_reminders_at_the_same_moment() -> None:
    assert {next_reminder_s(at_s) for at_s in (0.0, 1.0, REMIND_S - 0.001)} == {REMIND_S}
    assert next_reminder_s(REMIND_S) == 2 * REMIND_S
