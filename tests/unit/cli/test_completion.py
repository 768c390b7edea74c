"""What a TAB offers, in a shell and behind `kubectl backstay`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backstay_cli.main import build
from backstay_testing.cli_scene import a_cluster


@pytest.mark.parametrize(("shell", "mark"), [("bash", "complete -"), ("zsh", "compdef"), ("fish", "complete --")])
def test_each_shell_gets_its_script(shell: str, mark: str) -> None:
    answer = CliRunner().invoke(build(), ["completion", shell])
    assert answer.exit_code == 0 and mark in answer.stdout and "_BACKSTAY_COMPLETE" in answer.stdout


def test_names_of_services_and_hosts_are_offered_and_nothing_where_nothing_can_be_asked(tmp_path: Path) -> None:
    cluster = a_cluster()
    assert cluster.offered("explain ") == ["web"]
    assert cluster.offered("drain n") == ["n1", "n2", "n3"]
    assert cluster.offered("drain x") == []
    nowhere = {"KUBECONFIG": str(tmp_path / "none"), **offer("drain ")}
    answer = CliRunner().invoke(build(), [], prog_name="backstay", env=nowhere)
    assert (answer.stdout.strip(), answer.stderr) == ("", "")


def offer(typed: str) -> dict[str, str]:
    words = f"backstay {typed}"
    return {"_BACKSTAY_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}


def test_kubectl_asks_the_program_that_it_calls(tmp_path: Path) -> None:
    program, asks = tmp_path / "backstay", tmp_path / "kubectl_complete-backstay"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m backstay_cli.main "$@"\n')
    asks.write_text(CliRunner().invoke(build(), ["completion", "kubectl"]).stdout)
    for path in (program, asks):
        path.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([asks, "und"], env=env, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["undrain", ":4"]
    done = subprocess.run([asks, "host", ""], env=env, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["add", "join-token", "list", "rotate", "revoke", "remove", ":4"]
