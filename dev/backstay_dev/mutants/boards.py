"""Mutants of what a board's answers are worth, and of what an agent is told and its words show (PROTOCOL 5)."""

from __future__ import annotations

from typing import Final

from .kinds import FENCER, UNIT, Mutant, one

_NAMES: Final = f"{UNIT}/fencer/test_identity.py"
_SECRETS: Final = f"{UNIT}/fencer/test_secrets.py"
_IDENTITY: Final = f"{FENCER}/identity.py"
_PLACEHOLDERS: Final = {
    "of a maker of chipsets": "03000200040005000006000700080009",
    "counted and spelt": "123456781234567890abcddeefaabbcc",
    "counted again and again": "12345678123412341234123456789012",
    "every digit twice": "00112233445566778899aabbccddeeff",
}


def _is_none(words: str, text: str) -> Mutant:
    line = f'    "{text}",\n'
    return one(f"a UUID as it came names no machine: {words}", _IDENTITY, line, "", _NAMES)


MUTANTS: Final[tuple[Mutant, ...]] = (
    *(_is_none(words, text) for words, text in _PLACEHOLDERS.items()),
    one(
        "a UUID of two digits names no machine",
        _IDENTITY,
        "len(set(plain)) <= 2",
        "len(set(plain)) <= 1",
        _NAMES,
    ),
    one(
        "a UUID of three digits may name one",
        _IDENTITY,
        "len(set(plain)) <= 2",
        "len(set(plain)) <= 3",
        _NAMES,
    ),
    one(
        "a newer session that a read has shown is not forgotten for an older answer",
        f"{FENCER}/worker.py",
        "self._seen_seq = max(self._seen_seq, lease.seq)",
        "self._seen_seq = lease.seq",
        f"{UNIT}/fencer/test_newer_session.py",
    ),
    one(
        "who has led with a break begins anew",
        f"{FENCER}/worker.py",
        "self._has_led_on = self._has_led_on and self._ports.leads()",
        "self._has_led_on = self._ports.leads()",
        f"{UNIT}/fencer/test_two_fencers.py",
    ),
    one(
        "a short password is shown no more than a long one",
        f"{FENCER}/agents.py",
        "if len(value) >= 3:",
        "if len(value) >= 12:",
        _SECRETS,
    ),
    one(
        "a password of three letters is one",
        f"{FENCER}/agents.py",
        "if len(value) >= 3:",
        "if len(value) > 3:",
        _SECRETS,
    ),
    one(
        "an agent is told nothing that has a NUL in it",
        f"{FENCER}/agents.py",
        ' or "\\0" in value]',
        "]",
        _SECRETS,
    ),
    one(
        "an agent is told nothing that has a line break in it",
        f"{FENCER}/agents.py",
        'if "\\n" in value or "\\n" in key or',
        'if "\\n" in key or',
        _SECRETS,
    ),
)
