"""What an HTTP probe may expect: statuses, a body in whichever form it comes, a certificate. Real sockets, on this machine only."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import os
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from backstay_agent.run.asking import RealAsker
from backstay_api.objects.plain import ExpectedBody, HttpGet, Probe, Tls

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def ask(
    answer: bytes, *, server_tls: ssl.SSLContext | None = None, keeps_open: bool = False, **wanted: Any
) -> str | None:
    """Ask a server that reads one request and answers with these bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            if keeps_open:
                await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def story() -> str | None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_tls)
        async with server, asyncio.timeout(10):
            port = server.sockets[0].getsockname()[1]
            return await RealAsker().ask(Probe(name="p", http_get=HttpGet(port=port, **wanted)))

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("status", "expected", "why"),
    [
        pytest.param("200 OK", ("200",), None, id="a code"),
        pytest.param("401 Unauthorized", ("200-299", "401"), None, id="a range or a code"),
        pytest.param("299 x", ("200-299",), None, id="the end of a range"),
        pytest.param("302 Found", ("200-299", "401"), "the answer is 302 Found, not 200-299 or 401", id="neither"),
        pytest.param("500 x", ("500-599",), None, id="an error may be what is wanted"),
        pytest.param("302 Found", None, None, id="by default up to 399"),
        pytest.param("404 Not Found", None, "the answer is 404 Not Found", id="and no further"),
    ],
)
def test_the_status_that_is_expected(status: str, expected: tuple[str, ...] | None, why: str | None) -> None:
    assert ask(f"HTTP/1.1 {status}\r\n\r\n".encode(), expected_status=expected) == why


LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nstate: ready\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6;x=1\r\nstate:\r\n7\r\n ready\n\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(LENGTH, id="with its length"),
        pytest.param(CHUNKED, id="in chunks"),
        pytest.param(b"HTTP/1.0 200 OK\r\nX: y\r\n\r\nstate: ready\n", id="to its end"),
    ],
)
@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param(ExpectedBody(contains="te: rea"), None, id="a text"),
        pytest.param(
            ExpectedBody(contains="done"), "the answer does not contain 'done'; it said: state: ready", id="another"
        ),
        pytest.param(ExpectedBody(matches="^state: (ready|idle)$"), None, id="an expression"),
        pytest.param(
            ExpectedBody(matches="-x$"), "no line of the answer matches '-x$'; it said: state: ready", id="no match"
        ),
        pytest.param(
            ExpectedBody(contains="state", matches="idle"),
            "no line of the answer matches 'idle'; it said: state: ready",
            id="both",
        ),
    ],
)
def test_the_body_that_is_expected(answer: bytes, body: ExpectedBody, why: str | None) -> None:
    assert ask(answer, expected_body=body) == why


def test_an_expression_that_is_none_says_so() -> None:
    why = ask(LENGTH, expected_body=ExpectedBody(matches="(state"))
    assert why is not None and why.startswith("grep could not match '(state'; it said: ") and "(" in why


def test_a_server_that_keeps_the_connection_open_is_believed_by_the_length_it_told() -> None:
    assert ask(LENGTH, keeps_open=True, expected_body=ExpectedBody(contains="ready")) is None
    assert ask(CHUNKED, keeps_open=True, expected_body=ExpectedBody(contains="ready")) is None


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nready",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nready",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,
        b"HTTP/1.1 200 OK\r\nX: y",
    ],
)
def test_a_body_that_is_none(answer: bytes) -> None:
    assert ask(answer, expected_body=ExpectedBody(contains="ready")) == "the answer is not HTTP"


def test_of_a_body_without_end_the_beginning_is_looked_at() -> None:
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 65530 + b"ready" + b"y" * 500_000
    assert ask(endless, keeps_open=True, expected_body=ExpectedBody(contains="xready")) is None
    why = ask(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 65536 + b"ready", expected_body=ExpectedBody(contains="ready"))
    assert why is not None and why.startswith("the answer does not contain 'ready'") and len(why) < 600


