"""Asks a real API server and the models the same question, and holds the answers against each other."""

from __future__ import annotations

import http.client
import json
import os
import ssl
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from backstay_api.generate.definitions import object_schema
from backstay_api.generate.files import REPOSITORY
from backstay_api.memory.admission import admit
from backstay_api.objects.kinds import Kind
from backstay_api.objects.models import (
    ALL_OBJECTS,
    FenceRequest,
    HAService,
    Host,
    HostAssignment,
    HostSurvey,
    ServiceClass,
)
from backstay_api.objects.object_kinds import HOST_SURVEYS, OWN_KINDS
from backstay_dev.lab.controlplane import ControlPlane

Json = dict[str, Any]

KINDS: dict[type[Any], Kind[Any]] = dict(zip(ALL_OBJECTS, (*OWN_KINDS, HOST_SURVEYS), strict=True))
SCHEMAS = {model: object_schema(model)["properties"] for model in ALL_OBJECTS}
MINIMAL: dict[type[Any], Json] = {
    HAService: {"resources": [{"name": "web", "systemd": {"unit": "web.service"}}]},
    Host: {},
    HostAssignment: {},
    ServiceClass: {"namespaces": ["shop"]},
    HostSurvey: {"unit": "web.service", "by": "alice", "until": "2026-03-01T12:00:00Z"},
    FenceRequest: {"host": "n1", "session": {"bootID": "b", "nonce": "n", "seq": 1}, "want": "Observe"},
}
# The same examples on every run, unless somebody asks for more: BACKSTAY_EXAMPLES=2000 pytest …
bounded = settings(
    max_examples=int(os.environ.get("BACKSTAY_EXAMPLES", "60")),
    deadline=None,
    derandomize="BACKSTAY_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def install_definitions(plane: ControlPlane) -> None:
    """The committed CRDs, served."""
    files = [argument for kind in ALL_OBJECTS for argument in ("-f", str(REPOSITORY / f"crds/{kind.plural}.yaml"))]
    plane.kubectl("apply", "--server-side", "--force-conflicts", "--validate=strict", *files)
    names = [f"crd/{kind.plural}.backstay.dev" for kind in ALL_OBJECTS]
    plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)


class Server:
    """Raw requests as the administrator over one connection."""

    def __init__(self, plane: ControlPlane) -> None:
        context = ssl.create_default_context(cafile=str(plane.ca_file))
        self._connection = http.client.HTTPSConnection("127.0.0.1", plane.port, timeout=20, context=context)
        self.headers = {"Authorization": f"Bearer {plane.admin_token}"}
        self._numbers = count()

    def send(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        content = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {**self.headers, "Content-Type": content}
        self._connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def queue_of(self, method: str, path: str) -> str | None:
        """UID of the priority level in which the server has put this request."""
        self._connection.request(method, path, None, self.headers)
        answer = self._connection.getresponse()
        answer.read()
        return answer.getheader("X-Kubernetes-PF-PriorityLevel-UID")

    def new(self, kind: Kind[Any], **parts: Any) -> Json:
        """A body under a name that nobody had before."""
        metadata = {"name": f"agreement-{os.getpid()}-{next(self._numbers)}"}
        return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **parts}

    def create(self, kind: Kind[Any], body: Json, query: str = "") -> tuple[int, Json]:
        return self.send("POST", kind.path(_namespace(kind)) + query, body)

    def update(self, kind: Kind[Any], body: Json, subresource: str = "", query: str = "") -> tuple[int, Json]:
        return self.send("PUT", kind.path(_namespace(kind), body["metadata"]["name"], subresource) + query, body)

    def created(self, kind: Kind[Any], spec: Json) -> Json:
        """A stored object."""
        code, answer = self.create(kind, self.new(kind, spec=spec))
        assert code == 201, answer
        return answer

    def clear(self) -> None:
        for kind in KINDS.values():
            self.send("DELETE", kind.path(_namespace(kind)))

    def agrees_on_new(self, kind: Kind[Any], spec: Any) -> bool:
        """Whether both accept or both refuse this; True where both accept."""
        body = self.new(kind, spec=spec)
        return _agree(kind, None, body, self.create(kind, body, "?dryRun=All"))

    def agrees_on_change(self, kind: Kind[Any], old: Json, new: Json, subresource: str = "") -> bool:
        return _agree(kind, old, new, self.update(kind, new, subresource, "?dryRun=All"))


def _agree(kind: Kind[Any], old: Json | None, new: Json, reply: tuple[int, Json]) -> bool:
    code, answer = reply
    assert code in (200, 201, 400, 422), answer
    why = admit(kind, old, new)
    server_says = "accepts" if code < 300 else answer.get("message")
    assert (why is None) == (code < 300), f"models: {why or 'accept'}\nserver: {server_says}\n{json.dumps(new)}"
    return why is None


@pytest.fixture(scope="module")
def server(control_plane: ControlPlane) -> Iterator[Server]:
    """A real API server with our CRDs; what was made in it is deleted afterwards."""
    install_definitions(control_plane)
    server = Server(control_plane)
    yield server
    server.clear()


def assert_both_were_tried(accepted: list[bool]) -> None:
    share = sum(accepted) / len(accepted)
    assert 0.1 < share < 0.95, f"{share:.0%} were good: with hardly any good or bad ones this test says nothing"


def _namespace(kind: Kind[Any]) -> str:
    return "default" if kind.namespaced else ""
