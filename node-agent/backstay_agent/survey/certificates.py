"""Source 19: certificates among the found files: until when, for which names, and which found file is the key. Read by a small DER reader."""

from __future__ import annotations

import base64
import binascii
import re
import ssl
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from backstay_api.objects.survey import CertificateFacts, PathFacts, Survey

from .contained import found
from .mentions import secret
from .place import Place

MOST_FILES: Final = 200
MOST_BYTES: Final = 64 * 1024
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----\s(.+?)-----END CERTIFICATE-----", re.DOTALL)
_SAN: Final = bytes.fromhex("0603551d11")
_SEQUENCE: Final = 0x30
_TIME: Final = (0x17, 0x18)
_DNS: Final = 0x82
_CONTEXT_0: Final = 0xA0


class NotDer(Exception):
    """The bytes are no such structure."""


def certificates(place: Place, base: Survey) -> Survey:
    """Of what is found and is a file outside packages' own trees."""
    ours = [one for one in base.paths if one.type == "File" and not one.path.startswith(("/usr/", "/proc/"))]
    files = ours[:MOST_FILES]
    secrets = [known for one in files if (known := secret(place, one.path))]
    keys = [one.path for one in secrets]
    seen = [PathFacts(one.path, certificate=facts) for one in files if (facts := _certificate(place, one.path, keys))]
    return replace(found(base), paths=(*secrets, *seen))


def _certificate(place: Place, path: str, keys: list[str]) -> CertificateFacts | None:
    data = place.read(path, MOST_BYTES) or b""
    match = _PEM.search(data)
    try:
        der = base64.b64decode(match[1]) if match else data if data[:1] == b"\x30" else b""
        facts = parse(der) if der else None
    except (NotDer, binascii.Error, ValueError, IndexError):
        return None
    key = next((one for one in keys if match and _belong_together(place, path, one)), "")
    return replace(facts, key=key) if facts else None


def _belong_together(place: Place, path: str, key: str) -> bool:
    """Whether OpenSSL takes them as a pair. A key with a password is none that can be told: it is asked for nothing."""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(place.at(path), place.at(key), password=lambda: "")
    except (OSError, ValueError):
        return False
    return True


# --- DER -------------------------------------------------------------------------------------------------------------------


def parse(der: bytes) -> CertificateFacts:
    """Of a certificate its end and its names. Raises NotDer."""
    tbs = _inside(_inside(der, _SEQUENCE), _SEQUENCE)
    fields = list(_elements(tbs))
    if fields and fields[0][0] == _CONTEXT_0:
        fields = fields[1:]
    if len(fields) < 6 or fields[3][0] != _SEQUENCE:
        raise NotDer("it has no validity")
    times = [body for tag, body in _elements(fields[3][1]) if tag in _TIME]
    if len(times) != 2:
        raise NotDer("its validity has no two times")
    return CertificateFacts(_day(times[1]), tuple(_names(tbs)), is_self_signed=fields[2][1] == fields[4][1])


def _day(body: bytes) -> str:
    text = body.decode("ascii", "replace")
    if len(text) < 15:  # two digits of the year; from 50 on they are of the last century (RFC 5280)
        text = ("19" if text[:2] >= "50" else "20") + text
    if not text[:8].isdigit():
        raise NotDer("it has no date")
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}"


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
