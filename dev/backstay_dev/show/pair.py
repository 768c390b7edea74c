"""Debian's Redis on two hosts of a lab: one copy is promoted, the other follows it, and a client counts only what both have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backstay_dev.lab.hosts import LabHost
from backstay_dev.show.committing import Client, Written

UNIT: Final = "redis-server.service"
ADDRESS: Final = "192.0.2.100"
_ROLE: Final = "/usr/local/bin/redis-role"
# What docs/how-to/promote-one-copy.md shows.
_SCRIPT: Final = f"""\
#!/bin/sh
# Every copy starts as a replica of whoever has the address; one is told to be nobody's. A check says 0 (it is) or 7 (it is not).
case $1 in
  primary) redis-cli replicaof no one ;;
  replica) redis-cli replicaof {ADDRESS} 6379 || true ;;
  is-primary) redis-cli info replication | grep -q role:master || exit 7 ;;
  position) redis-cli info replication | sed -n 's/^master_repl_offset:\\([0-9]*\\).*/\\1/p' ;;
esac
"""
_SETTINGS: Final = f"""\
bind * -::*
protected-mode no
replicaof {ADDRESS} 6379
repl-diskless-sync-delay 0
appendonly yes
"""
# With `appendonly` a primary that is restarted in place has its data: without, it would be empty, and its replica with it.
# A write counts when the other copy has it too.
_COMMIT: Final = (
    f"""[ "$(printf 'set order:%s 1\\nwait 1 1000\\n' $1 | redis-cli -h {ADDRESS} | tr '\\n' ' ')" = "OK 1 " ]"""
)


class Pair(Written):
    """The service of examples/redis-promotable.yaml on the hosts of a lab that has the package."""

    def __init__(self, hosts: Mapping[str, LabHost]) -> None:
        self._hosts = hosts

    def set_up(self) -> None:
        """What an administrator does once on each host."""
        for host in self._hosts.values():
            host.run("systemctl", "disable", "--now", UNIT)
            host.write_file(_ROLE, _SCRIPT, 0o755)
            host.run("tee", "-a", "/etc/redis/redis.conf", stdin=_SETTINGS)

    def begin_writing(self, client: str) -> None:
        """A client on this host sets key after key, through the address; a key is committed when two copies have it."""
        self._client = Client(self._hosts[client], _COMMIT)

    def rows(self, host: str) -> set[int]:
        """What one copy has."""
        keys = self._hosts[host].run("redis-cli", "--raw", "keys", "order:*").split()
        return {int(key.removeprefix("order:")) for key in keys}

    def promoted(self) -> list[str]:
        """Hosts whose copy says that it is the primary, or that have the address."""
        return [name for name, host in self._hosts.items() if host.is_on and self._is_promoted(host)]

    def _is_promoted(self, host: LabHost) -> bool:
        said = host.run("redis-cli", "info", "replication", check=False)
        return "role:master" in said or f" {ADDRESS}/" in host.run("ip", "-o", "address")
