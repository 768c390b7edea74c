"""The lab's network: a namespace of its own with one bridge and no way out, so that nothing a test sends can leave.

Every lab has the same addresses (they are the ones reserved for documentation) and never meets another lab's. Each
host has a namespace behind one port of the bridge; faults are put in at that port by nftables, by direction:

    network.cut("n1", Traffic.API)                 # n1 and the API server no longer reach each other
    network.cut("n1", Traffic.ALL, Way.FROM_HOST)  # n1 still receives from everybody and nobody from n1
    network.heal("n1")

The lab's side of the bridge is also where clients stand: `with network.entered(): …` puts the sockets that the present
thread makes into it.
"""

import ctypes
import enum
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from backstay_dev.lab.shell import LabError, call

SUBNET: Final = "192.0.2.{}/24"
SUBNET6: Final = "2001:db8::{:x}/64"
BRIDGE: Final = "br0"
_BRIDGE_MAC: Final = "02:00:00:00:00:01"
BRIDGE_ADDRESS: Final = "192.0.2.1"
BRIDGE_ADDRESS6: Final = "2001:db8::1"
API_PORT: Final = 6443
# Hosts stand at .11, .12, …; what is below (.2 to .10) and from .100 on is free for virtual addresses.
FIRST_HOST: Final = 11
INTERFACE: Final = "eth0"
_CLONE_NEWNET: Final = 0x40000000
_NAMESPACES: Final = Path("/run/netns")

# Prerouting and postrouting see what passes the bridge as well as what ends or begins at the lab's own side.
_RULES: Final = f"""
table bridge lab {{
  set all_from {{ type ifname; }}
  set all_to {{ type ifname; }}
  set api_from {{ type ifname; }}
  set api_to {{ type ifname; }}
  chain from {{
    type filter hook prerouting priority -300; policy accept;
    iifname @all_from drop
    iifname @api_from ip daddr {BRIDGE_ADDRESS} tcp dport {API_PORT} drop
    iifname @api_from ip6 daddr {BRIDGE_ADDRESS6} tcp dport {API_PORT} drop
  }}
  chain to {{
    type filter hook postrouting priority 0; policy accept;
    oifname @all_to drop
    oifname @api_to ip saddr {BRIDGE_ADDRESS} tcp sport {API_PORT} drop
    oifname @api_to ip6 saddr {BRIDGE_ADDRESS6} tcp sport {API_PORT} drop
  }}
}}
"""


class Traffic(enum.Enum):
    ALL = "all"
    API = "api"


class Way(enum.Enum):
    BOTH = ("from", "to")
    FROM_HOST = ("from",)
    TO_HOST = ("to",)


class LabNetwork:
    def __init__(self, lab_id: str) -> None:
        self.namespace = f"bl-{lab_id}"
        self.path = _NAMESPACES / self.namespace

    def up(self) -> None:
        call("ip", "netns", "add", self.namespace)
        self._ip(
            # An address of its own: it would have its lowest port's, and another as soon as that host is switched off.
            f"link add {BRIDGE} address {_BRIDGE_MAC} type bridge forward_delay 0 stp_state 0",
            "link set lo up",
            f"addr add {SUBNET.format(1)} dev {BRIDGE}",
            f"addr add {SUBNET6.format(1)} dev {BRIDGE} nodad",
            f"link set {BRIDGE} up",
        )
        call("ip", "netns", "exec", self.namespace, "nft", "-f", "-", stdin=_RULES)

    def down(self) -> None:
        """Take it away with all hosts' namespaces; what is not there is no trouble."""
        for path in sorted(_NAMESPACES.glob(f"{self.namespace}*")):
            if path.name == self.namespace or path.name.startswith(f"{self.namespace}-"):
                with suppress(LabError):
                    call("ip", "netns", "del", path.name)

    # Hosts

    def host_namespace(self, host: str) -> str:
        return f"{self.namespace}-{host}"

    def plug_in(self, host: str) -> Path:
        """Make the host's namespace, without addresses, behind a port of the bridge. Cuts stay as they were."""
        namespace = self.host_namespace(host)
        call("ip", "netns", "add", namespace)
        self._ip(
            f"link add {_port(host)} type veth peer name {INTERFACE} netns {namespace}",
            f"link set {_port(host)} master {BRIDGE} up",
        )
        return _NAMESPACES / namespace

    def addresses(self, index: int) -> str:
        """What a host does to its port when it boots, as a batch for `ip`: these addresses and none from before."""
        lines = (
            "link set lo up",
            f"addr flush dev {INTERFACE} scope global",
            f"addr add {SUBNET.format(FIRST_HOST + index)} dev {INTERFACE}",
            f"addr add {SUBNET6.format(FIRST_HOST + index)} dev {INTERFACE} nodad",
            f"link set {INTERFACE} up",
        )
        return "\n".join(lines) + "\n"

    def unplug(self, host: str) -> None:
        """Power is gone: the port is dead and so is every address that the host held."""
        with suppress(LabError):
            self._ip(f"link del {_port(host)}")
        with suppress(LabError):
            call("ip", "netns", "del", self.host_namespace(host))

    def cut(self, host: str, traffic: Traffic = Traffic.ALL, way: Way = Way.BOTH) -> None:
        """Drop silently, connections that stand included; nobody is told (no RST, no carrier loss)."""
        self._nft(*(f"add element bridge lab {traffic.value}_{side} {{ {_port(host)} }}" for side in way.value))

    def heal(self, host: str) -> None:
        """Undo every cut of this host."""
        self._nft(
            *(
                f"{verb} element bridge lab {traffic.value}_{side} {{ {_port(host)} }}"
                for traffic in Traffic
                for side in Way.BOTH.value
                # A delete of what is not there fails, so add it first.
                for verb in ("add", "delete")
            )
        )

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Sockets that this thread makes meanwhile stand in the lab's network."""
        with entered(self.path):
            yield

    def _ip(self, *lines: str) -> None:
        _ip_batch(self.namespace, *lines)

    def _nft(self, *lines: str) -> None:
        call("ip", "netns", "exec", self.namespace, "nft", "-f", "-", stdin="\n".join(lines) + "\n")


def host_address(index: int) -> str:
    return SUBNET.format(FIRST_HOST + index).partition("/")[0]


def host_address6(index: int) -> str:
    return SUBNET6.format(FIRST_HOST + index).partition("/")[0]


@contextmanager
def entered(namespace: Path) -> Iterator[None]:
    """Put the present thread into a network namespace and back (Python 3.11 has no os.setns)."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open("rb") as before, namespace.open("rb") as there:
        _setns(libc, there.fileno())
        try:
            yield
        finally:
            _setns(libc, before.fileno())


def _setns(libc: ctypes.CDLL, namespace_fd: int) -> None:
    if libc.setns(namespace_fd, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _port(host: str) -> str:
    """The host's port at the bridge; an interface's name has 15 characters at most."""
    assert len(host) <= 13, f"a lab's host needs a name of at most 13 characters, not {host}"
    return f"p-{host}"


def _ip_batch(namespace: str, *lines: str) -> None:
    call("ip", "-n", namespace, "-batch", "-", stdin="\n".join(lines) + "\n")
