"""The relay is invisible until it is told not to be, and then each fault does what it says, to whom it says, only."""

import http.client
import json
import select
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from backstay_dev.lab.controlplane import ControlPlane
from backstay_dev.lab.relay.relay import Fault, Kind, Relay

pytestmark = pytest.mark.api

SPACE = "/api/v1/namespaces/relayed"
MAPS = f"{SPACE}/configmaps"


@pytest.fixture(scope="module")
def the_relay(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    control_plane.kubectl("create", "namespace", "relayed")
    control_plane.kubectl("create", "serviceaccount", "client", "-n", "relayed")
    control_plane.kubectl("create", "role", "maps", "-n", "relayed", "--verb=*", "--resource=configmaps")
    control_plane.kubectl(
        "create", "rolebinding", "client", "-n", "relayed", "--role=maps", "--serviceaccount=relayed:client"
    )
    relay = Relay(control_plane, tmp_path_factory.mktemp("relay"), doors=("a", "b"))
    relay.up()
    yield relay
    relay.down()


@pytest.fixture
def relay(the_relay: Relay) -> Iterator[Relay]:
    yield the_relay
    the_relay.clear()


class Client:
    """One connection through one door, with the ServiceAccount's token."""

    def __init__(self, plane: ControlPlane, relay: Relay, door: str) -> None:
        kubeconfig = plane.kubeconfig_for("relayed", "client", server=relay.url(door))
        self._headers = {"Authorization": f"Bearer {_token(kubeconfig)}", "Content-Type": "application/json"}
        context = ssl.create_default_context(cafile=str(plane.ca_file))
        port = int(relay.url(door).rpartition(":")[2])
        self._connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=3, context=context)

    def ask(self, method: str, path: str, body: object = None) -> http.client.HTTPResponse:
        data = None if body is None else json.dumps(body)
        self._connection.request(method, path, data, self._headers)
        return self._connection.getresponse()

    def status(self, method: str, path: str, body: object = None) -> int:
        answer = self.ask(method, path, body)
        answer.read()
        return answer.status

    def receives_nothing(self, *, for_s: float) -> bool:
        return select.select([self._connection.sock], [], [], for_s)[0] == []

    def json(self, path: str) -> Any:
        return json.load(self.ask("GET", path))


@pytest.fixture
def a(control_plane: ControlPlane, relay: Relay) -> Client:
    return Client(control_plane, relay, "a")


@pytest.fixture
def b(control_plane: ControlPlane, relay: Relay) -> Client:
    return Client(control_plane, relay, "b")


def test_without_faults_it_passes_on_who_asks_and_what_is_answered(a: Client) -> None:
    assert a.status("POST", MAPS, _map("plain")) == 201
    assert a.json(f"{MAPS}/plain")["metadata"]["name"] == "plain"
    assert a.status("GET", "/api/v1/secrets") == 403


@pytest.mark.parametrize("status", [409, 410, 429, 500, 503])
def test_a_rude_answer_comes_as_often_as_asked_and_only_to_whom_it_is_meant(
    relay: Relay, a: Client, b: Client, status: int
) -> None:
    fault = Fault(Kind.STATUS, source="a", path="/configmaps", method="GET", status=status, retry_after_s=7, count=2)
    number = relay.add(fault)
    first = a.ask("GET", MAPS)
    assert (first.status, first.getheader("Retry-After"), json.load(first)["code"]) == (status, "7", status)
    assert b.status("GET", MAPS) == 200
    assert a.status("GET", f"{SPACE}/secrets") == 403
    assert [a.status("GET", MAPS) for _ in range(2)] == [status, 200]
    assert relay.hits(number) == 2


def test_an_answer_is_cut_in_half(relay: Relay, a: Client) -> None:
    relay.add(Fault(Kind.CUT, source="a", keep=0.7, count=1))
    with pytest.raises((http.client.HTTPException, OSError)):
        a.ask("GET", MAPS).read()


def test_a_lost_answer_leaves_what_was_written(relay: Relay, a: Client, b: Client) -> None:
    relay.add(Fault(Kind.CUT, source="a", method="POST", keep=0, count=1))
    with pytest.raises((http.client.HTTPException, OSError)):
        a.ask("POST", MAPS, _map("lost-answer"))
    assert b.status("GET", f"{MAPS}/lost-answer") == 200


def test_a_hanging_server_answers_nobody_who_is_meant(relay: Relay, a: Client, b: Client) -> None:
    relay.add(Fault(Kind.HANG, source="a"))
    with pytest.raises(TimeoutError):
        a.ask("GET", MAPS)
    assert b.status("GET", MAPS) == 200


def test_refused_connections_break_those_that_stand_too(relay: Relay, a: Client, b: Client) -> None:
    assert a.status("GET", MAPS) == 200
    with relay.fault(Fault(Kind.REFUSE, source="a")), pytest.raises((http.client.HTTPException, OSError)):
        a.ask("GET", MAPS)
    assert b.status("GET", MAPS) == 200


def test_a_reader_in_the_past_sees_the_old_world_and_writes_into_the_new(relay: Relay, a: Client, b: Client) -> None:
    a.status("POST", MAPS, _map("aged", age="old"))
    assert a.json(f"{MAPS}/aged")["data"] == {"age": "old"}
    with relay.fault(Fault(Kind.STALE, source="a")):
        assert a.status("PUT", f"{MAPS}/aged", _map("aged", age="new")) == 200
        assert a.json(f"{MAPS}/aged")["data"] == {"age": "old"}
        assert b.json(f"{MAPS}/aged")["data"] == {"age": "new"}
    assert a.json(f"{MAPS}/aged")["data"] == {"age": "new"}


def test_events_that_are_held_back_come_when_the_fault_is_over(relay: Relay, a: Client, b: Client) -> None:
    b.status("POST", MAPS, _map("watched", state="one"))
    watch = a.ask("GET", f"{MAPS}?watch=1&fieldSelector=metadata.name=watched")
    assert _state(watch) == "one"
    held = relay.add(Fault(Kind.HOLD, source="a"))
    b.status("PUT", f"{MAPS}/watched", _map("watched", state="two"))
    assert a.receives_nothing(for_s=0.3)
    relay.remove(held)
    assert _state(watch) == "two"


def test_a_slow_link_is_slow(relay: Relay, a: Client) -> None:
    number = relay.add(Fault(Kind.DELAY, source="a", delay_s=0.05, count=3))
    assert [a.status("GET", MAPS) for _ in range(3)] == [200, 200, 200]
    assert relay.hits(number) == 3


def test_the_share_of_requests_that_is_hit_is_drawn_from_the_seed(relay: Relay, a: Client) -> None:
    def run() -> list[int]:
        with relay.fault(Fault(Kind.STATUS, source="a", status=500, chance=0.5, seed=3)):
            return [a.status("GET", MAPS) for _ in range(20)]

    first = run()
    assert first == run()
    assert {200, 500} == set(first)


def _map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def _state(watch: http.client.HTTPResponse) -> str:
    return str(json.loads(watch.readline())["object"]["data"]["state"])


def _token(kubeconfig: Path) -> str:
    return str(yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]["token"])
