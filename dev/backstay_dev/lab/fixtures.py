"""pytest fixtures on real parts, for every test folder: `tests/conftest.py` names this module in `pytest_plugins`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backstay_dev.lab.controlplane import ControlPlane
from backstay_dev.lab.lab import Lab


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One real etcd and kube-apiserver for the whole test run: use names and namespaces of your own in it."""
    state: Path = tmp_path_factory.mktemp("control-plane")
    with ControlPlane(state, progress=print) as plane:
        yield plane


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Three hosts, BMCs, a relay and a control plane for the whole test run. Leave it as you found it: `tidy_lab`."""
    with Lab(3, progress=print) as lab:
        yield lab


@pytest.fixture
def tidy_lab(lab: Lab) -> Iterator[Lab]:
    """The same lab, put in order after the test: faults gone, every host on and healed, BMCs honest."""
    yield lab
    lab.tidy()
