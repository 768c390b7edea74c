"""Looks at a certificate: whether it is there, has not ended, is good for the names, and its key belongs to it."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from backstay_api.objects.certificates import NotDer, first_of_pem, is_for, parse
from backstay_api.objects.plain import Certificate

from .base import Observed
from .tools.prerequisite_looks import look_or
from .tools.regular_files import opened


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class CertificateLooks:
    """`base.Looker` at certificates."""

    now: Callable[[], str] = _now
    """The host's time, as an end is written."""

    async def __call__(self, spec: Certificate, salt: str) -> Observed:
        how = partial(look_at_certificate, spec, self.now())
        return await look_or(Observed, f"{spec.path} (certificate {spec.key} {spec.names})", how)


def look_at_certificate(spec: Certificate, now: str) -> Observed:
    """What is seen of it, by the process that looks. Raises Unfit."""
    with opened(spec.path) as file:
        der = first_of_pem(file.read())
        whys = [why] if spec.key and der and (why := _key_trouble(file.fd, spec.path, spec.key)) else []
    try:
        facts = parse(der)
    except NotDer:
        return Observed(f"{spec.path} holds no certificate in PEM")
    ended = [f"{spec.path} ended at {facts.end}"] if facts.end < now else []
    whys = [*ended, *_not_for(spec, facts.names), *whys]
    return Observed("; ".join(whys), {"fingerprint": hashlib.sha256(der).hexdigest()[:32], "end": facts.end})


def _not_for(spec: Certificate, names: tuple[str, ...]) -> Iterator[str]:
    for wanted in spec.names or ():
        if not any(is_for(name, wanted) for name in names):
            has = ", ".join(names[:8]) or "none"
            yield f"{spec.path} is not for {wanted}: its names are {has}"


def _key_trouble(certificate: int, path: str, key: str) -> str:
    """Why the key is none for it. OpenSSL is given what was opened: a path may lead elsewhere by now."""
    with opened(key) as file:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(f"/proc/self/fd/{certificate}", f"/proc/self/fd/{file.fd}", password=lambda: "")
        except (OSError, ValueError):
            # Never the error's own words: they may quote what was read.
            return f"{key} is no key for {path}, or has a password"
    return ""
