"""What is built of which commit, and how images are built: what can be said without building anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backstay_api import VERSION
from backstay_dev.lab.shell import REPOSITORY, LabError
from backstay_dev.package.images import TARGETS, builder, command, size_of
from backstay_dev.package.requirements import FILE, requirements
from backstay_dev.package.versions import Release, version_of

AT = {"commits": 7, "commit": "abc1234567"}


@pytest.mark.parametrize(
    ("tags", "is_clean", "expected"),
    [
        pytest.param([f"v{VERSION}"], True, VERSION, id="its tag"),
        pytest.param([f"v{VERSION}"], False, f"{VERSION}-dev.7.gabc1234567.dirty", id="its tag, and edited"),
        pytest.param([], True, f"{VERSION}-dev.7.gabc1234567", id="between releases"),
        pytest.param(["v0.0.1", f"v{VERSION}"], True, VERSION, id="two tags"),
    ],
)
def test_a_build_says_which_commit_it_is_of(tags: list[str], is_clean: bool, expected: str) -> None:
    assert version_of(tags, is_clean=is_clean, **AT) == expected  # type: ignore[arg-type]


def test_a_tag_that_the_source_does_not_bear_out_is_refused() -> None:
    with pytest.raises(LabError, match=f"v9.9.9 is on a source that calls itself {VERSION}"):
        version_of(["v9.9.9"], is_clean=True, **AT)  # type: ignore[arg-type]


def test_what_comes_before_a_release_sorts_before_it() -> None:
    """For dpkg and rpm `~` comes before everything, the end too."""
    assert Release("0.2.0-dev.7.gabc", 0).for_packages == "0.2.0~dev.7.gabc"


@pytest.mark.parametrize("here", ["docker", "podman", "buildah"])
def test_images_are_built_with_whichever_works(here: str) -> None:
    assert builder(lambda name: name == here) == here
    words = command(here, "fencer", Release("1.2.3", 0), "registry.example", ["--build-arg", "BASE=x"])
    assert words[:2] == [here, "bud" if here == "buildah" else "build"]
    assert "registry.example/backstay/fencer:1.2.3" in words and words[-3:] == ["--build-arg", "BASE=x", "."]


@pytest.mark.parametrize(
    ("name", "said"), [("docker", "167254528\n"), ("podman", "167254528\n"), ("buildah", "167 MB\n")]
)
def test_how_large_an_image_is_is_told_alike(name: str, said: str) -> None:
    assert size_of(name, said) == "167 MB"


def test_where_none_works_a_sentence_says_so() -> None:
    with pytest.raises(LabError, match="no docker, podman or buildah works here: install one"):
        builder(lambda name: False)


# --- the Dockerfile ----------------------------------------------------------------------------------------------------


def test_the_images_are_of_what_they_import_and_nothing_else() -> None:
    text = (REPOSITORY / "operator/Dockerfile").read_text()
    copied = [words.split()[0] for words in re.findall(r"^COPY (?!--from)(.*)", text, re.MULTILINE)]
    assert [one for one in copied if not (REPOSITORY / one).exists()] == []
    packages = {Path(one).name for one in copied if (REPOSITORY / one).is_dir()}
    assert packages == {"backstay_api", "backstay_operator", "backstay_fencer"}
    kept = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert all(any(one.startswith(folder) for folder in kept) for one in copied), "the context has them all"


@pytest.mark.parametrize("target", TARGETS)
def test_no_image_ends_as_root(target: str) -> None:
    text = (REPOSITORY / "operator/Dockerfile").read_text()
    stages = dict(re.findall(r"^FROM \S+ AS (\w+)\n(.*?)(?=^FROM|\Z)", text, re.M | re.S))
    users = re.findall(r"^USER (\S+)", stages["base"] + stages[target], re.MULTILINE)
    assert users[-1] == "65532:65532"
    assert f"backstay_{target}.main" in stages[target]


def test_everything_is_installed_by_hash_and_pip_stays_out() -> None:
    text = (REPOSITORY / "operator/Dockerfile").read_text()
    assert "--require-hashes -r /tmp/requirements.txt" in text and "pip uninstall --yes setuptools pip" in text
    assert FILE.read_text() == requirements(), "run `python -m backstay_dev.package.requirements`"
    named = set(re.findall(r"^([a-z0-9-]+)==", FILE.read_text(), re.MULTILINE))
    assert {"kopf", "pydantic", "pyyaml", "prometheus-client"} <= named
    assert not named & {"kubernetes", "requests", "pytest", "hypothesis", "typer", "mypy", "sushy-tools"}
