"""The key of two agents: as RFC 7748 has it, the same on both sides, and none with what is no key."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from backstay_agent.core.exchange import BYTES, agreed, public

SECRETS = st.binary(min_size=BYTES, max_size=BYTES)


def test_it_is_that_of_the_standard() -> None:
    scalar = bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    point = bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    assert agreed(scalar, point).hex() == "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"


@settings(max_examples=20, deadline=None)
@given(SECRETS, SECRETS)
def test_both_sides_make_the_same_and_so_does_a_library(one: bytes, other: bytes) -> None:
    theirs = X25519PrivateKey.from_private_bytes(other)
    assert public(other) == theirs.public_key().public_bytes_raw()
    made = agreed(one, public(other))
    assert made == agreed(other, public(one)) == theirs.exchange(X25519PublicKey.from_public_bytes(public(one)))


@pytest.mark.parametrize("point", [0, 1], ids=str)
def test_what_would_make_the_same_key_with_everybody_is_refused(point: int) -> None:
    with pytest.raises(ValueError, match="not a key"):
        agreed(b"x" * BYTES, point.to_bytes(BYTES, "little"))
