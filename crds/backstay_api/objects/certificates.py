"""A small reader of certificates (DER, X.509): until when one is good, and for which names. Standard library only, pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----\s(.+?)-----END CERTIFICATE-----", re.DOTALL)
_SAN: Final = bytes.fromhex("0603551d11")
_SEQUENCE: Final = 0x30
_TIME: Final = (0x17, 0x18)
_DNS: Final = 0x82
_CONTEXT_0: Final = 0xA0


class NotDer(Exception):
    """The bytes are no such structure."""


class Validity(NamedTuple):
    """What a certificate says of itself."""

    end: str
    """`2027-02-14T12:00:00Z`."""
    names: tuple[str, ...]
    """DNS names of its subjectAltName."""
    is_self_signed: bool


def first_of_pem(text: bytes) -> bytes:
    """The first certificate of a PEM file; empty if there is none."""
    found = _PEM.search(text)
    try:
        return base64.b64decode(found[1]) if found else b""
    except (binascii.Error, ValueError):
        return b""


def is_for(name: str, wanted: str) -> bool:
    """Whether a certificate's name is good for a server: a star stands for one label (RFC 6125)."""
    if name.startswith("*."):
        return wanted.lower().partition(".")[2] == name[2:].lower() or wanted.lower() == name.lower()
    return name.lower() == wanted.lower()


def parse(der: bytes) -> Validity:
    """Of a certificate its end and its names. Raises NotDer."""
    try:
        return _parsed(der)
    except (ValueError, IndexError) as error:
        raise NotDer("it ends too early") from error


def _parsed(der: bytes) -> Validity:
    tbs = _inside(_inside(der, _SEQUENCE), _SEQUENCE)
    fields = list(_elements(tbs))
    if fields and fields[0][0] == _CONTEXT_0:
        fields = fields[1:]
    if len(fields) < 6 or fields[3][0] != _SEQUENCE:
        raise NotDer("it has no validity")
    times = [body for tag, body in _elements(fields[3][1]) if tag in _TIME]
    if len(times) != 2:
        raise NotDer("its validity has no two times")
    return Validity(_moment(times[1]), tuple(_names(tbs)), is_self_signed=fields[2][1] == fields[4][1])


def _moment(body: bytes) -> str:
    text = body.decode("ascii", "replace")
    if len(text) < 15:  # two digits of the year; from 50 on they are of the last century (RFC 5280)
        text = ("19" if text[:2] >= "50" else "20") + text
    if not text[:14].isdigit():
        raise NotDer("it has no date")
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:14]}Z"


def _names(tbs: bytes) -> Iterator[str]:
    at = tbs.find(_SAN)
    if at < 0:
        return
    for tag, body in _elements(tbs[at + len(_SAN) :]):
        if tag == 0x04:  # an octet string that holds the list; `critical` may stand in front
            for kind, name in _elements(_inside(body, _SEQUENCE)):
                if kind == _DNS:
                    yield "".join(each for each in name.decode("ascii", "replace") if each.isprintable())[:253]
            return


def _inside(der: bytes, wanted: int) -> bytes:
    tag, body = next(_elements(der), (0, b""))
    if tag != wanted:
        raise NotDer(f"tag {tag:#x} where {wanted:#x} is wanted")
    return body


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 2 <= len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            if not 0 < size <= 4:
                raise NotDer("a length of no sense")
            length, at = int.from_bytes(der[at : at + size], "big"), at + size
        if at + length > len(der):
            raise NotDer("it ends too early")
        yield tag, der[at : at + length]
        at += length