# --- TLS -------------------------------------------------------------------------------------------------------------


class Authority:
    """Signs certificates, and writes all of it into a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.file = self._write(name, self._certificate(name, self.key, is_authority=True), self.key)

    def sign(self, name: str) -> str:
        """A PEM file with a certificate and its key; its path."""
        key = ec.generate_private_key(ec.SECP256R1())
        return self._write(name, self._certificate(name, key), key)

    def _certificate(
        self, name: str, key: ec.EllipticCurvePrivateKey, *, is_authority: bool = False
    ) -> x509.Certificate:
        names: list[x509.GeneralName] = [x509.DNSName(name)]
        names += [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))] if name == "local" else []
        subject, issuer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, self.name))
        return (
            x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(NOW - datetime.timedelta(days=3650))
            .not_valid_after(NOW + datetime.timedelta(days=36500))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    def _write(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> str:
        file = self.folder / f"{name}-by-{self.name}.pem"
        file.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return str(file)


def serving(certificate: str, *, clients_of: str | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # a client without a certificate is refused in the handshake
    context.load_cert_chain(certificate)
    if clients_of:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients_of)
    return context


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "theirs")


OK = b"HTTP/1.1 200 OK\r\n\r\n"


def ask_tls(server: ssl.SSLContext, tls: Tls | None) -> str:
    why = ask(OK, server_tls=server, scheme="HTTPS", tls=tls)
    assert why != "", "a failure has its reason"
    return why or "good"


def test_a_certificate_is_checked_where_that_is_asked_for(ours: Authority, theirs: Authority) -> None:
    local, elsewhere = serving(ours.sign("local")), serving(ours.sign("shop.example"))
    assert ask_tls(local, Tls(ca_file=ours.file)) == "good"
    assert "its certificate is not accepted: " in ask_tls(local, Tls(ca_file=theirs.file))
    assert "its certificate is not accepted: " in ask_tls(local, Tls()), "by default whom the host trusts"
    assert "IP address mismatch" in ask_tls(elsewhere, Tls(ca_file=ours.file))
    assert ask_tls(elsewhere, Tls(ca_file=ours.file, server_name="shop.example")) == "good"
    assert ask_tls(elsewhere, Tls(insecure_skip_verify=True)) == ask_tls(elsewhere, None) == "good"


def test_a_certificate_is_shown_where_the_server_wants_one(ours: Authority, theirs: Authority) -> None:
    server = serving(ours.sign("local"), clients_of=ours.file)
    assert ask_tls(server, Tls(ca_file=ours.file)) != "good"
    shown = ours.sign("probe")
    assert ask_tls(server, Tls(ca_file=ours.file, cert_file=shown)) == "good"
    assert ask_tls(server, Tls(ca_file=ours.file, cert_file=shown, key_file=shown)) == "good"
    assert ask_tls(server, Tls(ca_file=ours.file, cert_file=theirs.sign("probe"))) != "good"


def test_a_file_that_never_answers_costs_one_thread_however_often_it_is_asked_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ca.pem")  # who reads it waits until somebody writes
    hanging = Tls(ca_file=str(tmp_path / "ca.pem"))

    async def story() -> int:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await RealAsker().ask(Probe(name="p", http_get=HttpGet(port=1, scheme="HTTPS", tls=hanging)))
        return sum("context" in thread.name for thread in threading.enumerate())

    try:
        assert asyncio.run(story()) == 1
    finally:
        os.close(os.open(tmp_path / "ca.pem", os.O_WRONLY))


def test_a_file_that_is_missing_is_named(ours: Authority) -> None:
    server = serving(ours.sign("local"))
    assert "/nowhere/ca.pem" in ask_tls(server, Tls(ca_file="/nowhere/ca.pem"))
    assert "/nowhere/key.pem" in ask_tls(server, Tls(cert_file=ours.file, key_file="/nowhere/key.pem"))
