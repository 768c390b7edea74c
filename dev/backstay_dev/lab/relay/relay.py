"""A relay before the API server, where a test makes the link slow, the server rude, or the reader's world old.

It ends TLS with a certificate of the cluster's authority and passes bearer tokens on. Its doors: one inside the lab's
network, through which hosts come (told apart by their addresses), and one on loopback for each named client of the
outer machine (`operator`, `fencer`, …). It runs as a process of its own (`relay_server`).

    relay.add(Fault(Kind.STATUS, source="n1", path="/leases/", status=409, count=3))
    with relay.fault(Fault(Kind.HANG, source="operator")):
        ...
"""

import enum
import json
import os
import re
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from backstay_dev.lab.controlplane import ControlPlane, free_port
from backstay_dev.lab.network import API_PORT, BRIDGE_ADDRESS, BRIDGE_ADDRESS6, LabNetwork
from backstay_dev.lab.shell import Child, LabError, spawn_python, wait_until


class Kind(enum.Enum):
    """What is done to a request that a fault matches."""

    STATUS = "status"
    """Answer with `status` (and `retry_after_s`) without asking the server."""
    DELAY = "delay"
    """Pass it on `delay_s` later; running watches are slowed by as much. Other faults may apply on top."""
    HANG = "hang"
    """No answer while the fault stands, then the connection is dropped; running watches fall silent meanwhile."""
    HOLD = "hold"
    """Running watches fall silent; what came meanwhile is delivered when the fault is over. Nothing else changes."""
    CUT = "cut"
    """The server does what it was asked, and the answer breaks off after `keep` (0 to 1) of it. 0: it is lost whole."""
    REFUSE = "refuse"
    """New connections are reset, standing ones dropped."""
    STALE = "stale"
    """Reads are answered as they were before the fault; watches are held. Writes pass."""


@dataclass(frozen=True)
class Fault:
    """Which requests, how often, how long, and what happens to them. Nothing given: all requests, for ever."""

    kind: Kind
    source: str | None = None
    """A host's name, or the name of a door on loopback."""
    path: str | None = None
    """A regular expression that is searched for in path and query."""
    method: str | None = None
    count: int | None = None
    for_s: float | None = None
    status: int = 500
    retry_after_s: int | None = None
    delay_s: float = 0.0
    keep: float = 0.5
    chance: float = 1.0
    """The share of matching requests that is hit, drawn from `seed`."""
    seed: int = 0

    def __post_init__(self) -> None:
        assert 0 <= self.keep <= 1 and 0 < self.chance <= 1, "keep and chance are shares between 0 and 1"
        re.compile(self.path or "")

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "kind": self.kind.value}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Fault":
        return Fault(**{**data, "kind": Kind(data["kind"])})


class Relay:
    def __init__(
        self,
        plane: ControlPlane,
        state: Path,
        *,
        network: LabNetwork | None = None,
        hosts: Mapping[str, str] | None = None,
        doors: Sequence[str] = ("operator", "fencer"),
    ) -> None:
        """`hosts`: which address of the lab's network is which host; `doors`: names of clients on loopback."""
        self._plane = plane
        self._state = state
        self._network = network
        self._hosts = dict(hosts or {})
        self._ports = {door: free_port() for door in doors}
        self._server: Child | None = None
        self._control: socket.socket | None = None
        self._one_at_a_time = threading.Lock()

    def up(self) -> None:
        folder = self._state / "relay"
        folder.mkdir(parents=True, exist_ok=True)
        control = folder / "control.sock"
        control.unlink(missing_ok=True)
        config = folder / "config.json"
        config.write_text(json.dumps(self._config(control)))
        self._server = spawn_python("relay", "backstay_dev.lab.relay.server", [config], self._state)
        wait_until(lambda: self._reach(control), timeout_s=20, what="the relay's doors", every_s=0.02)

    def down(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._server is not None:
            self._server.kill()
            self._server = None

    def url(self, door: str) -> str:
        """Where a client of the outer machine reaches the API server through the relay."""
        return f"https://127.0.0.1:{self._ports[door]}"

    @property
    def hosts_url(self) -> str:
        """Where every host reaches it."""
        return f"https://{BRIDGE_ADDRESS}:{API_PORT}"

    def add(self, fault: Fault) -> int:
        """From now on; the number is for `remove`."""
        return int(self._ask({"do": "add", "fault": fault.to_json()})["id"])

    def remove(self, fault_id: int) -> None:
        self._ask({"do": "remove", "id": fault_id})

    def clear(self) -> None:
        """No faults any more."""
        self._ask({"do": "clear"})

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[int]:
        fault_id = self.add(fault)
        try:
            yield fault_id
        finally:
            self.remove(fault_id)

    def hits(self, fault_id: int) -> int:
        """How many requests this fault has met so far."""
        return int(self._ask({"do": "hits", "id": fault_id})["hits"])

    def drop(self, source: str | None = None) -> None:
        """Break the connections that stand now, all or those of one source; new ones are welcome."""
        self._ask({"do": "drop", "source": source})

    def _config(self, control: Path) -> dict[str, Any]:
        return {
            "control": str(control),
            "upstream_port": self._plane.port,
            "ca": str(self._plane.ca_file),
            "cert": str(self._plane.server_pair.cert),
            "key": str(self._plane.server_pair.key),
            "namespace": str(self._network.path) if self._network is not None else None,
            "inside": [BRIDGE_ADDRESS, BRIDGE_ADDRESS6],
            "inside_port": API_PORT,
            "hosts": self._hosts,
            "doors": self._ports,
            "lab_pid": os.getpid(),
        }

    def _reach(self, control: Path) -> bool:
        if self._server is not None and not self._server.running:
            raise LabError(f"the relay ended at once; its last words:\n{self._server.last_words()}")
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(control))
        except OSError:
            connection.close()
            return False
        self._control = connection
        return True

    def _ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        if self._control is None:
            raise LabError("the relay is not up")
        with self._one_at_a_time:
            self._control.sendall(json.dumps(question).encode() + b"\n")
            line = b""
            while not line.endswith(b"\n"):
                more = self._control.recv(65536)
                if not more:
                    raise LabError("the relay has ended")
                line += more
        answer: dict[str, Any] = json.loads(line)
        return answer
