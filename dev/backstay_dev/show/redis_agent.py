"""Debian's Redis on the hosts of a lab, run by its own OCF agent: whom a copy follows is what the agent makes of what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backstay_dev.lab.hosts import LabHost
from backstay_dev.show.committing import Client, Written

ADDRESS: Final = "192.0.2.101"
# What docs/how-to/promote-one-copy.md shows.
_POSITION: Final = """\
#!/bin/sh
redis-cli info replication | sed -n 's/^master_repl_offset:\\([0-9]*\\).*/\\1/p'
"""
_SETTINGS: Final = """\
bind * -::*
protected-mode no
repl-diskless-sync-delay 0
appendonly yes
"""
_COMMIT: Final = f"""[ "$(printf 'set order:%s 1\\nwait 1 1000\\n' $1 | redis-cli -h {ADDRESS} | tr '\\n' ' ' | cut -c -4)" = "OK 1" ]"""


class RedisByItsAgent(Written):
    """The service of examples/redis-ocf.yaml on the hosts of a lab that has the packages."""

    def __init__(self, hosts: Mapping[str, LabHost]) -> None:
        self._hosts = hosts

    def set_up(self) -> None:
        """What an administrator does once on each host: the agent names the others as they call themselves."""
        names = "".join(f"{host.address} {name}\n" for name, host in self._hosts.items())
        for host in self._hosts.values():
            host.run("systemctl", "disable", "--now", "redis-server.service")
            host.write_file("/usr/local/bin/redis-position", _POSITION, 0o755)
            host.run("tee", "-a", "/etc/redis/redis.conf", stdin=_SETTINGS)
            host.run("tee", "-a", "/etc/hosts", stdin=names)

    def begin_writing(self, client: str) -> None:
        """A client on this host sets key after key, through the address; a key is committed when another copy has it too."""
        self._client = Client(self._hosts[client], _COMMIT)

    def rows(self, host: str) -> set[int]:
        """What one copy has."""
        keys = self._hosts[host].run("redis-cli", "--raw", "keys", "order:*").split()
        return {int(key.removeprefix("order:")) for key in keys}

    def follows(self, host: str) -> str:
        """Whom a copy follows, over a link that is up; itself, where it is nobody's replica; empty: neither."""
        said = self._hosts[host].run("redis-cli", "info", "replication", check=False)
        told = dict(line.strip().split(":", 1) for line in said.splitlines() if ":" in line)
        if told.get("role") == "master":
            return host
        return told.get("master_host", "") if told.get("master_link_status") == "up" else ""
