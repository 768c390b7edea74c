"""The CLI's package as dpkg puts it onto Debian 12 and 13, with what Debian has of its dependencies: it runs, and goes without a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from backstay_dev.lab.image import NEXT_SUITE, SUITE, ensure_image
from backstay_dev.lab.layers import ensure_layer
from backstay_dev.lab.prerequisites import CLI_LAYER
from backstay_dev.lab.shell import LabError, call
from backstay_dev.package.build import package
from backstay_dev.package.versions import Release

pytestmark = [pytest.mark.api, pytest.mark.hosts]
Run = Callable[..., str]


@pytest.fixture(scope="module")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package("backstay-cli", Release("0.1.0", 1_700_000_000), tmp_path_factory.mktemp("dist"))[0][0]


@pytest.fixture(params=[SUITE, NEXT_SUITE])
def debian(request: pytest.FixtureRequest, tmp_path: Path, deb: Path) -> Iterator[Run]:
    """Its files, and somebody who runs a program among them."""
    for name in ("upper", "work", "root"):
        (tmp_path / name).mkdir()
    image, layer = ensure_image(print, request.param), ensure_layer(CLI_LAYER, print, request.param)
    layers = f"lowerdir={layer}:{image},upperdir={tmp_path / 'upper'},workdir={tmp_path / 'work'}"
    root = tmp_path / "root"
    call("mount", "-t", "overlay", "overlay", "-o", layers, root)
    try:
        (root / "root/cli.deb").write_bytes(deb.read_bytes())
        path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
        yield lambda *words: call("env", "-i", path, "HOME=/root", "chroot", root, *words, timeout_s=120)
    finally:
        with suppress(LabError):
            call("umount", "--lazy", root)


def test_it_is_installed_runs_completes_and_goes(debian: Run) -> None:
    debian("dpkg", "-i", "/root/cli.deb")
    assert debian("backstay", "version", "--client", "-o", "jsonpath={.client}").strip() == "0.1.0"
    assert "host join-token" in debian("kubectl-backstay", "host", "join-token", "--help")
    said = debian("kubectl_complete-backstay", "host", "jo")
    assert said.split() == ["join-token", ":4"]
    with pytest.raises(LabError, match="no usable kubeconfig"):
        debian("backstay", "status")
    debian("dpkg", "-P", "backstay-cli")
    assert debian("find", "/usr/lib", "/usr/bin", "-name", "*backstay*") == ""
