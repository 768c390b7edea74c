"""The last words of a program: asked once more where the journal was busy, or knows the unit and not the run."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backstay_agent.drivers.tools import journal_tail

ENDED: dict[str, Any] = {"Id": "a.service", "InvocationID": bytes(range(16)), "InactiveExitTimestamp": 1_500_000}


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a fake `journalctl`: what it does is in `does`, its own number in $N, what it was asked in `asked`."""
    program = tmp_path / "journalctl"
    program.write_text(f'#!/bin/sh\ncd {tmp_path}\necho "$@" >>asked\nN=$(wc -l <asked)\n. ./does\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(journal_tail, "_SETTLE_S", 0.0)
    monkeypatch.setattr(journal_tail, "_BUSY_SETTLE_S", 0.0)
    yield tmp_path


def last_words(fake: Path, does: str, properties: dict[str, Any] = ENDED) -> str:
    (fake / "does").write_text(does)
    return asyncio.run(journal_tail.last_words(properties))


def asked(fake: Path) -> list[str]:
    return (fake / "asked").read_text().splitlines()


def test_the_last_lines_in_their_order(fake: Path) -> None:
    assert last_words(fake, "[ $N = 1 ] || printf 'c\\nb\\na\\n'") == "a / b / c"
    sync, question = asked(fake)
    assert sync == "--sync"
    assert question.endswith(
        f"--since=@1.500000 _SYSTEMD_INVOCATION_ID={bytes(range(16)).hex()} + _SYSTEMD_UNIT=a.service"
    )


def test_what_comes_a_moment_later_is_asked_for_by_run_and_unit(fake: Path) -> None:
    assert last_words(fake, "[ $N = 3 ] && echo no way") == "no way"
    _, first, again = asked(fake)
    assert first == again


def test_a_journal_that_was_busy_is_given_a_moment(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(journal_tail, "_SYNC_S", 0.0)
    monkeypatch.setattr(journal_tail, "_BUSY_SETTLE_S", 7.0)

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    last_words(fake, ":")
    assert waited == [7.0]


def test_nothing_is_asked_of_what_never_ran(fake: Path) -> None:
    assert last_words(fake, "echo wrong", {"Id": "a.service"}) == ""
    assert not (fake / "asked").exists()


def test_a_host_without_journalctl_has_no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert asyncio.run(journal_tail.last_words(ENDED)) == ""
