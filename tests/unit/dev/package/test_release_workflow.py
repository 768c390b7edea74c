"""The workflow of a release: what can be said of it without running it."""

from __future__ import annotations

import re
from typing import Any

import yaml

from backstay_dev.lab.shell import REPOSITORY
from backstay_dev.package.images import TARGETS

FILE = REPOSITORY / ".github/workflows/release.yml"
TEXT = FILE.read_text()
WORKFLOW: dict[Any, Any] = yaml.safe_load(TEXT)
STEPS: list[dict[str, Any]] = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
RUN = "\n".join(step.get("run", "") for step in STEPS)


def test_it_runs_for_a_tag_of_a_version_and_for_nothing_else() -> None:
    assert WORKFLOW[True] == {"push": {"tags": ["v*"]}}, "`on` is a boolean to YAML"


def test_every_action_is_pinned_by_its_commit_and_says_which_version_that_is() -> None:
    used = re.findall(r"uses: (.*)", TEXT)
    assert used and [one for one in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[\d.]+", one)] == []


def test_it_names_no_host_and_says_no_secret_on_a_command_line() -> None:
    assert re.findall(r"\b[\w-]+\.(?:io|com|dev|org|net)\b", RUN) == []
    assert WORKFLOW["jobs"]["release"]["env"] == {"REGISTRY": "${{ vars.REGISTRY }}"}
    assert "--password-stdin" in RUN and "--password " not in RUN and "secrets." not in RUN and "${{" not in RUN


def test_it_builds_with_what_everybody_builds_with() -> None:
    targets = set(re.findall(r"^([a-z]+):.*##", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = {word for line in re.findall(r"\bmake ([a-z ]+)", RUN) for word in line.split()}
    assert named == {"install", "check", "unit", "package", "images"} and named <= targets
    assert f"for image in {' '.join(TARGETS)};" in RUN, "and every image is pushed"


def test_only_its_one_job_may_write_and_only_the_release() -> None:
    assert WORKFLOW["permissions"] == {}
    assert [job["permissions"] for job in WORKFLOW["jobs"].values()] == [{"contents": "write"}]
    assert STEPS[0]["with"]["persist-credentials"] is False
