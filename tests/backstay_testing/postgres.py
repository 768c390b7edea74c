"""Debian's own PostgreSQL on the hosts of a lab, its data on a disk that all of them have: as packages leave it, moved by an admin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from backstay_dev.lab.hosts import LabHost, lab_cgroup
from backstay_dev.lab.shell import LabError
from backstay_dev.show.fault_lab import NAMESPACE, TRACES, FaultLab, Play

CLUSTER = "postgresql@15-main.service"
UMBRELLA = "postgresql.service"
DATA = "/shared/postgresql/15/main"
CONF = "/etc/postgresql/15/main/postgresql.conf"
LOG = "/var/log/postgresql/postgresql-15-main.log"
NOT_CLEAN = "database system was not properly shut down"
STOLEN = 'lock file "postmaster.pid"'


def put_data_on_the_shared_disk(fault_lab: FaultLab) -> None:
    """What whoever sets this up does on each host; everything else is as the package left it, enabled at boot."""
    first, *_ = hosts = list(fault_lab.lab.hosts.values())
    for host in hosts:
        # The umbrella alone comes back while the cluster is still being shut down.
        host.run("systemctl", "stop", UMBRELLA, CLUSTER)
        host.run("rm", "-f", LOG)
    first.run(
        "sh",
        "-c",
        f"rm -rf {DATA} && mkdir -p {DATA} && cp -a /var/lib/postgresql/15/main/. {DATA}"
        f" && chown -R postgres: /shared/postgresql && chmod 700 {DATA}",
    )
    for host in hosts:
        host.run("sed", "-i", f"s|^data_directory.*|data_directory = '{DATA}'|", CONF)
        assert host.run("systemctl", "is-enabled", UMBRELLA).strip() == "enabled", "as the package leaves it"


def watch(fault_lab: FaultLab) -> None:
    """Somebody who leaves traces for it, where the judge reads."""
    lab = fault_lab.lab
    target = lab.shared / TRACES.rpartition("/")[2] / "postgres.trace"
    lab.run_outside("postmasters", "backstay_dev.show.postmasters", [lab_cgroup(lab.id), DATA, target])


@dataclass
class Database:
    """One HAService with PostgreSQL in it, and what was written."""

    fault_lab: FaultLab
    unit: str
    name: str = "pg"
    rows: list[str] = field(default_factory=list)

    @property
    def play(self) -> Play:
        return Play(self.name, self.fault_lab, "192.0.2.90")

    @contextmanager
    def applied(self) -> Iterator[Database]:
        """Deleted when this ends."""
        resources = [
            {"name": "database", "systemd": {"unit": self.unit}},
            {"name": "address", "virtualIP": {"address": "192.0.2.90/24"}},
        ]
        self.fault_lab.apply(self.name, {"resources": resources})
        try:
            yield self
        finally:
            self.fault_lab.lab.tidy()
            self.fault_lab.take_off(self.name)

    def sql(self, host: str, text: str) -> list[str]:
        """Through the socket, as its own user."""
        line = ["runuser", "-u", "postgres", "--", "psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", text]
        return self.fault_lab.lab[host].run(*line).split()

    def until_answers(self, *, on: str = "", other_than: str = "", epoch: int = 0) -> str:
        """Wait until it is Ready there and answers SQL; the host."""

        def answers() -> bool:
            play = self.play
            host = play.host
            right = host and host in (on or host) and host != other_than and play.epoch >= epoch
            with suppress(LabError):
                return (
                    bool(right) and play.condition("Ready").startswith("True") and self.sql(host, "select 1") == ["1"]
                )
            return False

        self.fault_lab.until(
            answers, f"an answer of the database on {on or f'any host but {other_than}'}", also=self.words, timeout_s=60
        )
        return self.play.host

    def write(self, host: str, note: str) -> None:
        """A committed row."""
        self.sql(host, f"create table if not exists notes (note text); insert into notes values ('{note}')")
        self.rows.append(note)

    def has_everything(self, host: str) -> bool:
        return self.sql(host, "select note from notes order by note") == sorted(self.rows)

    def words(self) -> str:
        states = {name: is_active(host, CLUSTER) for name, host in self.fault_lab.lab.hosts.items() if host.is_on}
        return f"{self.play.condition('Ready')}; {CLUSTER} is {states}; {self.play.condition('StandbyReady')}"

    def log(self) -> str:
        """All hosts' logs of PostgreSQL, and what each said of its own lock."""
        return "\n".join(host.read_file(LOG) for host in self.fault_lab.lab.hosts.values() if host.path(LOG).exists())

    def is_refused_or_runs(self) -> bool:
        """Refused: with the name of the unit that does the work."""
        said = self.play.condition("Ready")
        return CLUSTER in said or said.startswith("True")


def is_active(host: LabHost, unit: str) -> str:
    return host.run("systemctl", "is-active", unit, check=False).strip()


__all__ = ["CLUSTER", "DATA", "LOG", "NAMESPACE", "NOT_CLEAN", "STOLEN", "UMBRELLA", "Database", "is_active"]
