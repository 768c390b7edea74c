"""What `make test-cluster` is built of: versions that must be one, and what a dead node leaves."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from backstay_dev.cluster import __main__ as main
from backstay_dev.cluster import node, programs, sources
from backstay_dev.lab.assets import KUBERNETES_VERSION, SOURCES
from backstay_dev.lab.shell import REPOSITORY, LabError
from backstay_dev.package.versions import Release


def required(module: str, package: str) -> str:
    found = re.search(rf"^\s*(?:require )?{re.escape(package)} (\S+)", (SOURCES / module / "go.mod").read_text(), re.M)
    assert found, f"{module} does not require {package}"
    return found[1]


def test_the_node_is_of_the_version_that_its_control_plane_has() -> None:
    for module in ("kubernetes", "node"):
        assert required(module, "k8s.io/kubernetes") == KUBERNETES_VERSION


def test_containerd_calls_itself_what_is_built() -> None:
    (said,) = re.findall(r"version\.Version=(\S+)", programs.BUILDS["containerd"].ldflags)
    assert f"v{said}" == required("containerd", "github.com/containerd/containerd/v2")


@pytest.mark.parametrize("name", programs.BUILDS)
def test_whatever_is_built_is_pinned(name: str) -> None:
    """A sum stands for each module that it requires. (containerd wants a patch of Go 1.26 that others do not.)"""
    folder = SOURCES / name
    assert "\ngo 1.26." in (folder / "go.mod").read_text()
    assert (folder / "go.sum").exists() or "require" not in (folder / "go.mod").read_text()


def test_what_a_dead_node_left_goes_and_what_is_in_use_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "_CGROUPS", tmp_path / "cgroup")
    folder, group = tmp_path / "nodes" / "abc", tmp_path / "cgroup" / "memory" / "backstay-abc"
    folder.mkdir(parents=True)
    (group / "kubepods").mkdir(parents=True)
    in_use = group / "kubepods" / "tasks"  # a folder that is not empty stands for a group with processes
    in_use.touch()
    assert not node.remove_all(folder) and folder.exists()
    in_use.unlink()
    assert node.remove_all(folder) and not folder.exists() and not group.exists()


def test_the_release_before_is_built_of_its_own_source(tmp_path: Path) -> None:
    """And not of this one under another number: what has changed between the two is what an upgrade is tried for."""
    if subprocess.run(["git", "cat-file", "-e", sources.COMMIT_BEFORE], cwd=REPOSITORY, check=False).returncode:
        pytest.skip("a shallow clone: the commit of the release before is not here")
    before = sources.earlier(Release("0.1.0", 0), sources.COMMIT_BEFORE, tmp_path)
    assert before.tree.is_relative_to(tmp_path)
    assert (before.tree / "operator/Dockerfile").exists() and not (before.tree / "dev/backstay_dev/cluster").exists()


def test_where_the_history_does_not_reach_so_far_it_is_said_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="git fetch --unshallow"):
        sources.earlier(Release("0.1.0", 0), "0" * 40, tmp_path)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        pytest.param({}, sources.COMMIT_BEFORE, id="no tag yet"),
        pytest.param({"v0.2.0": "HEAD"}, sources.COMMIT_BEFORE, id="the first release, at its own tag"),
        pytest.param({"v0.1.0": "HEAD^"}, "v0.1.0", id="on the way to the second"),
        pytest.param({"v0.1.0": "HEAD^", "v0.2.0": "HEAD"}, "v0.1.0", id="at its own tag, after another"),
        pytest.param({"v0.9.0": "HEAD^^", "v0.10.0": "HEAD^"}, "v0.10.0", id="ten comes after nine"),
        pytest.param({"v0.1.0": "HEAD^^", "v0.2.0-rc.1": "HEAD^"}, "v0.1.0", id="a trial is no release"),
        pytest.param({"lab": "HEAD^", "v0.1.0": "HEAD^"}, "v0.1.0", id="another tag"),
    ],
)
def test_the_release_before_is_the_last_tag_before_this_commit(
    tmp_path: Path, tags: dict[str, str], expected: str
) -> None:
    def git(*words: str) -> None:
        known = ("-c", "user.name=x", "-c", "user.email=x@x", "-c", "tag.gpgSign=false", "-c", "commit.gpgSign=false")
        subprocess.run(["git", *known, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    for number in range(3):
        git("commit", "-q", "--allow-empty", "-m", str(number))
    for tag, commit in tags.items():
        git("tag", tag, commit)
    assert sources.before(tmp_path) == expected


def test_some_steps_can_be_gone_through_alone_and_one_that_is_not_there_is_named() -> None:
    def first() -> None: ...
    def then() -> None: ...

    steps = (first, then)
    assert main.chosen(steps, []) == [first, then]
    assert main.chosen(steps, ["then"]) == [then]
    with pytest.raises(LabError, match="no step of the story: frist"):
        main.chosen(steps, ["frist"])


def test_sizes_are_those_of_the_later_release(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("operator-aa.tar", "operator-bb.tar", "backstay-agent_0.1.1_all.deb")]
    for number, file in enumerate(files, start=1):
        file.write_bytes(bytes(number * 1_000_000))
    assert main.sizes(files[:2], files[2:]) == {"image_operator_mb": 2.0, "package_backstay-agent_mb": 3.0}
