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


def test_what_was_said_before_systemd_noted_the_start_is_asked_for(fake: Path) -> None:
    last_words(fake, "[ $N = 1 ] || echo no way", ENDED | {"ConditionTimestamp": 1_499_000})
    assert "--since=@1.499000" in asked(fake)[1]


def test_what_comes_a_moment_later_is_asked_for_by_run_and_unit(fake: Path) -> None:
    assert last_words(fake, "[ $N = 4 ] && echo no way") == "no way"
    _, first, sync, again = asked(fake)
    assert (first, sync) == (again, "--sync")


def test_a_journal_that_has_written_everything_is_asked_twice(fake: Path) -> None:
    assert last_words(fake, ":") == ""
    assert len(asked(fake)) == 4


@pytest.mark.parametrize("sync", ["exit 1", "exec sleep 9"])
def test_one_that_is_busy_is_asked_more_often(fake: Path, monkeypatch: pytest.MonkeyPatch, sync: str) -> None:
    monkeypatch.setattr(journal_tail, "_SYNC_S", 0.2)
    does = f"case $1 in --sync) {sync};; esac; [ $N = 8 ] && echo at last"
    assert last_words(fake, does) == "at last"


def test_one_that_never_answers_is_given_up(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_tail, "_LIMIT_S", 0.2)
    assert last_words(fake, "exec sleep 9") == ""


def test_nothing_is_asked_of_what_never_ran(fake: Path) -> None:
    assert last_words(fake, "echo wrong", {"Id": "a.service"}) == ""
    assert not (fake / "asked").exists()


def test_a_host_without_journalctl_has_no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert asyncio.run(journal_tail.last_words(ENDED)) == ""
