"""The hosts' BMCs: emulators behind the real fence agents, wired to the power buttons, with knobs to make them lie.

One process (`bmc_server`) speaks Redfish over TLS and IPMI 2.0 on loopback, for every host on a port of its own. It knows
nothing: each read and each press of a button goes through a local socket to the `Panel` here, which looks at the real
machine and at the host's knobs. So a knob turned by a test holds from the next read on.
"""

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from backstay_dev.lab.controlplane import free_port
from backstay_dev.lab.hosts import LabHost
from backstay_dev.lab.network import entered
from backstay_dev.lab.pki import Pair
from backstay_dev.lab.shell import Child, LabError, spawn_python, wait_until

USER: Final = "operator"


@dataclass
class Knobs:
    """What can be wrong with a BMC. As made: nothing."""

    unreachable: bool = False
    """Nobody answers; connections hang until their own time limit."""
    always_on: bool = False
    """Reads say on for ever, whatever the machine does."""
    off_then_on: bool = False
    """Reads say off, on, off, on, …, whatever the machine does."""
    ignores_presses: bool = False
    """Presses of the button are acknowledged and nothing happens."""
    off_takes_s: float = 0.0
    """A press is acknowledged at once and the power goes so much later."""
    read_gap_s: float = 0.0
    """Reads tell what was true so long ago."""
    read_takes_s: float = 0.0
    """Each read is answered so much later."""


@dataclass
class Bmc:
    """One host's BMC: how to reach it, its credentials, its knobs, and what was asked of it."""

    host: LabHost
    redfish_port: int
    ipmi_port: int
    address: str = "127.0.0.1"
    password: str = field(default_factory=lambda: secrets.token_hex(8))
    knobs: Knobs = field(default_factory=Knobs)
    presses: list[tuple[float, str]] = field(default_factory=list)
    """(CLOCK_MONOTONIC, "on" or "off") of every press of the button through the BMC."""
    reads: list[tuple[float, str]] = field(default_factory=list)
    """(CLOCK_MONOTONIC, what was answered) of every power status read."""
    _seen: list[tuple[float, bool]] = field(default_factory=list)

    def parameters(self, agent: str) -> dict[str, str]:
        """What belongs into the Host."""
        if agent == "fence_redfish":
            return {"systems_uri": f"/redfish/v1/Systems/{self.host.machine_uuid}", "ssl_insecure": "1"}
        return {"lanplus": "1", "method": "onoff"}

    def secret(self, agent: str) -> dict[str, str]:
        """What belongs into the Secret and onto the agent's stdin, nowhere else."""
        port = self.redfish_port if agent == "fence_redfish" else self.ipmi_port
        return {"ip": self.address, "ipport": str(port), "username": USER, "password": self.password}

    def repair(self) -> None:
        """A BMC as it should be; what was asked of it so far is forgotten."""
        self.knobs = Knobs()
        self.presses, self.reads, self._seen = [], [], []

    def note_power(self) -> None:
        now_s, on = time.monotonic(), self.host.is_on
        if not self._seen or self._seen[-1][1] != on:
            self._seen.append((now_s, on))

    def read(self) -> str:
        """What a power status read is answered now."""
        if self.knobs.read_takes_s:
            time.sleep(self.knobs.read_takes_s)
        answer = self._answer()
        self.reads.append((time.monotonic(), answer))
        return answer

    def press(self, button: str) -> None:
        self.presses.append((time.monotonic(), button))
        if self.knobs.ignores_presses:
            return
        if button == "on":
            self.host.power_on(wait=False)
        elif self.knobs.off_takes_s:
            timer = threading.Timer(self.knobs.off_takes_s, self.host.power_off)
            timer.daemon = True
            timer.start()
        else:
            self.host.power_off()

    def _answer(self) -> str:
        if self.knobs.always_on:
            return "on"
        if self.knobs.off_then_on:
            return "on" if self.reads and self.reads[-1][1] == "off" else "off"
        return "on" if self._was_on() else "off"

    def _was_on(self) -> bool:
        """As long ago as the knob says."""
        self.note_power()
        at_s = time.monotonic() - self.knobs.read_gap_s
        earlier = [on for seen_s, on in self._seen if seen_s <= at_s]
        return earlier[-1] if earlier else self._seen[0][1]


