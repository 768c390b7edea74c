"""What an agent sees of a service's files, packages, certificates and endpoints, and that nothing found there can hold it up."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import stat
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from backstay_agent.drivers.base import Observed
from backstay_agent.drivers.certificate import CertificateLooks
from backstay_agent.drivers.endpoint import EndpointLooks
from backstay_agent.drivers.file import FileLooks
from backstay_agent.drivers.package import PackageLooks
from backstay_agent.drivers.tools import regular_files
from backstay_agent.drivers.tools.file_system_looks import NoAnswer
from backstay_api.objects.plain import Certificate, Endpoint, Package, RenderedFile

SECRET = b"password=hunter2\n"


def file(path: Path, salt: str = "uid-web", looks: FileLooks | None = None, **declared: str) -> Observed:
    return asyncio.run((looks or FileLooks())(RenderedFile.from_wire({"path": str(path), **declared}), salt))


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_file_is_told_by_what_hosts_are_compared_by_and_never_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_bytes(SECRET)
    path.chmod(0o640)
    seen = file(path)
    assert seen.why == "" and seen.facts.keys() == {"content", "owner", "group", "mode"}
    assert seen.facts["mode"] == "0640" and len(seen.facts["content"]) == 32
    told = repr(seen)
    assert "hunter2" not in told
    for digest in (hashlib.sha256, hashlib.sha512, hashlib.blake2b, hashlib.md5):
        assert digest(SECRET).hexdigest()[:8] not in told


def test_the_same_content_looks_the_same_to_one_service_alone(tmp_path: Path) -> None:
    for name, data in (("a", b"x"), ("b", b"x"), ("c", b"y")):
        (tmp_path / name).write_bytes(data)
    a, b, c = (file(tmp_path / name).facts["content"] for name in "abc")
    assert a == b != c
    assert file(tmp_path / "a", "uid-other").facts["content"] not in (a, c)


def test_what_is_declared_is_held_against_what_is(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_bytes(b"x")
    path.chmod(0o600)
    good = hashlib.sha256(b"x").hexdigest()
    assert file(path, sha256=good, mode="0600").why == ""
    assert file(path, sha256="0" * 64).why == f"{path}: its content is not that of sha256"
    assert file(path, mode="0644").why == f"{path}: mode is 0600, and shall be 0644"
    assert file(path, owner="nobody-here").why.endswith("and shall be nobody-here")


def test_an_edit_is_seen_though_a_look_remembers(tmp_path: Path) -> None:
    path, looks = tmp_path / "a.conf", FileLooks()
    path.write_bytes(b"one")
    os.utime(path, ns=(0, 0))
    before = file(path, looks=looks)
    assert file(path, looks=looks) == before
    path.write_bytes(b"two")
    os.utime(path, ns=(0, 0))  # of the same size and age: only the inode's own change tells
    assert file(path, looks=looks).facts["content"] != before.facts["content"]


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def _many(path: Path) -> None:
    path.mkdir()
    for number in range(1000):
        (path / f"{number}").touch()


def _below_a_file(path: Path) -> None:
    path.symlink_to("/etc/hostname/x")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: None, "does not exist"),
        (_fifo, "is a FIFO, and no file"),
        (_loop, "is a symbolic link that leads in a circle"),
        (_socket, "is a socket, and no file"),
        (_many, "is a folder, and no file"),
        (_below_a_file, "does not exist"),
        (lambda path: path.symlink_to("/dev/zero"), "leads to /dev/zero, which is not looked at for any service"),
        (lambda path: path.symlink_to("/etc/shadow"), "leads to /etc/shadow, which is not looked at for any service"),
        (lambda path: path.symlink_to("/proc/self/environ"), "which is not looked at for any service"),
    ],
    ids=["missing", "FIFO", "loop", "socket", "folder", "not a folder", "device", "shadow", "proc"],
)
def test_what_is_no_file_is_told_and_not_read(tmp_path: Path, make: Callable[[Path], object], why: str) -> None:
    path = tmp_path / "a.conf"
    make(path)
    seen = file(path)
    assert seen.why.startswith(f"{path} ") and why in seen.why and not seen.facts


def test_a_link_to_a_file_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "available").write_bytes(b"x")
    (tmp_path / "enabled").symlink_to("available")
    assert file(tmp_path / "enabled").facts == file(tmp_path / "available").facts


def test_what_is_too_large_is_told_and_never_compared_in_part(tmp_path: Path) -> None:
    path = tmp_path / "image"
    with path.open("wb") as made:
        made.truncate(regular_files.MOST_BYTES + 1)
    assert "is larger than 16 MiB" in file(path).why and not file(path).facts
    os.truncate(path, regular_files.MOST_BYTES)
    assert file(path).why == ""


def test_binary_is_as_good_as_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(range(256)) * 512)
    assert file(tmp_path / "a").why == ""


def test_a_file_system_that_hangs_is_told_and_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(what: str, how: object, *, limit_s: float, asked: object) -> None:
        raise NoAnswer(f"{what} does not answer within {limit_s:g} s: the file system that it lies on hangs")

    monkeypatch.setattr("backstay_agent.drivers.tools.prerequisite_looks.look", hangs)
    assert "the file system that it lies on hangs" in file(tmp_path / "a").why


# --- packages --------------------------------------------------------------------------------------------------------

STATUS = """Package: nginx
Status: install ok installed
Architecture: amd64
Version: 1.22.1-9+deb12u1
Description: web server
 Version: 0

