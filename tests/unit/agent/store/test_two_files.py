"""The journal's two files: whatever is cut, torn, full or altered, what is read is the last text that was acknowledged, or nothing is."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_agent.store.two_files import HEADER_BYTES, LEAST_BYTES, NotWhole, TwoFiles

JOURNAL = Path("/run/backstay/journal")
SMALL = st.integers(0, 3).map(lambda size: "x" * (size * LEAST_BYTES // 5))
TEXTS = st.builds(lambda number, size: f"{number} {size}", st.integers(0, 99), SMALL)


class Killed(Exception):
    """The agent dies in the middle of it."""


@dataclass
class PaperFiles:
    """`two_files.Files` in memory, as a fake: with so much room, a death after so many steps, and writes that are torn by it."""

    content: dict[Path, bytes] = field(default_factory=dict)
    room: int = 1 << 30
    steps_left: int = 1 << 30
    torn_at: int = 0
    fails: int = 0
    """Errno of every step once the steps are used up; 0: it dies there."""

    def read(self, path: Path) -> bytes | None:
        return self.content.get(path)

    def size(self, path: Path) -> int:
        return len(self.content.get(path, b""))

    def reserve(self, path: Path, size: int) -> None:
        self._step()
        old = self.content.get(path, b"")
        self._take(size - len(old))
        self.content[path] = old.ljust(size, b"\0")

    def write(self, path: Path, at: int, data: bytes) -> None:
        try:
            self._step()
        except Killed:
            # A header goes in one piece: it is much smaller than a page.
            data = data[: self.torn_at] if at == HEADER_BYTES else b""
            self._put(path, at, data)
            raise
        self._put(path, at, data)

    def _put(self, path: Path, at: int, data: bytes) -> None:
        old = self.content.get(path, b"")
        self._take(at + len(data) - len(old))
        self.content[path] = old[:at].ljust(at, b"\0") + data + old[at + len(data) :]

    def _take(self, size: int) -> None:
        if size > 0 and sum(map(len, self.content.values())) + size > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _step(self) -> None:
        self.steps_left -= 1
        if self.steps_left < 0:
            raise OSError(self.fails, os.strerror(self.fails)) if self.fails else Killed


def two_files(files: PaperFiles) -> TwoFiles:
    return TwoFiles(JOURNAL, files)


@given(st.lists(st.tuples(TEXTS, st.integers(0, 9), st.integers(0, 3 * LEAST_BYTES)), max_size=8))
def test_a_death_at_any_step_leaves_the_old_text_or_the_new_one_whole(writes: list[tuple[str, int, int]]) -> None:
    files, last = PaperFiles(), None
    for text, steps, torn_at in writes:
        files.steps_left, files.torn_at = steps, torn_at
        try:
            two_files(files).write(text)
            acknowledged = True
        except Killed:
            acknowledged = False
        found = two_files(files).read()
        assert found == text if acknowledged else found in (last, text)
        last = found


@given(st.lists(st.tuples(TEXTS, st.integers(0, 9), st.integers(0, 8 * LEAST_BYTES)), max_size=8))
def test_a_step_that_fails_leaves_the_old_text(writes: list[tuple[str, int, int]]) -> None:
    files, last = PaperFiles(fails=errno.EIO), None
    for text, steps, room in writes:
        files.steps_left, files.room = steps, room
        try:
            two_files(files).write(text)
            last = text
        except OSError:
            pass
        assert two_files(files).read() == last


@given(st.lists(TEXTS, min_size=1, max_size=5), st.floats(0, 1))
def test_what_fits_half_the_room_is_followed_by_an_end_twice_as_long_on_a_full_disk(
    texts: list[str], part: float
) -> None:
    files = PaperFiles()
    for text in texts:
        two_files(files).write(text)
    files.room = 0
    end = "e" * int(max(len(texts[-1]) * 2, LEAST_BYTES) * part)
    for number in range(3):
        two_files(files).write(f"{number}{end[2:]}", from_reserve=True)
        assert two_files(files).read() == f"{number}{end[2:]}"


def test_on_a_full_disk_the_reserve_is_not_for_what_begins() -> None:
    files = PaperFiles()
    two_files(files).write("small")
    files.room = 0
    large = "x" * (LEAST_BYTES * 3 // 4)
    with pytest.raises(OSError, match="No space left"):
        two_files(files).write(large)
    assert two_files(files).read() == "small"
    two_files(files).write(large, from_reserve=True)
    assert two_files(files).read() == large


@given(st.lists(TEXTS, min_size=1, max_size=4), st.integers(0, 1), st.integers(0, LEAST_BYTES), st.integers(1, 255))
def test_what_was_altered_is_never_read_as_an_older_text(texts: list[str], which: int, at: int, by: int) -> None:
    files = PaperFiles()
    for text in texts:
        two_files(files).write(text)
    path = two_files(files).paths[which]
    old = files.content[path]
    at %= len(old)
    files.content[path] = old[:at] + bytes([old[at] ^ by]) + old[at + 1 :]
    try:
        found = two_files(files).read()
        assert found == texts[-1] or found not in texts, "what is no slot is for the journal's own check sum to refuse"
    except (NotWhole, UnicodeDecodeError):
        pass


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("left", [None, b"", b"backsta", b"x" * 500])
@pytest.mark.parametrize("writes", [1, 2, 3])
def test_a_file_that_is_removed_emptied_or_cut_is_noticed(which: int, left: bytes | None, writes: int) -> None:
    files = PaperFiles()
    for number in range(writes):
        two_files(files).write(f"text {number}")
    path = two_files(files).paths[which]
    if left is None:
        del files.content[path]
    else:
        files.content[path] = left
    with contextlib.suppress(NotWhole):
        found = two_files(files).read()
        assert found is None or found.encode() == left, "the journal's own check sum refuses that"
    two_files(files).write("anew")
    assert two_files(files).read() == "anew", "an agent that has stopped everything begins anew"


@given(TEXTS.filter(bool), st.lists(st.tuples(TEXTS, st.integers(0, 9)), max_size=4))
def test_the_one_file_of_an_older_agent_is_read_and_gone_on_with(legacy: str, writes: list[tuple[str, int]]) -> None:
    files, last = PaperFiles({JOURNAL: legacy.encode()}), legacy
    for text, steps in writes:
        files.steps_left = steps
        with contextlib.suppress(Killed):
            two_files(files).write(text)
        found = two_files(files).read()
        assert found in (last, text)
        last = found or ""
    files.steps_left = 1 << 30
    two_files(files).write("a")
    two_files(files).write("b")
    files.content[JOURNAL] = b"an older agent again"
    assert two_files(files).read() == "an older agent again"


@pytest.fixture
def small_run(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", tmp_path], check=True)
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_real_tmpfs_that_is_full(small_run: Path) -> None:
    journal = TwoFiles(small_run / "backstay" / "journal")
    journal.write("it may run")
    with pytest.raises(OSError, match="No space left"), (small_run / "fill").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    with pytest.raises(OSError, match="No space left"):
        (small_run / "probe").write_bytes(b"x")
    for text in ("it has ended", "the session is over", "x" * LEAST_BYTES):
        journal.write(text, from_reserve=True)
        assert journal.read() == text
    with pytest.raises(OSError, match="No space left"):
        journal.write("x" * LEAST_BYTES)
