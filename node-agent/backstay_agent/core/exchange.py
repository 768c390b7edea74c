"""A key that two agents have in common and nobody else: each makes one half known, and who reads both halves cannot make it. Pure.

X25519 (RFC 7748). Slow beside a library's, and needed a few times a day; it need not resist who measures its time.
"""

from __future__ import annotations

from typing import Final

BYTES: Final = 32
_P: Final = 2**255 - 19
_A24: Final = 121665
_BASE: Final = (9).to_bytes(BYTES, "little")


def public(secret: bytes) -> bytes:
    """What may be made known of it."""
    return _times(secret, _BASE)


def agreed(secret: bytes, theirs: bytes) -> bytes:
    """What only the holders of the two secrets can make. Raises ValueError if theirs is none that an honest agent makes."""
    made = _times(secret, theirs)
    if not any(made):
        raise ValueError("not a key")
    return made


def _times(scalar: bytes, point: bytes) -> bytes:
    k = int.from_bytes(scalar, "little") & ((1 << 254) - 8) | (1 << 254)
    u = int.from_bytes(point, "little") & ((1 << 255) - 1)
    x2, z2, x3, z3, swapped = 1, 0, u, 1, 0
    for bit in range(254, -1, -1):
        now = (k >> bit) & 1
        if now != swapped:
            x2, z2, x3, z3 = x3, z3, x2, z2
        swapped = now
        x2, z2, x3, z3 = _step(u, x2, z2, x3, z3)
    if swapped:
        x2, z2 = x3, z3
    return (x2 * pow(z2, _P - 2, _P) % _P).to_bytes(BYTES, "little")


def _step(u: int, x2: int, z2: int, x3: int, z3: int) -> tuple[int, int, int, int]:
    a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
    aa, bb, da, cb = a * a % _P, b * b % _P, d * a % _P, c * b % _P
    e = aa - bb
    return aa * bb % _P, e * (aa + _A24 * e) % _P, (da + cb) ** 2 % _P, u * (da - cb) ** 2 % _P
