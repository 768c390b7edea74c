"""What stands in the way of joining on this machine: everything at once, each with its cure, and nothing is changed."""

from __future__ import annotations

import http.client
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from backstay_agent.config import machine_uuid
from backstay_agent.drivers import real_drivers
from backstay_api.client.kubeconfig import NoConfig, of_agent
from backstay_api.objects.join_tokens import JoinToken

UNIT: Final = "backstay-agent.service"
OLDEST_SYSTEMD: Final = 249
OLDEST_PYTHON: Final = (3, 11)
CLOCK_S: Final = 60.0
"""A clock that is further off makes tokens and certificates end too early or too late."""
_NOBODYS: Final = re.compile(r"^(0{8}(-0{4}){3}-0{12}|f{8}(-f{4}){3}-f{12})$")
_UUID: Final = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


@dataclass(frozen=True)
class ServerAnswer:
    """What one server said when it was asked for anything at all."""

    date: str = ""
    why_not: str = ""


@dataclass(frozen=True)
class Candidate:
    """This machine, as the checks ask it; tests have one of their own."""

    systemctl: Callable[..., str]
    """The output of systemctl; empty where it cannot be run."""
    ask: Callable[[JoinToken, str], ServerAnswer]
    now: Callable[[], datetime]
    is_root: bool
    root: Path = Path("/")
    python: tuple[int, int] = (sys.version_info[0], sys.version_info[1])
    drivers: Callable[[], object] = real_drivers
    enrolled_as: str = ""
    """The Host that this machine is already; empty: none."""
    cluster: str = ""
    """UID of the cluster of which it is; empty: nobody has said."""


def this_machine(enrolled_as: str, cluster: str) -> Candidate:
    is_root = os.geteuid() == 0
    return Candidate(_systemctl, ask, lambda: datetime.now(UTC), is_root, enrolled_as=enrolled_as, cluster=cluster)


def obstacles(machine: Candidate, token: JoinToken, uuid_file: str) -> Iterator[str]:
    """Everything that is wrong, as sentences; none: it can join."""
    if not machine.is_root:
        yield "this must be root: it writes /etc/backstay and starts a unit"
    if machine.python < OLDEST_PYTHON:
        yield f"Python {'.'.join(map(str, machine.python))} is too old: 3.11 is needed"
    yield from _systemd(machine)
    if not (machine.root / "sys/fs/cgroup/cgroup.controllers").exists():
        yield "/sys/fs/cgroup is not cgroup v2: boot with systemd.unified_cgroup_hierarchy=1"
    yield from _drivers(machine)
    yield from _identity(machine, token, uuid_file)
    yield from _servers(machine, token)


def _systemd(machine: Candidate) -> Iterator[str]:
    said = machine.systemctl("--version").split()
    if len(said) < 2 or not (machine.root / "run/systemd/system").exists():
        yield "systemd does not run this machine"
        return
    if said[1].isdigit() and int(said[1]) < OLDEST_SYSTEMD:
        yield f"systemd {said[1]} is too old: {OLDEST_SYSTEMD} is needed"
    if machine.systemctl("show", "--property=LoadState", "--value", UNIT).strip() != "loaded":
        yield f"there is no unit {UNIT}: install the package backstay-agent"


def _drivers(machine: Candidate) -> Iterator[str]:
    try:
        machine.drivers()
    except Exception as error:  # whatever a library that does not fit this machine raises
        yield f"the agent's own code does not work here: {error}"


def _identity(machine: Candidate, token: JoinToken, uuid_file: str) -> Iterator[str]:
    if machine.enrolled_as not in ("", token.host):
        yield (
            f"this machine is the host {machine.enrolled_as} already, and this token is for {token.host}: "
            f"`backstay host remove {machine.enrolled_as}`, then `backstay-agent --remove` here, first"
        )
    elif machine.enrolled_as and machine.cluster and token.cluster not in ("", machine.cluster):
        yield (
            f"this machine is the host {machine.enrolled_as} of another cluster already ({machine.cluster}; this token is of "
            f"{token.cluster}): `backstay host remove {machine.enrolled_as}` there, then `backstay-agent --remove` here, first"
        )
    try:
        uuid = machine_uuid(uuid_file)
    except NoConfig as error:
        yield f"{error} (--machine-uuid-file)"
        return
    if not _UUID.match(uuid):
        yield f"{uuid!r} is no UUID of a machine"
    elif _NOBODYS.match(uuid):
        yield f"the firmware says {uuid}, which many machines do: write one of its own into a file (--machine-uuid-file)"


def _servers(machine: Candidate, token: JoinToken) -> Iterator[str]:
    try:
        of_agent({"servers": list(token.servers)})
    except NoConfig as error:
        yield str(error)
        return
    answers = {server: machine.ask(token, server) for server in token.servers}
    yield from (f"{server}: {answer.why_not}" for server, answer in answers.items() if answer.why_not)
    dates = [answer.date for answer in answers.values() if answer.date]
    if dates:
        ahead_s = (machine.now() - parsedate_to_datetime(dates[0])).total_seconds()
        if abs(ahead_s) > CLOCK_S:
            yield f"this machine's clock is {abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} the API server's: set it"


def ask(token: JoinToken, server: str, *, limit_s: float = 5.0) -> ServerAnswer:
    """Reach one server over TLS. Any answer will do; without a token, since a stranger may be listening there."""
    place = urlsplit(server)
    context = ssl.create_default_context(cadata=token.ca or None)
    connection = _Connection(
        place.hostname or "", place.port or 443, context=context, name=token.server_name, timeout=limit_s
    )
    try:
        connection.request("GET", f"{place.path}/version")
        return ServerAnswer(date=connection.getresponse().getheader("Date") or "")
    except ssl.SSLCertVerificationError as error:
        return ServerAnswer(why_not=f"its certificate is not good for us: {error.verify_message}")
    except (OSError, http.client.HTTPException) as error:
        return ServerAnswer(why_not=f"cannot be reached from here: {error}")
    finally:
        connection.close()


class _Connection(http.client.HTTPSConnection):
    """Expects another name in the certificate than the address, where one is given."""

    def __init__(self, host: str, port: int, *, context: ssl.SSLContext, name: str, timeout: float) -> None:
        super().__init__(host, port, context=context, timeout=timeout)
        self._tls, self._name = context, name or host

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


def _systemctl(*words: str) -> str:
    try:
        done = subprocess.run(["systemctl", *words], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
