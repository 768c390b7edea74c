"""What an agent sees of a folder with all that is in it, and that nothing found there can hold it up or be compared in part."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backstay_agent.drivers.base import Observed
from backstay_agent.drivers.path import PathLooks, look_at_tree
from backstay_agent.drivers.tools import trees
from backstay_agent.drivers.tools.file_system_looks import NoAnswer
from backstay_agent.drivers.tools.regular_files import Opened, Unfit
from backstay_api.objects.plain import Tree
from backstay_api.objects.prerequisites import is_one_of

SECRET = b"password=hunter2\n"


def look(top: Path, salt: str = "uid-web", **more: Any) -> Observed:
    """By this process."""
    try:
        return look_at_tree(Tree.from_wire({"path": str(top), **more}), salt)
    except Unfit as error:
        return Observed(str(error))


def a_tree(top: Path) -> Path:
    """Some files, one of them old, a folder in a folder, a link."""
    (top / "conf.d/old").mkdir(parents=True)
    (top / "main.conf").write_bytes(SECRET)
    (top / "conf.d/a.conf").write_bytes(b"a")
    (top / "conf.d/old/a.conf").write_bytes(b"b")
    (top / "on").symlink_to("conf.d/a.conf")
    return top


def test_a_folder_is_told_by_a_fingerprint_and_a_count_and_never_by_what_is_in_it(tmp_path: Path) -> None:
    seen = asyncio.run(PathLooks()(Tree(path=str(a_tree(tmp_path / "x"))), "uid-web"))
    assert (seen.why, sorted(seen.facts), seen.facts["entries"]) == ("", ["content", "entries"], "7")
    assert len(seen.facts["content"]) == 32
    told = repr(seen)
    assert "hunter2" not in told and "conf" not in told
    assert hashlib.blake2b(SECRET, digest_size=32).hexdigest()[:8] not in told


def test_the_same_tree_looks_the_same_wherever_it_is_and_to_one_service_alone(tmp_path: Path) -> None:
    one, other = a_tree(tmp_path / "one"), a_tree(tmp_path / "other")
    assert look(one) == look(other) != look(other, "uid-other")
    (tmp_path / "link").symlink_to("one")
    assert look(tmp_path / "link") == look(one)


def instead(path: Path, make: Callable[[Path], object]) -> None:
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink()
    make(path)


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda top: (top / "conf.d/old/a.conf").write_bytes(b"c"),
    "mode": lambda top: (top / "main.conf").chmod(0o600),
    "mode of a folder": lambda top: (top / "conf.d").chmod(0o700),
    "mode of the top": lambda top: top.chmod(0o710),
    "one more": lambda top: (top / "conf.d/b.conf").touch(),
    "one less": lambda top: (top / "conf.d/a.conf").unlink(),
    "an empty folder": lambda top: (top / "new").mkdir(),
    "a name": lambda top: (top / "main.conf").rename(top / "mains.conf"),
    "where a link leads": lambda top: instead(top / "on", lambda path: path.symlink_to("main.conf")),
    "a link in place of a file": lambda top: instead(top / "main.conf", lambda path: path.symlink_to("on")),
    "a FIFO in place of a file": lambda top: instead(top / "main.conf", os.mkfifo),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_differs_is_seen(tmp_path: Path, change: Callable[[Path], object]) -> None:
    before, top = look(a_tree(tmp_path / "one")), a_tree(tmp_path / "other")
    assert look(top) == before
    change(top)
    after = look(top)
    assert after.why == "" and after.facts["content"] != before.facts["content"]


def test_an_owner_is_seen(tmp_path: Path) -> None:
    if os.getuid():
        pytest.skip("only root may give files away")
    top = a_tree(tmp_path / "x")
    before = look(top)
    os.chown(top / "main.conf", 1, -1)
    assert look(top) != before


def test_an_edit_is_seen_though_a_look_remembers_and_what_rests_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "SETTLED_NS", -1)
    top, spec = a_tree(tmp_path / "x"), Tree(path=str(tmp_path / "x"))
    before = look(top)
    assert sorted(trees._known[spec]) == ["conf.d/a.conf", "conf.d/old/a.conf", "main.conf"]
    read, real = list[int](), trees._digest

    def noted(file: Opened, last_s: float) -> str:
        read.append(file.stat.st_ino)
        return real(file, last_s)

    monkeypatch.setattr(trees, "_digest", noted)
    assert look(top) == before and read == []
    (top / "conf.d/a.conf").write_bytes(b"A")
    assert look(top) != before and read == [(top / "conf.d/a.conf").stat().st_ino]


def test_what_was_written_a_moment_ago_is_not_remembered(tmp_path: Path) -> None:
    look(a_tree(tmp_path / "x"))
    assert trees._known[Tree(path=str(tmp_path / "x"))] == {}


# --- what is looked at -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "glob", "is_so"),
    [
        ("a.conf", "*.conf", True),
        ("conf.d/a.conf", "*.conf", True),
        ("conf.d/a.conf", "conf.d/*.conf", True),
        ("x/conf.d/a.conf", "conf.d/*.conf", False),
        ("conf.d/x/a.conf", "conf.d/*.conf", False),
        ("conf.d/x/a.conf", "conf.d/**/*.conf", True),
        ("conf.d/a.conf", "conf.d/**/*.conf", True),
        ("cache", "cache", True),
        ("x/cache", "cache", True),
        ("x/cache", "cache/**", False),
        ("cache/x/y", "cache/**", True),
        (".git", "*", True),
        ("a.CONF", "*.conf", False),
        ("a1", "a[0-9]", True),
    ],
)
def test_a_glob_goes_for_a_name_anywhere_or_for_a_path_from_the_top(path: str, glob: str, is_so: bool) -> None:
    assert is_one_of(path.split("/"), glob) is is_so


def test_what_is_left_out_counts_for_nothing_and_is_not_entered(tmp_path: Path) -> None:
    one, other = a_tree(tmp_path / "one"), a_tree(tmp_path / "other")
    (other / "cache/x").mkdir(parents=True)
    (other / "conf.d/a.log").touch()
    (other / "conf.d/old/b.conf").touch()
    assert look(one, exclude=["cache", "*.log", "conf.d/old/**"]) == look(
        other, exclude=["cache", "*.log", "conf.d/old/**"]
    )
    assert look(one, include=["main.conf", "conf.d/a.*"], exclude=["*.log"]) == look(
        other, include=["main.conf", "conf.d/a.*"], exclude=["*.log"]
    )
    assert look(one, include=["main.conf"]).facts["entries"] == "1"


# --- what can go wrong -----------------------------------------------------------------------------------------------


def _deep(top: Path) -> None:
    (top / "/".join("d" * 17)).mkdir(parents=True)


def _many(top: Path) -> None:
    for number in range(2001):
        (top / str(number)).touch()


def _large(top: Path) -> None:
    with (top / "image").open("wb") as made:
        made.truncate(67_108_865)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda top: top.rmdir(), "does not exist"),
        (lambda top: instead(top, lambda path: path.write_bytes(b"x")), "is no folder"),
        (lambda top: instead(top, os.mkfifo), "is no folder"),
        (lambda top: instead(top, lambda path: path.symlink_to(path)), "is a symbolic link that leads in a circle"),
        (
            lambda top: instead(top, lambda path: path.symlink_to("/dev")),
            "leads to /dev, which is not looked at for any service",
        ),
        (_deep, "holds folders in folders deeper than 16 (maxDepth), as d/d/"),
        (_many, "holds more than 2000 files, folders and links (maxFiles): exclude what need not be alike"),
        (_large, "holds more than 67108864 bytes (maxBytes)"),
    ],
    ids=["missing", "file", "FIFO", "circle", "device", "deep", "many", "large"],
)
def test_what_cannot_be_compared_whole_is_told_and_not_compared(
    tmp_path: Path, make: Callable[[Path], object], why: str
) -> None:
    top = tmp_path / "x"
    top.mkdir()
    make(top)
    seen = look(top)
    assert seen.why.startswith(f"{top} {why}") and not seen.facts


def test_more_may_be_asked_for(tmp_path: Path) -> None:
    _many(tmp_path)
    assert look(tmp_path, maxFiles=2002).facts["entries"] == "2002"


def test_what_is_no_file_is_neither_opened_nor_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "round").symlink_to("round")
    (tmp_path / "up").symlink_to("..")
    (tmp_path / "gone").symlink_to("/nowhere")
    (tmp_path / os.fsdecode(b"odd\xff\n")).write_bytes(bytes(range(256)) * 512)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "socket"))
    seen = look(tmp_path)
    assert (seen.why, seen.facts["entries"]) == ("", "7")


def test_what_is_the_hosts_own_is_told_and_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = look(Path("/etc"), maxFiles=10_000, exclude=["[a-r]*", "ssl"])
    assert "which is not looked at for any service: it is the host's own: exclude it" in seen.why and not seen.facts


def test_another_file_system_is_not_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = a_tree(tmp_path / "x")
    inner, real = (top / "conf.d").stat().st_ino, os.stat

    def elsewhere(*args: Any, **how: Any) -> os.stat_result:
        one = real(*args, **how)
        return os.stat_result([*one[:2], one.st_dev + 1, *one[3:]]) if one.st_ino == inner else one

    monkeypatch.setattr(os, "stat", elsewhere)
    assert look(top).why == f"{top} holds another file system at conf.d: exclude it, or name it by itself"


def _when_read(monkeypatch: pytest.MonkeyPatch, what: Callable[[], object]) -> None:
    real = trees._digest
    monkeypatch.setattr(trees, "_digest", lambda file, last_s: (real(file, last_s), what())[0])


def test_what_changes_once_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = a_tree(tmp_path / "x")
    news: Iterator[bytes] = iter([b"new"])
    _when_read(monkeypatch, lambda: [(top / "main.conf").write_bytes(data) for data in news])
    seen = look(top)
    monkeypatch.undo()
    assert seen.why == "" and seen == look(top)


def test_what_changes_all_the_time_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = a_tree(tmp_path / "x")
    _when_read(monkeypatch, lambda: (top / "main.conf").open("ab").write(b"x"))
    assert look(top).why == f"{top}: main.conf changes while it is read: exclude it, or look when it rests"


def test_what_vanishes_while_it_is_read_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = a_tree(tmp_path / "x")
    _when_read(monkeypatch, lambda: (top / "main.conf").unlink(missing_ok=True))
    assert (look(top).why, look(top).facts["entries"]) == ("", "6")


def test_what_takes_long_is_read_by_several_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top, clock = a_tree(tmp_path / "x"), [0.0]
    monkeypatch.setattr(trees, "SETTLED_NS", -1)
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    _when_read(monkeypatch, lambda: clock.append(clock.pop() + trees.READING_S + 1))
    whys = [look(top).why for _ in range(3)]
    assert whys == [
        *(f"{top} is being read, and it takes several looks: {count} files so far" for count in (1, 2)),
        "",
    ]


def test_what_cannot_be_read_or_walked_through_in_one_look_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top, clock = a_tree(tmp_path / "x"), [0.0]

    def later() -> float:
        clock[0] += trees.LOOKING_S
        return clock[0]

    monkeypatch.setattr(time, "perf_counter", later)
    assert "cannot be walked through within 7 s: exclude what need not be alike" in look(top).why
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    real = os.read

    def slow(fd: int, size: int) -> bytes:
        later()
        later()
        return real(fd, size)

    monkeypatch.setattr(os, "read", slow)
    assert "bytes that cannot be read within 7 s: exclude it" in look(top).why


def test_a_file_system_that_hangs_is_told_and_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(what: str, how: object, *, limit_s: float, asked: object) -> None:
        raise NoAnswer(f"{what} does not answer within {limit_s:g} s: the file system that it lies on hangs")

    monkeypatch.setattr("backstay_agent.drivers.tools.prerequisite_looks.look", hangs)
    seen = asyncio.run(PathLooks()(Tree(path=str(tmp_path)), "uid-web"))
    assert "the file system that it lies on hangs" in seen.why
