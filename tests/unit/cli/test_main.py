"""What all commands share: a missing kubeconfig, and their help."""

from __future__ import annotations

from pathlib import Path

import yaml
from typer.testing import CliRunner

from backstay_cli.main import build
from backstay_cli.session import FAILED, WELL


def test_without_a_kubeconfig_one_sentence_says_so(tmp_path: Path) -> None:
    answer = CliRunner().invoke(build(), ["status", "--kubeconfig", str(tmp_path / "none")])
    assert answer.exit_code == FAILED and "no usable kubeconfig" in answer.stderr


def test_a_dry_run_asks_nobody_and_needs_no_kubeconfig(tmp_path: Path) -> None:
    words = ["host", "add", "n4", "--dry-run", "--kubeconfig", str(tmp_path / "none")]
    answer = CliRunner().invoke(build(), words)
    assert answer.exit_code == WELL, answer.stderr
    assert next(yaml.safe_load_all(answer.stdout))["metadata"]["name"] == "n4"


def test_every_command_has_a_help_that_names_its_exit_codes() -> None:
    for words in (
        ["status"],
        ["explain"],
        ["move"],
        ["drain"],
        ["undrain"],
        ["fence"],
        ["uninstall"],
        ["version"],
        ["host", "add"],
        ["host", "remove"],
        ["host", "join-token"],
        ["host", "list"],
        ["host", "revoke"],
    ):
        answer = CliRunner().invoke(build(), [*words, "--help"])
        assert answer.exit_code == 0 and "Exit codes:" in answer.stdout and "--kubeconfig" in answer.stdout
