"""The programs of the kernel's packet filter, carried out here as the kernel does."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_agent.drivers.address.filters import MOST, Instruction, claims_of
from backstay_agent.drivers.address.frames import announcements, claimed, question

MAC = bytes.fromhex("020000000002")
V4 = [ip_address("192.0.2.10"), ip_address("192.0.2.11")]
V6 = [ip_address("2001:db8::10"), ip_address("2001:db8::11")]


def lets_through(program: list[Instruction], frame: bytes) -> bool:
    """What `struct sock_filter` means, as far as we use it; a load from beyond the frame ends it."""
    held, at = 0, 0
    while True:
        operation, if_true, if_false, number = program[at]
        at += 1
        if operation == 0x06:
            return number > 0
        if operation == 0x15:
            at += if_true if held == number else if_false
            continue
        size = {0x20: 4, 0x30: 1}[operation]
        if number + size > len(frame):
            return False
        held = int.from_bytes(frame[number : number + size])


@pytest.mark.parametrize("ours", [V4, V6])
def test_claims_of_each_of_ours_come_through(ours: list[IPv4Address | IPv6Address]) -> None:
    program = claims_of(ours)
    assert all(lets_through(program, frame) for ip in ours for frame in announcements(ip, MAC))


@pytest.mark.parametrize(("ours", "another"), [(V4, "192.0.2.12"), (V6, "2001:db8::12")])
def test_nothing_else_wakes_anybody(ours: list[IPv4Address | IPv6Address], another: str) -> None:
    others = [*announcements(ip_address(another), MAC), question(ip_address(another), MAC), question(ours[0], MAC)]
    assert not any(lets_through(claims_of(ours), frame) for frame in others)
    assert not any(lets_through(claims_of([]), frame) for frame in announcements(ours[0], MAC))


@pytest.mark.parametrize("first", ["192.0.2.0", "2001:db8::"])
def test_of_too_many_addresses_for_one_program_all_come_through(first: str) -> None:
    many = [ip_address(first) + number for number in range(MOST + 1)]
    program = claims_of(many)
    assert len(program) < 4096
    assert all(lets_through(program, frame) for ip in many[:: MOST // 10] for frame in announcements(ip, MAC))


@given(st.binary(max_size=90), st.sampled_from([*V4, *V6]))
def test_what_says_something_is_never_held_back(noise: bytes, ip: IPv4Address | IPv6Address) -> None:
    frame = announcements(ip, MAC)[0]
    for tried in (frame[: len(noise)] + noise, noise, frame + noise):
        assert lets_through(claims_of([ip]), tried) or claimed(tried, ip) is None
