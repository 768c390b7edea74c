"""What is said of a copy, part by part: never content, and a word only of what everybody may read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from backstay_agent.drivers import parts_of, real_tellers
from backstay_agent.drivers.base import AskedParts, Parts
from backstay_agent.drivers.file import parts_of_file
from backstay_agent.drivers.path import parts_of_tree
from backstay_agent.drivers.tools.parts import first_word
from backstay_api.objects.plain import Endpoint, RenderedFile, RenderedPrerequisite, Tree
from backstay_api.objects.resource_kinds import PREREQUISITES

KEY = b"k" * 32
ALL, WHICH = AskedParts("", 0, 1), AskedParts("", 1, 0)


def of_file(path: Path, asked: AskedParts = ALL, key: bytes = KEY) -> Parts:
    return asyncio.run(parts_of_file(RenderedFile(path=str(path)), asked, key))


def of_tree(path: Path, asked: AskedParts = ALL) -> Parts:
    return asyncio.run(parts_of_tree(Tree(path=str(path)), asked, KEY))


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (b"    worker_processes  auto;", "worker_processes"),
        (b"shared_buffers = 128MB", "shared_buffers"),
        (b"listen: 80", "listen"),
        (b"server {", "server"),
        (b"server", ""),
        (b"hunter2", ""),
        (b"hunter2  ", ""),
        (b"aGVsbG8gd29ybGQ=", ""),
        (b"aGVsbG8gd29ybGQ==", ""),
        (b"-----BEGIN KEY-----", ""),
        (b"\xff\xfe a", ""),
        (b"", ""),
        (b"x" * 70_000, ""),
    ],
)
def test_the_first_word_of_a_line_is_a_name_with_more_behind_it(line: bytes, word: str) -> None:
    assert first_word(line) == word


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Everybody may go there; a folder of pytest's own nobody may."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_the_lines_of_a_file_are_told_by_keyed_digests_and_one_by_its_number_and_word(open_folder: Path) -> None:
    path = open_folder / "a.conf"
    path.write_bytes(b"user www\nlisten 80\n")
    said = of_file(path)
    assert (said.count, len(said.digests), said.facts) == (3, 24, {"path": str(path)})
    assert of_file(path, key=b"x" * 32).digests[:8] != said.digests[:8]
    assert of_file(path, AskedParts("", 1, 1)).digests == said.digests[8:]
    assert len(of_file(path, AskedParts("", 0, 2)).digests) == 16
    assert of_file(path, WHICH) == Parts(count=3, facts={"path": str(path), "line": "2", "word": "listen"})
    open_folder.chmod(0o700)
    assert of_file(path, WHICH).facts == {"path": str(path), "line": "2"}, "nobody else can go there"
    open_folder.chmod(0o755)
    path.chmod(0o640)
    assert of_file(path, WHICH).facts == {"path": str(path), "line": "2"}
    assert of_file(path, AskedParts("", 9, 0)).facts == {"path": str(path), "line": "10"}


def test_lines_that_are_alike_do_not_look_alike(open_folder: Path) -> None:
    path = open_folder / "a.conf"
    path.write_bytes(b"a\nb\na")
    first, _, third = (of_file(path).digests[at : at + 8] for at in (0, 8, 16))
    assert first != third


def test_of_what_is_no_text_or_not_there_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"a\0b")
    (tmp_path / "large").write_bytes(b"a\n" * (2 * 1024 * 1024 + 1))
    (tmp_path / "long").write_bytes(b"a" * 70_000 + b"\nb")
    assert of_file(tmp_path / "binary") == Parts("it is no text", facts={"path": f"{tmp_path}/binary"})
    assert of_file(tmp_path / "large").why == "it is too large to be compared line by line"
    assert of_file(tmp_path / "none").why == f"{tmp_path}/none does not exist"
    assert of_file(tmp_path / "long").count == 2


def test_no_answer_has_more_digests_than_there_is_room_for(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a\n" * 100_000)
    assert len(of_file(tmp_path / "a").digests) == len(of_file(tmp_path / "a", AskedParts("", 0, 256)).digests) == 2048


def test_the_entries_of_a_folder_are_told_and_the_lines_of_one_of_them(open_folder: Path) -> None:
    top = open_folder / "x"
    top.mkdir(0o755)
    (top / "a.conf").write_bytes(b"one 1")
    (top / "b.conf").symlink_to("/etc/shadow")
    assert (of_tree(top).count, len(of_tree(top).digests)) == (3, 24)
    found = of_tree(top, WHICH).facts
    assert (found["path"], found["below"], found["type"], found["mode"]) == (f"{top}/a.conf", "a.conf", "file", "0644")
    assert of_tree(top, AskedParts("a.conf", 0, 0)).facts == {"path": f"{top}/a.conf", "line": "1", "word": "one"}
    assert of_tree(top, AskedParts("", 9, 0)).facts == {}
    for below in ("b.conf", "../x/a.conf", "nowhere"):
        assert of_tree(top, AskedParts(below, 0, 1)).why == f"{top}/{below} is no file any more"


def test_of_each_kind_whose_row_says_so_parts_are_told() -> None:
    assert real_tellers().keys() == {kind.field for kind in PREREQUISITES if kind.says_where}
    other = RenderedPrerequisite(name="db", endpoint=Endpoint(tcp="db:1"))
    assert "does not know the parts" in asyncio.run(parts_of(real_tellers(), other, ALL, KEY)).why
