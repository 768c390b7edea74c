"""Debian's PostgreSQL on the hosts of a lab, replicated, and run by its OCF agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backstay_dev.lab.hosts import LabHost
from backstay_dev.show.committing import Client, Written

ADDRESS: Final = "192.0.2.102"
_ETC: Final = "/etc/postgresql/15/main"
_DATA: Final = "/var/lib/postgresql/15/main"
_LOCK: Final = "/var/lib/postgresql/accounts/PGSQL.lock"
_PSQL: Final = ("runuser", "-u", "postgres", "--", "psql", "-qAt", "-c")
# What docs/how-to/promote-one-copy.md shows.
_SETTINGS: Final = """\
listen_addresses = '*'
wal_keep_size = 64MB
"""
_RIGHTS: Final = """\
host replication replicator samenet trust
host all postgres samenet trust
"""
_COMMIT: Final = (
    f"""[ "$(psql -h {ADDRESS} -U postgres -qAt -c "insert into ledger values ($1) returning n")" = "$1" ]"""
)


class PostgresByItsAgent(Written):
    """The service of examples/postgresql-ocf.yaml on the hosts of a lab that has the packages."""

    def __init__(self, hosts: Mapping[str, LabHost]) -> None:
        self._hosts = hosts

    def set_up(self) -> None:
        """What an administrator does once: one database, and a copy of it on every other host."""
        first, *others = self._hosts.values()
        for host in self._hosts.values():
            host.run("systemctl", "disable", "--now", "postgresql.service")
            host.run("systemctl", "stop", "postgresql@15-main.service")
            host.run("tee", "-a", f"{_ETC}/postgresql.conf", stdin=_SETTINGS)
            host.run("tee", "-a", f"{_ETC}/pg_hba.conf", stdin=_RIGHTS)
        first.run("systemctl", "start", "postgresql@15-main.service")
        first.run(*_PSQL, "create role replicator replication login")
        first.run(*_PSQL, "create table ledger (n bigint primary key)")
        for host in others:
            self.copy(host, first.address)
        first.run("systemctl", "stop", "postgresql@15-main.service")

    def copy(self, host: LabHost, source: str = ADDRESS) -> None:
        """What is there goes: it is a copy of what runs at this address."""
        host.run("rm", "-rf", _DATA, _LOCK)
        host.run(
            *("runuser", "-u", "postgres", "--", "pg_basebackup", "-h", source, "-U", "replicator"),
            *("-D", _DATA, "-X", "stream", "-c", "fast"),
        )

    def begin_writing(self, client: str) -> None:
        """A client on this host commits row after row, through the address."""
        self._client = Client(self._hosts[client], _COMMIT)

    def rows(self, host: str) -> set[int]:
        """What one copy has."""
        return {int(row) for row in self._hosts[host].run(*_PSQL, "select n from ledger").split()}

    def replicas(self, host: str) -> dict[str, str]:
        """By name of who streams from this host: sync, potential or async."""
        said = self._hosts[host].run(
            *_PSQL, "select application_name, sync_state from pg_stat_replication", check=False
        )
        return dict(line.split("|") for line in said.splitlines() if "|" in line)
