"""Source 19: certificates among the found files: until when, for which names, and which found file is the key."""

from __future__ import annotations

import ssl
from dataclasses import replace
from typing import Final

from backstay_api.objects.certificates import NotDer, first_of_pem, parse
from backstay_api.objects.survey import CertificateFacts, PathFacts, Survey

from .contained import found
from .mentions import secret
from .place import Place

MOST_FILES: Final = 200
MOST_BYTES: Final = 64 * 1024


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
    pem = first_of_pem(data)
    try:
        facts = parse(pem or data)
    except NotDer:
        return None
    key = next((one for one in keys if pem and _belong_together(place, path, one)), "")
    return CertificateFacts(facts.end[:10], facts.names, key=key, is_self_signed=facts.is_self_signed)


def _belong_together(place: Place, path: str, key: str) -> bool:
    """Whether OpenSSL takes them as a pair. A key with a password is none that can be told: it is asked for nothing."""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(place.at(path), place.at(key), password=lambda: "")
    except (OSError, ValueError):
        return False
    return True
