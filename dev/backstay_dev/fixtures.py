"""pytest fixtures on real parts, for every test folder: `tests/conftest.py` names this module in `pytest_plugins`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backstay_dev.controlplane import ControlPlane


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One real etcd and kube-apiserver for the whole test run: use names and namespaces of your own in it."""
    state: Path = tmp_path_factory.mktemp("control-plane")
    with ControlPlane(state, progress=print) as plane:
        yield plane
