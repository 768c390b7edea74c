"""How files are looked at in a survey: whatever somebody has put there, a look ends, and goes nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstay_agent.survey.place import MOST_LINE_CHARS, MOST_TEXT_BYTES, Place
from backstay_api.objects.survey import Clue
from backstay_testing.surveys import FolderHost

CLUE = Clue("Mentioned", "/etc/x:1")


@pytest.fixture
def host(tmp_path: Path) -> FolderHost:
    return FolderHost(tmp_path)


@pytest.mark.parametrize(
    ("link", "target"),
    [
        pytest.param("/etc/a", "a", id="to itself"),
        pytest.param("/etc/a", "/etc/a/b", id="into itself"),
        pytest.param("/etc/a", "../etc/b", id="to one that leads back"),
        pytest.param("/etc/a", "/nothing", id="to nothing"),
    ],
)
def test_a_link_that_leads_nowhere_is_nothing(host: FolderHost, link: str, target: str) -> None:
    host.link("/etc/b", "/etc/a")
    host.link(link, target)
    assert host.place.found(link, CLUE) is None


def test_a_link_never_leads_out_of_the_hosts_own_files(host: FolderHost) -> None:
    host.write("/etc/target", "x")
    host.link("/etc/a", "../../../../../../../../../etc/target")
    found = host.place.found("/etc/a", CLUE)
    assert found and (found.path, found.written) == ("/etc/target", ("/etc/a",))


def test_a_fifo_is_not_waited_for(host: FolderHost) -> None:
    host.fifo("/etc/shop.conf")
    assert host.place.read("/etc/shop.conf") is None
    found = host.place.found("/etc/shop.conf", CLUE)
    assert found and found.type == "Fifo"


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2Jb", "a\x7fb", "a\u202eb"])
def test_a_name_that_is_made_to_confuse_is_left_out(host: FolderHost, name: str) -> None:
    host.write(f"/etc/conf.d/{name}", "x")
    host.write("/etc/conf.d/good", "x")
    assert host.place.names("/etc/conf.d", 10) == ["good"]
    assert host.place.found(f"/etc/conf.d/{name}", CLUE) is None


def test_a_name_of_other_bytes_than_text_is_left_out(host: FolderHost) -> None:
    host.write("/etc/conf.d/good", "x")
    (host.root / "etc/conf.d" / b"bad\xff".decode(errors="surrogateescape")).write_text("x")
    assert host.place.names("/etc/conf.d", 10) == ["good"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param(b"one\ntwo", ["one", "two"], id="text"),
        pytest.param(b"\x7fELF\0\0", [], id="a program"),
        pytest.param(b"a" * (MOST_TEXT_BYTES + 1), [], id="larger than a configuration is"),
        pytest.param(b"x" * 65536, ["x" * MOST_LINE_CHARS], id="a line of 64 KiB"),
        pytest.param(b"caf\xe9 /etc/x", ["caf\ufffd /etc/x"], id="not UTF-8"),
    ],
)
def test_only_text_is_read_and_long_lines_are_cut(host: FolderHost, text: bytes, lines: list[str]) -> None:
    host.write("/etc/shop.conf", text)
    assert list(host.place.lines("/etc/shop.conf")) == lines


def test_of_a_folder_with_very_many_names_some_are_read(host: FolderHost) -> None:
    for number in range(300):
        host.write(f"/etc/conf.d/{number}")
    assert len(host.place.names("/etc/conf.d", 64)) == 64


def test_a_network_filesystem_is_never_entered(host: FolderHost) -> None:
    host.write("/srv/nfs/shop.conf", "x")
    place = Place(host.root, avoid=("/srv/nfs",))
    assert place.read("/srv/nfs/shop.conf") is None and place.names("/srv/nfs", 10) == []
    found = place.found("/srv/nfs/a/../shop.conf", CLUE)
    assert found and found.path.startswith("/srv/nfs/") and found.type == ""
