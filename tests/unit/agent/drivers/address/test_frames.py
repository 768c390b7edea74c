"""Frames byte by byte, against what Linux 6.18 itself sends (arp_notify, ndisc_notify) and against the RFCs."""

from ipaddress import IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_agent.drivers.address.frames import announcements, answer, claimed, question

MAC = bytes.fromhex("020000000001")
OTHER = bytes.fromhex("02 00 00 00 00 02")
V4 = ip_address("192.0.2.10")
V6 = ip_address("2001:db8::10")


def test_v4_is_announced_by_a_request_as_linux_sends_it_and_by_a_reply() -> None:
    request, reply = announcements(V4, MAC)
    assert request == bytes.fromhex(
        "ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 c000020a 000000000000 c000020a"
    )
    assert reply == bytes.fromhex(
        "ffffffffffff 020000000001 0806 0001 0800 06 04 0002 020000000001 c000020a 020000000001 c000020a"
    )


def test_v6_is_announced_as_linux_does_it() -> None:
    linux = bytes.fromhex(
        "33330000000102000000000186dd6000000000203afffe80000000000000000000fffe000001"
        "ff0200000000000000000000000000018800599b20000000fe80000000000000000000fffe0000010201020000000001"
    )
    assert announcements(IPv6Address("fe80::ff:fe00:1"), MAC) == [linux]


def test_a_v4_question_comes_from_nobody() -> None:
    assert question(V4, MAC) == bytes.fromhex(
        "ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 00000000 000000000000 c000020a"
    )


def test_a_v6_question_comes_from_nobody_and_goes_to_those_who_may_have_it() -> None:
    assert question(V6, MAC) == bytes.fromhex(
        "3333ff000010 020000000001 86dd 6000000000183aff 00000000000000000000000000000000"
        "ff0200000000000000000001ff000010 87004ccf 00000000 20010db8000000000000000000000010"
    )


@pytest.mark.parametrize("ip", [V4, V6])
def test_an_announcement_is_an_answer(ip: IPv6Address) -> None:
    assert [answer(frame, ip) for frame in announcements(ip, OTHER)] == [OTHER] * len(announcements(ip, OTHER))


@pytest.mark.parametrize("ip", [V4, V6])
def test_somebody_elses_question_for_it_is_a_claim_too(ip: IPv6Address) -> None:
    assert answer(question(ip, OTHER), ip) == OTHER


@pytest.mark.parametrize("ip", [V4, V6])
def test_who_only_asks_for_it_does_not_have_it(ip: IPv6Address) -> None:
    assert claimed(question(ip, OTHER), ip) is None
    assert [claimed(frame, ip) for frame in announcements(ip, OTHER)] == [OTHER] * len(announcements(ip, OTHER))


@pytest.mark.parametrize(("ip", "another"), [(V4, "192.0.2.11"), (V6, "2001:db8::11")])
def test_frames_about_another_address_say_nothing(ip: IPv6Address, another: str) -> None:
    frames = [*announcements(ip_address(another), OTHER), question(ip_address(another), OTHER)]
    assert [answer(frame, ip) for frame in frames] == [None] * len(frames)


def test_linux_duplicate_detection_is_understood() -> None:
    linux = bytes.fromhex(  # with a nonce option (RFC 7527)
        "3333ff00001002000000000186dd6000000000203aff00000000000000000000000000000000ff0200000000000000000001ff000010"
        "8700f6cc0000000020010db80000000000000000000000100e01e48b4d2b1642"
    )
    assert answer(linux, V6) == MAC


def test_an_advertisement_that_came_through_a_router_is_not_believed() -> None:
    (frame,) = announcements(V6, OTHER)
    assert answer(frame[:21] + b"\x40" + frame[22:], V6) is None


@given(st.binary(max_size=120), st.sampled_from([V4, V6]))
def test_no_frame_can_crash_the_reader(frame: bytes, ip: IPv6Address) -> None:
    answer(frame, ip)
    answer(announcements(ip, OTHER)[0][: len(frame)] + frame, ip)
