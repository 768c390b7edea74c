"""The DER reader against a library that knows better, and what it makes of nonsense."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from backstay_agent.survey.certificates import certificates
from backstay_api.objects.certificates import NotDer, parse
from backstay_testing.surveys import FolderHost, a_path, a_survey

NAMES = st.lists(st.from_regex(r"[a-z]{1,20}(\.[a-z]{1,20}){1,2}", fullmatch=True), max_size=4, unique=True)
KEY = ec.generate_private_key(ec.SECP256R1())


def made(names: list[str], expires: datetime, key: ec.EllipticCurvePrivateKey = KEY) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, datetime(2000, 1, 1), expires)
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False
        )
    return builder.sign(key, hashes.SHA256())


@settings(max_examples=50)
@given(names=NAMES, expires=st.datetimes(datetime(2001, 1, 1), datetime(2120, 1, 1)))
def test_end_and_names_are_those_that_the_library_reads(names: list[str], expires: datetime) -> None:
    certificate = made(names, expires.replace(tzinfo=UTC))
    facts = parse(certificate.public_bytes(serialization.Encoding.DER))
    assert (facts.end, list(facts.names), facts.is_self_signed) == (f"{expires:%Y-%m-%dT%H:%M:%SZ}", names, True)


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_nonsense_is_no_certificate(data: bytes) -> None:
    with pytest.raises(NotDer):
        parse(data)


def pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_the_key_that_belongs_to_it_is_told_and_no_other(tmp_path: Path) -> None:
    host, other = FolderHost(tmp_path), ec.generate_private_key(ec.SECP256R1())
    host.write("/etc/a.pem", made(["shop.example.org"], datetime(2030, 5, 6)).public_bytes(serialization.Encoding.PEM))
    host.write("/etc/other.pem", pem_of(other))
    host.write("/etc/right.pem", pem_of(KEY))
    found = certificates(host.place, a_survey(*(a_path(f"/etc/{name}.pem") for name in ("a", "other", "right"))))
    (certificate,) = [one.certificate for one in found.paths if one.certificate]
    assert (certificate.key, certificate.expires, certificate.names) == (
        "/etc/right.pem",
        "2030-05-06",
        ("shop.example.org",),
    )
    assert {one.path for one in found.paths if one.is_secret} == {"/etc/other.pem", "/etc/right.pem"}
