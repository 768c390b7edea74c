"""`backstay discover`: what it asks, what it prints and how it ends."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

import pytest
import yaml

from backstay_agent.asked_surveys import AskedSurveys, CannotLook, Look
from backstay_api.client.errors import NotFound
from backstay_api.memory.server import MemoryApi
from backstay_api.objects.durations import later
from backstay_api.objects.kinds import unread
from backstay_api.objects.models import HostSurvey
from backstay_api.objects.object_kinds import HOST_SURVEYS
from backstay_api.objects.survey import SocketFacts, survey_text
from backstay_cli.discover import recipes, shipped_baseline
from backstay_cli.session import FAILED, NO_SUCH_THING, NOT_NOW, NOT_WELL, WELL
from backstay_testing.builders import a_host
from backstay_testing.cli_scene import NOW, Cluster
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
        pytest.param([], 2, "name a host and the unit that does the work there, or a survey with --from", id="nothing"),
        pytest.param(["n1"], 2, "name a host and the unit that does the work there", id="a host alone"),
        pytest.param(["n1", "a", "--from", "-"], 2, "--from says where the survey is", id="both"),
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


# --- asked through the API server ------------------------------------------------------------------------------------


def with_agent(look: Look, *, lives: bool = True) -> Cluster:
    """A cluster with the host n1, whose agent answers with this look."""
    cluster = Cluster()
    cluster.put(a_host("n1"))
    lives_on: list[asyncio.Task[None]] = []

    def live() -> None:
        agent = AskedSurveys(MemoryApi(cluster.store), "n1", look, lambda: NOW, random.Random(1))
        lives_on.append(asyncio.get_running_loop().create_task(agent.run()))

    cluster.meanwhile = live if lives else lambda: None
    return cluster


async def found(unit: str) -> str:
    await asyncio.sleep(2)
    return survey_text(a_survey(a_path("/etc/default/shop", "Environment")))


async def not_found(unit: str) -> str:
    raise CannotLook(f"{unit}: systemd says: it is not there")


async def nonsense(unit: str) -> str:
    return "Segmentation fault"


async def hangs(unit: str) -> str:
    await asyncio.Event().wait()
    return ""


def is_asked(cluster: Cluster) -> bool:
    try:
        cluster.get(HostSurvey, "n1")
    except NotFound:
        return False
    return True


def test_a_host_is_asked_and_its_answer_is_drafted_and_nothing_is_left() -> None:
    cluster = with_agent(found)
    answer = cluster.run("discover", "n1", "shop")
    assert answer.exit_code == WELL and "n1 looks at shop.service" in answer.stderr
    assert yaml.safe_load(answer.stdout)["metadata"] == {"name": "shop", "namespace": "default"}
    assert not is_asked(cluster)


@pytest.mark.parametrize(
    ("look", "lives", "host", "code", "said"),
    [
        pytest.param(found, True, "n9", NO_SUCH_THING, "there is no host n9", id="no such host"),
        pytest.param(found, False, "n1", NOT_NOW, "n1 has not begun after 20 s: its agent does not live", id="nobody answers"),
        pytest.param(not_found, True, "n1", FAILED, "n1 could not look at shop.service: shop.service: systemd", id="no unit"),
        pytest.param(nonsense, True, "n1", FAILED, "what n1 says of shop.service is no survey: it is not JSON", id="nonsense"),
        pytest.param(hangs, True, "n1", NOT_NOW, "n1 was not done with its look at shop.service after 90 s", id="it hangs"),
    ],
)  # fmt: skip
def test_why_a_host_does_not_answer_is_said_and_nothing_is_left(
    look: Look, lives: bool, host: str, code: int, said: str
) -> None:
    cluster = with_agent(look, lives=lives)
    answer = cluster.run("discover", host, "shop.service")
    assert answer.exit_code == code and said in answer.stderr and not is_asked(cluster)


def asks_already(cluster: Cluster, until: str) -> None:
    spec = {"unit": "other.service", "by": "bob", "until": until}
    cluster.create(unread(HOST_SURVEYS), {"metadata": {"name": "n1"}, "spec": spec})


def test_who_asks_while_another_is_answered_waits_his_turn() -> None:
    cluster = with_agent(found)
    asks_already(cluster, later(NOW, 30))
    answer = cluster.run("discover", "n1", "shop.service")
    assert answer.exit_code == NOT_NOW and "bob has other.service surveyed on n1 now, until" in answer.stderr
    assert is_asked(cluster)


@pytest.mark.parametrize("until", [later(NOW, -30), "2026-03-01T12:30:00+01:00", "2026-02-30T12:00:00Z"])
def test_a_question_that_nobody_waits_for_any_more_makes_way(until: str) -> None:
    cluster = with_agent(found)
    asks_already(cluster, until)
    assert cluster.run("discover", "n1", "shop.service").exit_code == WELL and not is_asked(cluster)


def test_a_unit_is_named_as_for_systemctl() -> None:
    asked: list[str] = []

    async def look(unit: str) -> str:
        asked.append(unit)
        return await found(unit)

    assert with_agent(look).run("discover", "n1", "php8.2-fpm").exit_code == WELL
    assert asked == ["php8.2-fpm.service"]
    answer = with_agent(look).run("discover", "n1", "my web")
    assert answer.exit_code == FAILED and "'my web.service' is no name of a unit" in answer.stderr


def test_whose_question_is_taken_back_reads_and_deletes_nobody_elses() -> None:
    cluster = with_agent(found)
    live = cluster.meanwhile

    def another_asks() -> None:
        live()
        cluster.store.delete(unread(HOST_SURVEYS), ("", "n1"))
        asks_already(cluster, later(NOW, 30))

    cluster.meanwhile = another_asks
    answer = cluster.run("discover", "n1", "shop.service")
    assert (
        answer.exit_code == NOT_NOW
        and "bob has taken the survey of n1 back, and asked about other.service" in answer.stderr
    )
    assert is_asked(cluster)
