"""What the host's own configuration says (`/etc/backstay/agent.json`), and what the machine says of itself."""

from __future__ import annotations

import json
import logging
import os
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from backstay_api import VERSION
from backstay_api.client.kubeconfig import NoConfig, of_agent
from backstay_api.client.transport import ApiConfig
from backstay_api.objects.features import FEATURES
from backstay_api.objects.plain import Facts

log = logging.getLogger(__name__)

SLEEP_TARGETS: Final = (
    "sleep.target",
    "suspend.target",
    "hibernate.target",
    "hybrid-sleep.target",
    "suspend-then-hibernate.target",
)


HOST: Final = "host"
"""In the folder of the state: the name under which this machine is enrolled."""
CLUSTER: Final = "cluster"
"""And of which cluster: the UID of its namespace `kube-system`, as the join token said it."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything an agent is told on its host."""

    api: ApiConfig
    host: str
    """Name of the Host object; by default the one under which this machine was enrolled first: its host name then."""
    run_dir: Path = Path("/run/backstay")
    state_dir: Path = Path("/var/lib/backstay")
    machine_uuid_file: str = ""
    """Instead of the firmware's UUID, for machines that have none."""
    health: str = ""
    """`address:port` where facts and metrics are told; by default nowhere."""
    mount_roots: tuple[Path, ...] = ()
    """Folders below which services may have filesystems mounted; by default /srv, /mnt and the like."""


_OWN: Final = ("host", "run_dir", "state_dir", "machine_uuid_file", "health")


def read_config(path: Path) -> Config:
    """Read the configuration. Raises NoConfig with a sentence."""
    try:
        given = json.loads(path.read_text())
    except OSError as error:
        raise NoConfig(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise NoConfig(f"{path} is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise NoConfig(f"{path} must hold one JSON object")
    own: dict[str, Any] = {name: str(given.pop(name)) for name in _OWN if name in given}
    roots = given.pop("mount_roots", [])
    if not isinstance(roots, list) or not all(isinstance(one, str) and one.startswith("/") for one in roots):
        raise NoConfig(f'{path}: mount_roots must be a list of absolute paths, like ["/srv", "/data"]')
    try:
        api = of_agent(given)
    except NoConfig as error:
        raise NoConfig(f"{path}: {error}; besides these: {', '.join((*_OWN, 'mount_roots'))}") from error
    own |= {name: Path(own[name]) for name in ("run_dir", "state_dir") if name in own}
    own["mount_roots"] = tuple(map(Path, roots))
    state_dir = own.get("state_dir", Config.state_dir)
    # Not in this file: an earlier release that comes back would not know the key, and not start.
    api = replace(api, cluster=kept(state_dir / CLUSTER))
    return Config(api=api, **{"host": _own_name(state_dir), **own})


def kept(file: Path) -> str:
    """What is kept in the agent's state as one line; empty: nothing."""
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _own_name(state_dir: Path) -> str:
    """A machine that was renamed is still the Host that it was enrolled as."""
    now, before = socket.gethostname(), kept(state_dir / HOST)
    if before and before != now:
        why = f'the machine is now called {now}; write "host" into agent.json to say which Host it is'
        log.warning("this machine is still the Host that it was enrolled as", extra={"host": before, "why": why})
    return before or now


def boot_id() -> str:
    """Which boot of this machine this is."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def machine_uuid(file: str) -> str:
    """Which machine this is, as its BMC would say. Raises NoConfig with a sentence."""
    path = Path(file or "/sys/class/dmi/id/product_uuid")
    try:
        uuid = path.read_text().strip().lower()
    except OSError as error:
        raise NoConfig(
            f"which machine this is cannot be read from {path} ({error.strerror}): where the firmware tells no UUID,"
            ' write one into a file and name that file as "machine_uuid_file"'
        ) from error
    if not uuid:
        raise NoConfig(f"{path} is empty: it must hold the UUID of this machine")
    return uuid


def facts(addresses: tuple[str, ...] = ()) -> Facts:
    """What kind of machine this is."""
    return Facts(
        hostname=socket.gethostname(),
        os=_os_name(),
        kernel=os.uname().release,
        agent_version=VERSION,
        addresses=addresses,
        features=FEATURES,
    )


def _os_name() -> str:
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition("=")[2].strip('"') for line in lines if line.startswith("PRETTY_NAME=")), "")


def sleep_obstacle(
    *, power: Path = Path("/sys/power/state"), container: Path = Path("/run/systemd/container"), root: Path = Path("/")
) -> str:
    """Why this machine could fall asleep and come back as an old session that walks; empty if it cannot (PROTOCOL 7)."""
    if container.exists():
        return ""  # a container cannot put its host to sleep
    try:
        if not power.read_text().strip():
            return ""
    except OSError:
        return ""
    awake = [target for target in SLEEP_TARGETS if not _is_masked(target, root)]
    if not awake:
        return ""
    return f"this machine could be suspended and come back: run `systemctl mask {' '.join(awake)}`"


def _is_masked(target: str, root: Path) -> bool:
    return any(
        os.path.realpath(root / folder / target) == "/dev/null"
        for folder in ("etc/systemd/system", "run/systemd/system")
    )
