"""A real API server takes the generated CRDs, whole, and shows them to people."""

import json

import pytest

from backstay_api.generate.definitions import definition
from backstay_api.objects.models import ALL_OBJECTS
from backstay_api.objects.models.base import Object
from backstay_dev.lab.controlplane import ControlPlane
from backstay_testing.agreement import Server

pytestmark = pytest.mark.api


@pytest.fixture
def plane(control_plane: ControlPlane, server: Server) -> ControlPlane:
    """With our CRDs in it."""
    return control_plane


@pytest.mark.parametrize("kind", ALL_OBJECTS)
def test_the_server_keeps_every_word_of_a_schema(plane: ControlPlane, kind: type[Object]) -> None:
    wanted = definition(kind)
    stored = json.loads(plane.kubectl("get", "crd", wanted["metadata"]["name"], "-o", "json"))
    assert stored["spec"]["versions"] == wanted["spec"]["versions"], "something was dropped silently"
    bad = [c for c in stored["status"]["conditions"] if c["type"] == "NonStructuralSchema" and c["status"] == "True"]
    assert bad == []


def test_explain_reads_well(plane: ControlPlane) -> None:
    text = plane.kubectl("explain", "haservice.spec.resources")
    assert "Started top to bottom, stopped bottom to top." in text
    assert "One thing a service needs." in text
    assert "-required-" in text
