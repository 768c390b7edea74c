"""`backstay discover`: what it prints and how it ends. It asks no API server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from backstay_api.objects.survey import SocketFacts, survey_text
from backstay_cli.discover import recipes, shipped_baseline
from backstay_cli.session import FAILED, NOT_WELL, WELL
from backstay_testing.cli_scene import Cluster
from backstay_testing.surveys import a_path, a_survey

OPEN = SocketFacts("tcp", "Listens", "::", 80)


def a_file(folder: Path, text: str = "", *, asks: bool = False) -> str:
    survey = a_survey(a_path("/etc/default/shop", "Environment"), sockets=(OPEN,) if asks else ())
    path = folder / "survey.json"
    path.write_text(text or survey_text(survey))
    return str(path)


def test_a_draft_is_printed_and_says_what_to_decide(tmp_path: Path) -> None:
    answer = Cluster().run("discover", "--from", a_file(tmp_path, asks=True), "-n", "prod")
    assert answer.exit_code == NOT_WELL and "1 to DECIDE" in answer.stderr
    assert yaml.safe_load(answer.stdout)["metadata"] == {"name": "shop", "namespace": "prod"}
    assert Cluster().run("discover", "--from", a_file(tmp_path)).exit_code == WELL


def test_for_programs_all_needs_are_listed(tmp_path: Path) -> None:
    answer = Cluster().run("discover", "--from", a_file(tmp_path), "-o", "json")
    said = json.loads(answer.stdout)
    assert [(one["kind"], one["confidence"], one["mark"]) for one in said["needs"]] == [
        ("file", "Sure", ""),
        ("setting", "Sure", ""),
        ("systemd", "Sure", ""),
    ]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(
            [], 2, "run `ssh HOST sudo backstay-agent survey UNIT | backstay discover --from -`", id="nothing"
        ),
        pytest.param(
            ["n1", "a.service"],
            2,
            "run `ssh n1 sudo backstay-agent survey a.service | backstay discover --from -`",
            id="a host and a unit",
        ),
        pytest.param(["--from", "/nowhere"], FAILED, "/nowhere cannot be read: No such file", id="no such file"),
    ],
)
def test_what_it_cannot_do_it_says(words: list[str], code: int, said: str) -> None:
    answer = Cluster().run("discover", *words)
    assert answer.exit_code == code and said in answer.output


def test_what_is_no_survey_is_said_to_be_none(tmp_path: Path) -> None:
    answer = Cluster().run("discover", "--from", a_file(tmp_path, "Permission denied"))
    assert answer.exit_code == FAILED and "is no survey: it is not JSON" in answer.output


def test_what_a_manifest_lacks_is_told_with_the_line_to_write(tmp_path: Path) -> None:
    survey, manifest = a_file(tmp_path), tmp_path / "shop.yaml"
    manifest.write_text(
        "kind: HAService\nspec: {resources: [{name: a, systemd: {unit: shop.service}}, {name: b, systemd: {unit: old.service}}]}\n"
    )
    answer = Cluster().run("discover", "--from", survey, "--diff", str(manifest))
    assert answer.exit_code == NOT_WELL
    assert "undeclared: file {path: /etc/default/shop}: environment file of process shop" in answer.stdout
    assert (
        "# as a resource: {name: default-shop, file: {path: /etc/default/shop}" in answer.stdout
        and "not in use: systemd old.service" in answer.stdout
    )


def test_a_draft_lacks_nothing_of_the_survey_that_it_was_made_of(tmp_path: Path) -> None:
    survey, manifest = a_file(tmp_path, asks=True), tmp_path / "shop.yaml"
    manifest.write_text(Cluster().run("discover", "--from", survey).stdout)
    answer = Cluster().run("discover", "--from", survey, "--diff", str(manifest))
    assert answer.exit_code == WELL and "declares all that shop.service was seen to use on n1" in answer.stdout


@pytest.mark.parametrize("text", ["", "a: [", "kind: HAService\nspec: {resources: 1}\n", "- 1\n"])
def test_what_is_no_manifest_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    manifest = tmp_path / "shop.yaml"
    manifest.write_text(text)
    answer = Cluster().run("discover", "--from", a_file(tmp_path), "--diff", str(manifest))
    assert answer.exit_code == FAILED and str(manifest) in answer.output


def test_the_data_files_can_be_read_and_name_each_program_once() -> None:
    names = [one.name for one in recipes()]
    assert len(set(names)) == len(names) >= 10 and all(one.executables for one in recipes())
    assert "/etc/hosts" in shipped_baseline().paths


def test_what_a_manifest_lacks_is_written_into_it_and_nothing_else_is_touched(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    before = "kind: HAService\nspec:\n  resources:\n    - {name: server, systemd: {unit: shop.service}}  # ours\n"
    file.write_text(before)
    file.chmod(0o640)
    survey = a_file(tmp_path)
    answer = Cluster().run("discover", "--from", survey, "--write", str(file))
    text = file.read_text()
    assert "added: file {path: /etc/default/shop}" in answer.stdout
    assert "    - name: default-shop\n      file: {path: /etc/default/shop}\n" in text
    assert [line for line in text.splitlines() if line in before.splitlines()] == before.splitlines()
    assert (
        file.stat().st_mode & 0o777 == 0o640 and [one.name for one in tmp_path.iterdir()].count(".shop.yaml.new") == 0
    )
    again = Cluster().run("discover", "--from", survey, "--write", str(file))
    assert "added" not in again.stdout and file.read_text() == text


def test_a_manifest_that_cannot_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    file, survey = tmp_path / "shop.yaml", a_file(tmp_path)
    file.write_text("kind: HAService\nspec: {resources: [{name: server, systemd: {unit: shop.service}}]}\n")
    answer = Cluster().run("discover", "--from", survey, "--write", str(file))
    assert answer.exit_code == FAILED and "is left as it is" in answer.stderr
    assert file.read_text().startswith("kind: HAService\nspec: {resources: [")