Package: redis
Status: deinstall ok config-files
Architecture: amd64
Version: 5:7.0.15-1

Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.36-8
"""


def package(folder: Path, name: str, version: str | None = None) -> Observed:
    (folder / "status").write_text(STATUS)
    return asyncio.run(PackageLooks(str(folder / "status"))(Package(name=name, version=version), "uid-web"))


@pytest.mark.parametrize(
    ("name", "version", "why", "facts"),
    [
        ("nginx", None, "", {"version": "1.22.1-9+deb12u1", "architecture": "amd64"}),
        ("nginx", "1.22.1-9+deb12u1", "", {"version": "1.22.1-9+deb12u1", "architecture": "amd64"}),
        (
            "nginx",
            "1.24",
            "package nginx is 1.22.1-9+deb12u1; 1.24 is asked for",
            {"version": "1.22.1-9+deb12u1", "architecture": "amd64"},
        ),
        ("apache2", None, "package apache2 is not installed", {}),
        ("redis", None, "package redis is not installed but deinstall ok config-files", {}),
        ("libc6", None, "package libc6 is installed in several versions: name one of libc6:amd64, libc6:i386", {}),
        ("libc6:i386", None, "", {"version": "2.36-8", "architecture": "i386"}),
    ],
)
def test_a_package_is_what_dpkg_says(
    tmp_path: Path, name: str, version: str | None, why: str, facts: dict[str, str]
) -> None:
    assert package(tmp_path, name, version) == Observed(why, facts)


def test_a_host_without_dpkg_says_so() -> None:
    seen = asyncio.run(PackageLooks("/nowhere/status")(Package(name="nginx"), "uid-web"))
    assert "has no dpkg" in seen.why


# --- certificates ----------------------------------------------------------------------------------------------------

KEY, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))


def pem(folder: Path, names: tuple[str, ...] = ("shop.example.org", "*.shop.example.org")) -> Path:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop")])
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), 7, datetime(2020, 1, 1), datetime(2030, 5, 6, 12))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
    path = folder / "web.pem"
    path.write_bytes(builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    for key, of in (("web.key", KEY), ("other.key", OTHER)):
        private = of.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / key).write_bytes(private)
    return path


def certificate(path: Path, now: str = "2026-01-01T00:00:00Z", **more: object) -> Observed:
    spec = Certificate.from_wire({"path": str(path), **more})
    return asyncio.run(CertificateLooks(lambda: now)(spec, "uid-web"))


def test_a_certificate_is_told_by_its_fingerprint_and_its_end(tmp_path: Path) -> None:
    seen = certificate(pem(tmp_path), key=str(tmp_path / "web.key"), names=["shop.example.org", "a.shop.example.org"])
    assert seen.why == "" and seen.facts["end"] == "2030-05-06T12:00:00Z"
    assert seen.facts.keys() == {"fingerprint", "end"}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"now": "2030-05-06T12:00:01Z"}, "web.pem ended at 2030-05-06T12:00:00Z"),
        ({"names": ["a.b.shop.example.org"]}, "is not for a.b.shop.example.org: its names are shop.example.org"),
        ({"key": "other.key"}, "other.key is no key for "),
        ({"key": "web.pem"}, "web.pem is no key for "),
        ({"key": "missing.key"}, "missing.key does not exist"),
    ],
)
def test_a_certificate_that_is_of_no_use_is_told(tmp_path: Path, more: dict[str, object], why: str) -> None:
    path = pem(tmp_path)
    if "key" in more:
        more = {**more, "key": str(tmp_path / str(more["key"]))}
    seen = certificate(path, **more)  # type: ignore[arg-type]
    assert why in seen.why
    assert "PRIVATE" not in seen.why


def test_it_has_not_ended_in_its_last_second(tmp_path: Path) -> None:
    assert certificate(pem(tmp_path), now="2030-05-06T12:00:00Z").why == ""


def test_a_file_without_a_certificate_is_none(tmp_path: Path) -> None:
    (tmp_path / "web.pem").write_bytes(SECRET)
    assert certificate(tmp_path / "web.pem").why == f"{tmp_path}/web.pem holds no certificate in PEM"


def test_a_key_that_is_a_fifo_holds_up_nobody(tmp_path: Path) -> None:
    path = pem(tmp_path)
    os.mkfifo(tmp_path / "pipe.key")
    assert certificate(path, key=str(tmp_path / "pipe.key")).why.endswith("pipe.key is a FIFO, and no file")


# --- endpoints -------------------------------------------------------------------------------------------------------


def test_what_listens_answers_and_what_does_not_is_told(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))
        unix.listen()
        port = tcp.getsockname()[1]
        assert asyncio.run(EndpointLooks()(Endpoint(tcp=f"127.0.0.1:{port}"), "")) == Observed()
        assert asyncio.run(EndpointLooks()(Endpoint(unix=str(path)), "")) == Observed()
    assert stat.S_ISSOCK(path.stat().st_mode)
    for spec, named in (
        (Endpoint(tcp=f"127.0.0.1:{port}"), f"127.0.0.1:{port}"),
        (Endpoint(unix=str(path)), f"unix {path}"),
    ):
        assert asyncio.run(EndpointLooks()(spec, "")).why.startswith(f"{named} does not answer: ")


def test_what_takes_no_connection_is_not_waited_for() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        seen = asyncio.run(EndpointLooks(0.05)(Endpoint(tcp=f"127.0.0.1:{full.getsockname()[1]}"), ""))
        for one in waiting:
            one.close()
    assert seen.why.endswith("does not answer: nothing within 0.05 s")