class Panel:
    """Answers the emulators over a local socket, one JSON line each way."""

    def __init__(self, socket_path: Path, bmcs: Mapping[str, Bmc]) -> None:
        self._bmcs = bmcs
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(socket_path))
        self._listener.listen(32)
        self._closing = False
        threading.Thread(target=self._accept, daemon=True, name="bmc-panel").start()
        # For reads that lag behind, somebody must have looked when the power changed.
        threading.Thread(target=self._watch, daemon=True, name="bmc-watch").start()

    def close(self) -> None:
        self._closing = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as stream:
            for line in stream:
                try:
                    answer = self._answer(json.loads(line))
                except (LabError, OSError) as error:
                    answer = {"error": str(error)}
                with suppress(OSError):
                    stream.write(json.dumps(answer).encode() + b"\n")
                    stream.flush()

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        bmc = self._bmcs[question["host"]]
        match question["do"]:
            case "read":
                return {"power": bmc.read()}
            case "press":
                bmc.press(question["button"])
                return {}
            case "reachable":
                return {"reachable": not bmc.knobs.unreachable}
            case "password":
                return {"password": bmc.password}
            case unknown:
                raise LabError(f"the BMC panel does not know {unknown!r}")

    def _watch(self) -> None:
        while not self._closing:
            for bmc in self._bmcs.values():
                if bmc.knobs.read_gap_s:
                    bmc.note_power()
            time.sleep(0.02)


class BmcBay:
    """All BMCs of a lab and the process that emulates them."""

    def __init__(
        self,
        hosts: Sequence[LabHost],
        state: Path,
        pair: Pair,
        *,
        address: str = "127.0.0.1",
        network: Path | None = None,
    ) -> None:
        """`network`: a network namespace that they stand in, at this address; None: the outer machine's."""
        self._state = state
        self._address = address
        self._network = network
        self._pair = pair
        self._server: Child | None = None
        self._panel: Panel | None = None
        datagram = socket.SOCK_DGRAM
        self.bmcs = {host.name: Bmc(host, free_port(), free_port(kind=datagram), address) for host in hosts}

    def up(self) -> None:
        """Start the emulators; they answer when this comes back."""
        folder = self._state / "bmc"
        folder.mkdir(parents=True, exist_ok=True)
        panel_socket = folder / "panel.sock"
        panel_socket.unlink(missing_ok=True)
        self._panel = Panel(panel_socket, self.bmcs)
        config = folder / "config.json"
        config.write_text(json.dumps(self._config(panel_socket, folder)))
        with self._inside():  # a child stands where the thread stood that made it
            self._server = spawn_python("bmc", "backstay_dev.lab.bmc_server", [config], self._state)
        wait_until(self._answers, timeout_s=30, what="the answer of the BMC emulators", every_s=0.05)

    def down(self) -> None:
        if self._server is not None:
            self._server.kill()
            self._server = None
        if self._panel is not None:
            self._panel.close()
            self._panel = None

    def _config(self, panel_socket: Path, folder: Path) -> dict[str, Any]:
        return {
            "panel": str(panel_socket),
            "address": self._address,
            "state": str(folder),
            "cert": str(self._pair.cert),
            "key": str(self._pair.key),
            "user": USER,
            "lab_pid": os.getpid(),
            "machines": [
                {"host": name, "uuid": bmc.host.machine_uuid, "redfish": bmc.redfish_port, "ipmi": bmc.ipmi_port}
                for name, bmc in self.bmcs.items()
            ],
        }

    def _inside(self) -> AbstractContextManager[None]:
        return entered(self._network) if self._network else nullcontext()

    def _answers(self) -> bool:
        if self._server is not None and not self._server.running:
            raise LabError(f"the BMC emulators ended at once; their last words:\n{self._server.last_words()}")
        with self._inside():
            return all(_accepts(bmc.address, bmc.redfish_port) for bmc in self.bmcs.values())


def _accepts(address: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((address, port), timeout=1):
        return True
    return False


# A question to the panel, as the emulators ask it.
Ask = Callable[..., dict[str, Any]]


def asker(panel_socket: str) -> Ask:
    """One connection a question: the emulators' threads share nothing."""

    def ask(host: str, do: str, **more: Any) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rwb") as stream:
            connection.connect(panel_socket)
            stream.write(json.dumps({"host": host, "do": do, **more}).encode() + b"\n")
            stream.flush()
            answer: dict[str, Any] = json.loads(stream.readline())
            if "error" in answer:
                raise LabError(answer["error"])
            return answer

    return ask
