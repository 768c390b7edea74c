"""`make demo`: the main job, shown on real machines, step by step with measured times. Exit code 0 only if every promise held.

A real kube-apiserver, three real systemd machines with a power button and a BMC each, our chart, and the processes with exactly the chart's
identities. A client polls the service through its address every 10 ms from the first step to the last.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from backstay_api.objects.names import instance_name, promoted_name
from backstay_cli.session import NOT_WELL
from backstay_dev.lab.disks import loop_device
from backstay_dev.lab.lab import Lab
from backstay_dev.lab.prerequisites import LAYER
from backstay_dev.lab.services import WEB_CONFIG, configure_web, install_web
from backstay_dev.lab.shell import REPOSITORY, LabError
from backstay_dev.show.committing import Commit, Written
from backstay_dev.show.database import SharedDatabase
from backstay_dev.show.pair import Pair
from backstay_dev.show.promises import Ledger
from backstay_dev.show.scene import ADDRESS, Scene

MANIFEST: Final = REPOSITORY / "examples" / "web.yaml"
WITH_CONFIG: Final = REPOSITORY / "examples" / "web-config.yaml"
DATABASE: Final = REPOSITORY / "examples" / "postgresql-shared-disk.yaml"
PAIR: Final = REPOSITORY / "examples" / "redis-promotable.yaml"
OUTAGE_S: Final = 20.0
SEEN_WITHIN_S: Final = 25.0
"""Hosts look every 10 s, and two of them then find the line within seconds."""
ROWS: Final = 50
"""So many are committed before the power fails, and after it."""


class Demo(Scene):
    """All steps: one lab, one product, one client, one ledger."""

    def run(self) -> None:
        """All steps, in order."""
        self.install()
        with self.client.polling():
            self.apply()
            self.kill_process()
            self.edit_config()
            self.lose_power()
            self.return_of_the_first()
            self.drain()
            self.outage()
            self.delete()
        with loop_device(self.lab.state / "shared-disk.img", mib=256) as device:
            database = SharedDatabase(self.lab.hosts, device)
            self.apply_database(database)
            self.lose_power_of_database(database)
        pair = Pair(self.lab.hosts)
        self.apply_pair(pair)
        self.lose_power_of_primary(pair)

    # The steps

    def install(self) -> None:
        with self.ledger.step("helm install, three hosts enrolled"):
            self.ledger.say("helm install backstay charts/backstay; backstay host add n1 n2 n3")
            self.product.install()
            self.product.enrol()
            for host in self.lab.hosts.values():
                install_web(host)
                configure_web(host)
            self.ledger.say("operator, fencer and agents start, each with exactly the identity the chart gives it")
            begun_s = time.monotonic()
            self.product.start()
            self.product.wait_ready()
            self.ledger.check(
                "every host is Ready and can be fenced", f"{time.monotonic() - begun_s:.1f} s", self._all_fenceable()
            )
            self._show("get", "hosts")

    def apply(self) -> None:
        with self.ledger.step("kubectl apply of a web server and its address"):
            applied_s = time.monotonic()
            self._kubectl("apply", "-f", str(MANIFEST))
            answer = self.client.first_answer_after(applied_s, timeout_s=15)
            took = (
                "nobody answered"
                if answer is None
                else f"{answer.text.strip()} answers after {answer.answered_s - applied_s:.2f} s"
            )
            self.ledger.check(f"a client that asks {ADDRESS} every 10 ms is answered", took, answer is not None)
            self.ledger.expect("kubectl says Running, and where", self._running_on, within_s=5)
            self._show("get", "hasvc")

    def kill_process(self) -> None:
        with self.ledger.step("the service's main process is killed"):
            host, killed_s = self._holder(), time.monotonic()
            self.lab[host].run("systemctl", "kill", "--kill-who=main", "--signal=KILL", "web.service")
            gap = self._gap_after(killed_s, by=host)
            self.ledger.check(
                "restarted in place, within 0.5 s",
                f"{gap:.3f} s without an answer",
                gap <= 0.5 and self._holder() == host,
            )

    def edit_config(self) -> None:
        with self.ledger.step("its configuration is edited on one host that could take over"):
            begun_s, holder = time.monotonic(), self._holder()
            self._kubectl("apply", "-f", str(WITH_CONFIG))
            other = next(name for name in self.lab.hosts if name != holder)
            self.ledger.expect(
                f"{other} has {WEB_CONFIG} as {holder}, and could take over",
                lambda: self._could_take_over(other),
                within_s=SEEN_WITHIN_S,
            )
            self.ledger.say(f"somebody edits line 3 of {WEB_CONFIG} on {other}")
            configure_web(self.lab[other], missing_page="gone.html")
            where = f"{WEB_CONFIG} line 3 (E404) is not as on {holder}"
            self.ledger.expect(
                "seen, with file and line; it is not chosen any more",
                lambda: self._kept_out(other, where),
                within_s=SEEN_WITHIN_S,
            )
            self.ledger.say("backstay copies web")
            self._backstay("copies", "web", exits=NOT_WELL)
            configure_web(self.lab[other])
            self.ledger.expect(
                "as it was: it could take over again", lambda: self._could_take_over(other), within_s=SEEN_WITHIN_S
            )
            gap_s = self.client.longest_gap(begun_s).length_s
            self.ledger.check("the client notices nothing", f"longest gap {gap_s:.3f} s", gap_s <= 0.3)

    def lose_power(self) -> None:
        with self.ledger.step("its host loses power"):
            self.first = self._holder()
            lost_s = time.monotonic()
            self.lab[self.first].power_off()
            answer = self.client.first_answer_after(lost_s + 0.05, timeout_s=30)
            took_s = (answer.answered_s - lost_s) if answer else 30.0
            where = answer.text.strip() if answer else "nobody"
            self.ledger.check(
                "the same address answers from another host, within 5 s", f"{where} after {took_s:.2f} s", took_s <= 5
            )
            self.ledger.expect(
                "and only after the BMC had read the first one off, twice", self._device_evidence, within_s=5
            )
            self._show("get", "hasvc,fence,hosts")

    def return_of_the_first(self) -> None:
        with self.ledger.step("the first host returns"):
            now, begun_s = self._holder(), time.monotonic()
            self.lab[self.first].power_on()
            self.ledger.expect(f"{self.first} is Ready again", lambda: self._host_is_ready(self.first), within_s=30)
            time.sleep(2.0)  # time in which a wrong failback would be seen: there is no event to wait for
            self.ledger.check(
                "nothing moves back (failback: Never)", f"still on {self._holder()}", self._holder() == now
            )
            gap_s = self.client.longest_gap(begun_s).length_s
            self.ledger.check("the client notices nothing", f"longest gap {gap_s:.3f} s", gap_s <= 0.3)
            self._check_runs_once()

    def drain(self) -> None:
        with self.ledger.step("backstay drain of the host it runs on"):
            host, begun_s = self._holder(), time.monotonic()
            self.ledger.say(f"backstay drain {host} --wait")
            self._backstay("drain", host, "--wait", "--reason", "new disks")
            self.ledger.expect("it runs elsewhere", lambda: self._running_on(other_than=host), within_s=15)
            gap_s = self.client.longest_gap(begun_s).length_s
            self.ledger.check(
                "a planned move costs the client less than 1 s", f"longest gap {gap_s:.3f} s", gap_s <= 1.0
            )
            self._backstay("undrain", host)

    def outage(self) -> None:
        with self.ledger.step(f"API server and operator are killed for {OUTAGE_S:.0f} s"):
            begun_s = time.monotonic()
            self.lab.plane.kill_apiserver()
            self.product.operators["operator"].kill()
            self._wait(OUTAGE_S)
            self.lab.plane.start_apiserver()
            self.product.start_operator()
            self.product.wait_ready(timeout_s=60)
            gap_s = self.client.longest_gap(begun_s).length_s
            self.ledger.check("the client sees nothing", f"longest gap {gap_s:.3f} s", gap_s <= 0.3)
            self.ledger.expect("afterwards everything is as it was", self._running_on, within_s=15)

    def delete(self) -> None:
        with self.ledger.step("kubectl delete"):
            self._kubectl("delete", "-f", str(MANIFEST), "--wait=true", "--timeout=30s")
            self.client.stop()
            left = [name for name in self.lab.hosts if self._runs_on(name)]
            self.ledger.check("everything is stopped, the address is gone", f"left on: {left or 'no host'}", not left)
            # Each host gives the unit back by itself, when it has learned that nobody wants it any more.
            self.ledger.expect("the unit is its admin's again on every host", self._given_back, within_s=5)
            objects = self._kubectl("get", "hasvc,hai,resourceclaims.backstay.dev", "-A", "-o", "name").split()
            self.ledger.check("no object of it is left either", f"{objects or 'none'}", not objects)

    def apply_database(self, database: SharedDatabase) -> None:
        with self.ledger.step("a PostgreSQL whose data lies on a disk that every host reaches"):
            database.set_up()
            self._kubectl("apply", "-f", str(DATABASE))
            self.ledger.expect("kubectl says Running, and where", lambda: self._running_on("db"), within_s=20)
            holder = self._holder("db")
            client = next(name for name in self.lab.hosts if name != holder)
            database.begin_writing(client, holder)
            self.ledger.say(
                f"a client on {client} commits row after row, and keeps account of those that were answered"
            )
            self.ledger.expect(f"{ROWS} rows are committed", lambda: _told(database.committed()), within_s=20)

    def lose_power_of_database(self, database: SharedDatabase) -> None:
        with self.ledger.step("its host loses power while rows are being committed"):
            lost_on, lost_s = self._holder("db"), time.time()
            self.lab[lost_on].power_off()
            self.ledger.expect(
                "the database is back on another host, and commits",
                lambda: _told([commit for commit in database.committed() if commit.at_s > lost_s + 0.05]),
                within_s=40,
            )
            self._nothing_is_lost("no committed row is lost", database, self._holder("db"))
            self.ledger.expect(
                "opened again only after the BMC had read the first host off, twice",
                lambda: self._device_evidence(instance_name("db")),
                within_s=5,
            )
            self._kubectl("delete", "-f", str(DATABASE), "--wait=true", "--timeout=30s")
            left = [name for name, host in self.lab.hosts.items() if host.is_on and database.runs_on(name)]
            self.ledger.check("deleted: stopped and unmounted everywhere", f"left on: {left or 'no host'}", not left)

    def _nothing_is_lost(self, promise: str, written: Written, host: str) -> None:
        written.stop_writing()
        commits = written.committed()
        lost = {commit.row for commit in commits} - written.rows(host)
        gap_s = max((after.at_s - before.at_s for before, after in pairwise(commits)), default=0.0)
        said = f"{len(lost)} of {len(commits)} are; the longest gap between two commits was {gap_s:.2f} s"
        self.ledger.check(promise, said, not lost)

    def apply_pair(self, pair: Pair) -> None:
        with self.ledger.step("a Redis of two copies, one of which is promoted and has the address"):
            self._return_all()
            pair.set_up()
            self._kubectl("apply", "-f", str(PAIR))
            self.ledger.expect("kubectl says which copy is promoted", self._promoted_on, within_s=20)
            (primary,) = pair.promoted()
            client = next(name for name in self.lab.hosts if name not in self._holder("cart"))
            pair.begin_writing(client)
            self.ledger.say(f"a client on {client} counts a write when both copies have it; {primary} is the primary")
            self.ledger.expect(f"{ROWS} writes are on both copies", lambda: _told(pair.committed()), within_s=20)
            self._show("get", "hasvc", "-o", "wide")

    def lose_power_of_primary(self, pair: Pair) -> None:
        with self.ledger.step("the promoted copy's host loses power while it is written to"):
            (primary,), lost_s = pair.promoted(), time.time()
            self.lab[primary].power_off()
            self.ledger.expect(
                "the other copy is promoted, a third host has a new one",
                lambda: self._promoted_on(other_than=primary),
                within_s=30,
            )
            self.ledger.expect(
                "writes are on two copies again",
                lambda: _told([commit for commit in pair.committed() if commit.at_s > lost_s + 0.05]),
                within_s=30,
            )
            (primary,) = pair.promoted()
            self._nothing_is_lost("no write that both copies had is lost", pair, primary)
            self.ledger.expect(
                "promoted only after the BMC had read the first host off, twice",
                lambda: self._device_evidence(promoted_name("cart")),
                within_s=5,
            )
            self._kubectl("delete", "-f", str(PAIR), "--wait=true", "--timeout=30s")


def main(argv: list[str] | None = None) -> int:
    """Show everything; 0 only if every promise held, 130 after Ctrl-C."""
    options = _parser().parse_args(argv)
    ledger = Ledger()
    begun_s = time.monotonic()
    with _interruptible():
        try:
            with Lab(hosts=3, progress=ledger.say, packages=LAYER) as lab:
                try:
                    Demo(lab, ledger).run()
                except LabError as error:
                    ledger.check("the show goes on", str(error), False)
                    if options.keep_logs:
                        _keep_logs(lab, options.keep_logs)
        except LabError as error:
            print(f"demo: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("\ndemo: interrupted; everything was cleaned up", file=sys.stderr)
            return 130
    ledger.summary()
    ledger.say(f"in {time.monotonic() - begun_s:.0f} s; nothing is left behind")
    if options.output:
        options.output.write_text(json.dumps([vars(kept) for kept in ledger.kept], indent=2) + "\n")
    return 0 if ledger.all_held else 1


def _told(commits: list[Commit]) -> str | None:
    """How many there are, once there are enough to go on with."""
    return f"{len(commits)}" if len(commits) >= ROWS else None


@contextmanager
def _interruptible() -> Iterator[None]:
    """A SIGTERM cleans up like a Ctrl-C."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _keep_logs(lab: Lab, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for log in lab.state.glob("*.log"):
        (folder / log.name).write_bytes(log.read_bytes())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make demo", description="Shows every promise being kept, on real machines.")
    parser.add_argument("--output", type=Path, help="also write the table as JSON to this file")
    parser.add_argument("--keep-logs", type=Path, help="if it fails, copy the processes' logs to this folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())
