"""A file is put in its place whole or not at all, and nothing else on the host is touched on the way."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backstay_agent.core.editions import Edition
from backstay_agent.drivers.base import NotInstalled
from backstay_agent.drivers.tools import installing
from backstay_agent.drivers.tools.installing import install, read_there
from backstay_agent.drivers.tools.private_view import folders_of, make_view, remove_view


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path.resolve() / "etc"
    place.mkdir()
    return place


def test_it_is_there_with_its_rights_and_nothing_else_is(folder: Path) -> None:
    path = folder / "a.conf"
    install(str(path), Edition("one\n", mode="0640"))
    assert path.read_text() == "one\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(folder) == ["a.conf"]
    install(str(path), Edition("two\n"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640, "what is not said stays"
    assert Edition("two\n", mode="0640").is_seen_in(read_there(str(path)))


def test_bytes_that_are_no_text_come_back_as_they_were(folder: Path) -> None:
    path = folder / "a.bin"
    path.write_bytes(b"\x00\xff\xfe mine")
    before = read_there(str(path))
    install(str(path), Edition("ours"))
    install(str(path), before)
    assert path.read_bytes() == b"\x00\xff\xfe mine"


def test_that_there_was_nothing_comes_back_too(folder: Path) -> None:
    path = folder / "a.conf"
    before = read_there(str(path))
    install(str(path), Edition("ours"))
    install(str(path), before)
    assert not path.exists()
    install(str(folder / "none" / "b.conf"), before)


@pytest.mark.parametrize("at", ["open", "write", "fsync", "rename"])
def test_a_disk_that_is_full_or_an_end_in_between_leaves_what_was_there(
    folder: Path, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "a.conf"
    path.write_text("old\n")
    (folder / ".a.conf.backstay-new").write_text("left by an agent that was killed")

    def full(*args: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        name = {"write": "fdopen"}.get(at, at)
        real = getattr(os, name)
        if at == "open":
            patched.setattr(os, "open", lambda *a, **k: full() if a[1] & os.O_CREAT else real(*a, **k))
        elif at == "write":
            patched.setattr(os, "fdopen", lambda fd, mode, **k: full() if mode == "wb" else real(fd, mode, **k))
        else:
            patched.setattr(os, name, full)
        with pytest.raises(NotInstalled, match=r"a\.conf cannot be written: No space left on device; what was there"):
            install(str(path), Edition("new\n"))
    assert path.read_text() == "old\n"
    assert os.listdir(folder) == ["a.conf"]


def test_no_link_is_followed(folder: Path) -> None:
    secret = folder.parent / "secret"
    secret.write_text("theirs")
    (folder / "a.conf").symlink_to(secret)
    (folder / "way").symlink_to(folder)
    for path in (folder / "a.conf", folder / "way" / "b.conf"):
        with pytest.raises(NotInstalled, match="link"):
            install(str(path), Edition("ours"))
    assert secret.read_text() == "theirs"
    assert sorted(os.listdir(folder)) == ["a.conf", "way"]


STEPS = ("open", "fstat", "unlink", "fchown", "fchmod", "fsync", "rename", "close")


def test_a_link_that_is_swapped_in_before_any_step_leads_nowhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody owns the folder above, and knows each moment of ours."""
    ends = set()
    for moment in itertools.count():
        place = folder / str(moment)
        way, aside, outside = place / "way", place / "aside", place / "outside"
        for one in (place, way, outside):
            one.mkdir()
        is_swapped, is_put = _put_while_it_is_swapped(way, aside, outside, moment, monkeypatch)
        assert os.listdir(outside) == []
        assert os.listdir(aside if is_swapped else way) == (["a.conf"] if is_put else [])
        ends.add((is_swapped, is_put))
        if not is_swapped:
            break
    assert ends == {(True, False), (True, True), (False, True)}, "refused, put where it was to be, and nobody there"


def _put_while_it_is_swapped(
    way: Path, aside: Path, outside: Path, moment: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[bool, bool]:
    """Whether it came to the swap, before the step of this number, and whether the file was put."""
    steps = itertools.count()
    rename, symlink = os.rename, os.symlink

    def before(step: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*arguments: Any, **more: Any) -> Any:
            if next(steps) == moment:
                rename(way, aside)
                symlink(outside, way)
            return step(*arguments, **more)

        return stepped

    with monkeypatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, before(getattr(os, name)))
        try:
            install(str(way / "a.conf"), Edition("ours"))
        except NotInstalled:
            return aside.exists(), False
    return aside.exists(), True


