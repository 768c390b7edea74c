"""The chart on a real API server, and people and programs who ask it for things."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from backstay_api.generate.files import CHART, REPOSITORY
from backstay_api.objects.models import ALL_OBJECTS
from backstay_api.objects.names import SYSTEM_NAMESPACE
from backstay_dev.lab.assets import ensure_assets
from backstay_dev.lab.controlplane import ControlPlane
from backstay_dev.lab.shell import LabError, call
from backstay_testing.agreement import Server

Json = dict[str, Any]
OPERATOR = f"system:serviceaccount:{SYSTEM_NAMESPACE}:backstay-operator"
FENCER = f"system:serviceaccount:{SYSTEM_NAMESPACE}:backstay-fencer"


REGISTRY = ("--set", "image.registry=registry.example")
"""The chart has no default: no image is published."""


def helm(*arguments: str | Path) -> str:
    return call(ensure_assets().helm, *arguments, timeout_s=120)


def rendered(*arguments: str | Path) -> list[Json]:
    text = helm("template", "backstay", REPOSITORY / CHART, "--namespace", SYSTEM_NAMESPACE, *REGISTRY, *arguments)
    return [document for document in yaml.safe_load_all(text) if document]


def of_kind(documents: list[Json], kind: str) -> dict[str, Json]:
    return {one["metadata"]["name"]: one for one in documents if one["kind"] == kind}


@contextmanager
def installed_in(state: Path) -> Iterator[ControlPlane]:
    """A control plane of its own, with the chart in it and the assignment of a host n1."""
    with ControlPlane(state) as plane:
        chart = REPOSITORY / CHART
        plane.helm("install", "backstay", chart, "--namespace", SYSTEM_NAMESPACE, "--create-namespace", *REGISTRY)
        names = [f"crd/{kind.plural}.backstay.dev" for kind in ALL_OBJECTS]
        plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)
        host = {"apiVersion": "backstay.dev/v1alpha1", "kind": "HostAssignment", "metadata": {"name": "n1"}}
        plane.kubectl("create", "-f", "-", stdin=json.dumps(host))
        yield plane


def can(plane: ControlPlane, *arguments: str) -> bool:
    try:
        return plane.kubectl(*arguments).strip() == "yes"
    except LabError:
        return False


class As:
    """One user's requests."""

    def __init__(self, plane: ControlPlane, user: str, *groups: str) -> None:
        self.server = Server(plane)
        self.server.headers["Impersonate-User"] = user
        self._groups = groups or ("system:masters",)

    def send(self, method: str, path: str, body: Json) -> tuple[int, str]:
        self.server.headers["Impersonate-Group"] = self._groups[0]
        code, answer = self.server.send(method, path, body)
        return code, answer.get("message", "")
