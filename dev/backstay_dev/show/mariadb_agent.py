"""Debian's MariaDB on the hosts of a lab, replicated, and run by its OCF agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backstay_dev.lab.hosts import LabHost
from backstay_dev.lab.shell import call
from backstay_dev.show.committing import Client, Written

ADDRESS: Final = "192.0.2.103"
_DATA: Final = "/var/lib/mysql"
# Its socket would start it for the first client.
_UNITS: Final = ("mariadb.socket", "mariadb.service")
# What docs/how-to/promote-one-copy.md shows.
_POSITION: Final = """\
#!/bin/sh
{ mariadb -NBe 'select @@gtid_current_pos'; mariadb -e 'show slave status\\G' | sed -n 's/ *Gtid_IO_Pos: //p'; } |
  sed 's/.*-//' | sort -n | tail -n 1
"""
_SETTINGS: Final = """\
[mysqld]
bind-address = *
server-id = {number}
log-bin = {data}/binlog
skip-name-resolve
"""
_SET_UP: Final = """\
create user replicator@'%' identified by 'not-a-secret';
grant all on *.* to replicator@'%';
create database shop;
create table shop.orders (n bigint primary key) engine=innodb;
set global gtid_slave_pos = @@gtid_binlog_pos;
"""
_LOGIN: Final = "mariadb -u replicator -pnot-a-secret --skip-ssl -N -B"
_COMMIT: Final = f"""[ "$({_LOGIN} -h {ADDRESS} -e "insert into shop.orders values ($1) returning n")" = "$1" ]"""


class MariadbByItsAgent(Written):
    """The service of examples/mariadb-ocf.yaml on the hosts of a lab that has the packages."""

    def __init__(self, hosts: Mapping[str, LabHost]) -> None:
        self._hosts = hosts

    def set_up(self) -> None:
        """What an administrator does once: one database, and a copy of it, with its position, on every other host."""
        names = "".join(f"{host.address} {name}\n" for name, host in self._hosts.items())
        for number, host in enumerate(self._hosts.values(), 1):
            host.run("systemctl", "disable", "--now", *_UNITS)
            host.write_file("/usr/local/bin/mariadb-position", _POSITION, 0o755)
            host.write_file("/etc/mysql/mariadb.conf.d/99-replicated.cnf", _SETTINGS.format(number=number, data=_DATA))
            host.run("tee", "-a", "/etc/hosts", stdin=names)
        first, *others = self._hosts.values()
        first.run("systemctl", "start", "mariadb.service")
        first.run("mariadb", stdin=_SET_UP)
        first.run("systemctl", "stop", "mariadb.service")
        for host in others:
            call("rm", "-rf", host.path(_DATA))
            call("cp", "-a", first.path(_DATA), host.path(_DATA))

    def begin_writing(self, client: str) -> None:
        """A client on this host commits row after row, through the address."""
        self._client = Client(self._hosts[client], _COMMIT)

    def rows(self, host: str) -> set[int]:
        """What one copy has."""
        return {int(row) for row in self._ask(host, "select n from shop.orders").split()}

    def follows(self, host: str) -> str:
        """Whom a copy follows, over a link that is up; itself, where it may be written to; empty: neither."""
        if self._ask(host, "select @@global.read_only") == "0":
            return host
        lines = [line.strip().partition(": ") for line in self._ask(host, "show slave status\\G").splitlines()]
        said = {name: value for name, _, value in lines}
        is_up = said.get("Slave_IO_Running") == said.get("Slave_SQL_Running") == "Yes"
        return said.get("Master_Host", "") if is_up else ""

    def _ask(self, host: str, statement: str) -> str:
        return self._hosts[host].run("mariadb", "-e", statement, check=False).partition("\n")[2].strip()