def test_a_second_name_of_somebody_elses_file_is_replaced_and_that_file_is_not(folder: Path) -> None:
    shadow = folder.parent / "shadow"
    shadow.write_text("root:theirs")
    shadow.chmod(0o600)
    path = folder / "a.conf"
    path.hardlink_to(shadow)
    install(str(path), Edition("ours"))
    assert (path.read_text(), shadow.read_text()) == ("ours", "root:theirs")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600, "nobody reads it who could not before"


def test_what_is_no_file_is_not_replaced(folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    (folder / "folder").mkdir()
    with pytest.raises(NotInstalled, match="no regular file"):
        install(str(folder / "fifo"), Edition("ours"))
    with pytest.raises(NotInstalled, match="no regular file"):
        install(str(folder / "folder"), Edition("ours"))
    (folder / "large").write_bytes(b"x" * (installing.MOST_BYTES + 1))
    with pytest.raises(NotInstalled, match="1 MiB"):
        install(str(folder / "large"), Edition("ours"))


def test_nothing_is_put_where_everybody_may_write(folder: Path) -> None:
    folder.chmod(0o777)
    with pytest.raises(NotInstalled, match="everybody may write"):
        install(str(folder / "a.conf"), Edition("ours"))


@pytest.mark.parametrize("path", ["/etc/shadow", "/etc/backstay/agent.toml", "/root/.ssh/authorized_keys"])
def test_what_is_the_hosts_own_is_never_written(path: str) -> None:
    with pytest.raises(NotInstalled, match="the host's own"):
        install(path, Edition("ours"))


def test_accounts_that_are_not_there_are_named(folder: Path) -> None:
    with pytest.raises(NotInstalled, match="no account nobody-of-that-name"):
        install(str(folder / "a.conf"), Edition("ours", owner="nobody-of-that-name"))


def test_a_view_has_the_folder_with_the_new_file_in_it_and_the_host_stays_as_it_is(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "sites").mkdir()
    (folder / "web.conf").write_text("old")
    (folder / "sites" / "shop").write_text("shop")
    (folder / "enabled").symlink_to("sites/shop")
    view = tmp_path / "view"
    editions = {str(folder / "web.conf"): Edition("new"), str(folder / "sites" / "blog"): Edition("blog", mode="0600")}
    ((copy, over),) = make_view(view, editions)
    assert over == str(folder)
    seen = {str(path.relative_to(copy)): path.read_text() for path in Path(copy).rglob("*") if path.is_file()}
    assert seen == {"web.conf": "new", "sites/shop": "shop", "sites/blog": "blog", "enabled": "shop"}
    assert (folder / "web.conf").read_text() == "old"
    assert not (folder / "sites" / "blog").exists()
    remove_view(view)
    assert not view.exists()


def test_a_folder_that_is_too_large_is_not_copied(folder: Path, tmp_path: Path) -> None:
    with open(folder / "data", "wb") as file:
        file.truncate(5 << 20)
    with pytest.raises(NotInstalled, match="4 MiB"):
        make_view(tmp_path / "view", {str(folder / "a.conf"): Edition("new")})
    assert not (tmp_path / "view").exists()


def test_folders_within_others_are_in_their_copies() -> None:
    paths = dict.fromkeys(["/etc/a/x", "/etc/a/b/y", "/etc/ab/z", "/etc/a/w"])
    assert folders_of(paths) == ["/etc/a", "/etc/ab"]


def test_what_ran_as_somebody_else_does_so_no_more_with_other_content_and_again_when_it_is_taken_back(
    folder: Path,
) -> None:
    path = folder / "tool"
    path.write_text("mine")
    path.chmod(0o4755)
    before = read_there(str(path))
    install(str(path), Edition("ours"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    install(str(path), before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o4755


@pytest.mark.parametrize(
    "path",
    [
        "/usr/lib/backstay-agent/python",
        "/etc/systemd/system/backstay-agent.service.d/mine.conf",
        "/run/x",
        "/proc/sys/x",
    ],
)
def test_what_is_backstays_own_is_never_written(path: str) -> None:
    with pytest.raises(NotInstalled, match="own"):
        install(path, Edition("ours"))
