"""Debian's PostgreSQL on a disk that all hosts of a lab reach, and a client that keeps account of every row whose commit was answered.

The lab's "power loss" ends every process of a machine at once, but what the machine had written and not yet synced is in the kernel that
all of them share, and is kept: what is shown is that the takeover loses nothing and opens the data once, not that the disk keeps its word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backstay_dev.lab.disks import give
from backstay_dev.lab.hosts import LabHost
from backstay_dev.show.committing import Client, Written

CLUSTER: Final = "postgresql@15-main.service"
ADDRESS: Final = "192.0.2.100"
PLACE: Final = "/srv/postgresql"
_DATA: Final = f"{PLACE}/15/main"
_CONF: Final = "/etc/postgresql/15/main"
_PSQL: Final = "/usr/lib/postgresql/15/bin/psql -U postgres -qAtX -v ON_ERROR_STOP=1"


class SharedDatabase(Written):
    """The database of examples/postgresql-shared-disk.yaml on the hosts of a lab that has the package."""

    def __init__(self, hosts: Mapping[str, LabHost], device: str) -> None:
        self._hosts, self._device = hosts, device

    def set_up(self) -> None:
        """What an administrator does once: the disk is given to all, the package's cluster lies on it, its address may connect."""
        for host in self._hosts.values():
            host.run("systemctl", "stop", "postgresql.service", CLUSTER)
            self.give(host)
            host.run("sed", "-i", f"s|^data_directory.*|data_directory = '{_DATA}'|", f"{_CONF}/postgresql.conf")
            host.run("sh", "-c", f"echo \"listen_addresses = '*'\" >>{_CONF}/postgresql.conf")
            host.run("sh", "-c", f"echo 'host all all 192.0.2.0/24 trust' >>{_CONF}/pg_hba.conf")
        first = next(iter(self._hosts.values()))
        first.run(
            *("sh", "-ec"),
            f"mkdir -p {PLACE}; mount {self._device} {PLACE}; cp -a /var/lib/postgresql/15 {PLACE}; umount {PLACE}",
        )

    def give(self, host: LabHost) -> None:
        """The disk is there for this host; again after it was switched off."""
        give(host, self._device)

    def sql(self, host: str, text: str) -> list[str]:
        """Through the socket on the host itself."""
        return self._hosts[host].run("sh", "-c", f'runuser -u postgres -- {_PSQL} -c "{text}"').split()

    def begin_writing(self, client: str, holder: str) -> None:
        """A client on another host commits row after row, through the address."""
        self.sql(holder, "create table orders (n bigint primary key)")
        insert = f'{_PSQL} -h {ADDRESS} -c "insert into orders values ($1)"'
        self._client = Client(self._hosts[client], insert)

    def rows(self, host: str) -> set[int]:
        """What is in the table."""
        return {int(row) for row in self.sql(host, "select n from orders")}

    def runs_on(self, name: str) -> bool:
        """Whether the database is active there, or its disk mounted."""
        host = self._hosts[name]
        is_active = host.run("systemctl", "is-active", CLUSTER, check=False).strip() == "active"
        return is_active or PLACE in [line.split()[1] for line in host.run("cat", "/proc/mounts").splitlines()]
