"""The process that plays all BMCs of a lab: sushy-tools' Redfish with a driver of our own, and pyghmi's IPMI.

Its own process, because the emulators are heavy, block, and must not be slowed down by a test that is busy. What is true
and what is a lie is decided by the panel in `backstay_dev.lab.bmc`.
"""

import base64
import json
import os
import ssl
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyghmi.ipmi.bmc import Bmc as IpmiBmc
from pyghmi.ipmi.private import session as ipmi_session
from sushy_tools import error as sushy_error
from sushy_tools.emulator import main as sushy
from sushy_tools.emulator.resources.systems.base import AbstractSystemsDriver
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from backstay_dev.lab.bmc import Ask, asker

# How long an unreachable BMC lets a connection hang; every sane client has given up by then.
HANG_S = 120.0


class PowerButtons(AbstractSystemsDriver):  # type: ignore[misc]
    """sushy-tools' idea of machines, reduced to who they are and whether they draw power."""

    def __init__(self, ask: Ask, names: Mapping[str, str]) -> None:
        super().__init__()
        self._ask = ask
        self._names = names

    @property
    def driver(self) -> str:
        return "<backstay-lab>"

    @property
    def systems(self) -> list[str]:
        return list(self._names)

    def uuid(self, identity: str) -> str:
        self.name(identity)
        return identity

    def name(self, identity: str) -> str:
        if identity not in self._names:
            raise sushy_error.NotFound(f"no system {identity} here")
        return self._names[identity]

    def get_power_state(self, identity: str) -> str:
        return str(self._ask(self.name(identity), "read")["power"]).capitalize()

    def set_power_state(self, identity: str, state: str) -> None:
        buttons = {"On": ["on"], "ForceOn": ["on"], "ForceOff": ["off"], "ForceRestart": ["off", "on"]}
        if state not in buttons:
            raise sushy_error.NotSupportedError(f"power state {state} is not supported")
        for button in buttons[state]:
            self._ask(self.name(identity), "press", button=button)

    def get_boot_device(self, identity: str) -> str:
        return "Hdd"

    def set_boot_device(self, identity: str, boot_source: str) -> None:
        raise sushy_error.NotSupportedError("these machines boot from their only disk")


class RedfishServer(ThreadedWSGIServer):
    """One machine's port. TLS begins in the connection's own thread, so that one that hangs holds up nobody."""

    def __init__(self, address: str, port: int, app: Any, tls: ssl.SSLContext, reachable: Callable[[], bool]) -> None:
        super().__init__(address, port, app, handler=_QuietHandler)
        self._tls = tls
        self._reachable = reachable

    def finish_request(self, request: Any, client_address: Any) -> None:
        give_up_s = time.monotonic() + HANG_S
        while not self._reachable():
            if time.monotonic() > give_up_s:
                return
            time.sleep(0.1)
        with suppress(OSError), self._tls.wrap_socket(request, server_side=True) as connection:
            super().finish_request(connection, client_address)


class _QuietHandler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """The panel remembers what matters."""


class Password:
    """Basic authentication against the panel's present password."""

    def __init__(self, app: Any, user: str, password: Callable[[], str]) -> None:
        self._app, self._user, self._password = app, user, password

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        expected = base64.b64encode(f"{self._user}:{self._password()}".encode()).decode()
        if environ.get("HTTP_AUTHORIZATION") == f"Basic {expected}":
            result: Iterable[bytes] = self._app(environ, start_response)
            return result
        start_response("401 Unauthorized", [("Content-Type", "application/json")])
        return [b'{"error": {"code": "Base.1.0.InsufficientPrivilege", "message": "wrong user name or password"}}']


class LabIpmi(IpmiBmc):  # type: ignore[misc]
    """One machine's IPMI 2.0 port."""

    def __init__(self, machine: Mapping[str, Any], address: str, user: str, ask: Ask) -> None:
        self._ask = ask
        self._host = machine["host"]
        self._guid = uuid.UUID(machine["uuid"])
        super().__init__(_IpmiUsers(user, self._host, ask), port=machine["ipmi"], address=address)

    def sessionless_data(self, data: Any, sockaddr: Any) -> None:
        if self._ask(self._host, "reachable")["reachable"]:
            super().sessionless_data(data, sockaddr)

    def get_system_guid(self) -> uuid.UUID:
        return self._guid

    def get_power_state(self) -> str:
        return str(self._ask(self._host, "read")["power"])

    def power_off(self) -> None:
        self._ask(self._host, "press", button="off")

    def power_on(self) -> None:
        self._ask(self._host, "press", button="on")


class _IpmiUsers:
    def __init__(self, user: str, host: str, ask: Ask) -> None:
        self._user, self._host, self._ask = user, host, ask

    def get(self, user: str, default: str | None = None) -> str | None:
        known = user == self._user
        return str(self._ask(self._host, "password")["password"]) if known else default


def main() -> None:
    config = json.loads(Path(sys.argv[1]).read_text())
    ask = asker(config["panel"])
    _serve_redfish(config, ask)
    keep = [LabIpmi(machine, config["address"], config["user"], ask) for machine in config["machines"]]
    _end_with_the_lab(config["lab_pid"])
    while keep:
        ipmi_session.Session.wait_for_rsp(timeout=60)


def _serve_redfish(config: Mapping[str, Any], ask: Ask) -> None:
    names = {machine["uuid"]: machine["host"] for machine in config["machines"]}
    buttons = PowerButtons(ask, names)
    sushy.Application.systems = property(lambda _app: buttons)
    sushy.app.configure(
        extra_config={"SUSHY_EMULATOR_STATE_DIR": config["state"], "SUSHY_EMULATOR_FEATURE_SET": "minimum"}
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(config["cert"], config["key"])
    for machine in config["machines"]:
        _start_redfish(machine, config, tls, ask)


def _start_redfish(machine: Mapping[str, Any], config: Mapping[str, Any], tls: ssl.SSLContext, ask: Ask) -> None:
    host = machine["host"]
    guarded = Password(sushy.app.wsgi_app, config["user"], lambda: str(ask(host, "password")["password"]))
    reachable = lambda: bool(ask(host, "reachable")["reachable"])  # noqa: E731
    server = RedfishServer(config["address"], machine["redfish"], guarded, tls, reachable)
    threading.Thread(target=server.serve_forever, daemon=True, name=f"redfish-{host}").start()


def _end_with_the_lab(pid: int) -> None:
    """The lab ends us; this is for the lab that was killed."""

    def watch() -> None:
        while Path(f"/proc/{pid}").exists():
            time.sleep(1.0)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main()
