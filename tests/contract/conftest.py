"""One suite, two servers: each story is played on the in-memory fake in virtual time, and on a real kube-apiserver."""

import asyncio

import pytest

from backstay_dev.lab.controlplane import ControlPlane
from backstay_dev.lab.shell import LabError, wait_until
from contract.scene import WIDGET_CRD, WIDGETS, Play, play_in_memory, play_on_server


@pytest.fixture(params=["memory", pytest.param("server", marks=pytest.mark.api)])
def play(request: pytest.FixtureRequest) -> Play:
    """Plays a story on one of the two."""
    if request.param == "memory":
        return play_in_memory
    plane: ControlPlane = request.getfixturevalue("widget_server")
    return lambda story: asyncio.run(play_on_server(plane, story))


@pytest.fixture(scope="session")
def widget_server(control_plane: ControlPlane) -> ControlPlane:
    """The real server, with our little CRD in it."""
    control_plane.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", WIDGET_CRD)

    def served() -> bool:
        try:
            control_plane.request("GET", WIDGETS.path())
        except LabError:
            return False
        return True

    wait_until(served, timeout_s=30, what="the widgets' CRD")
    return control_plane
