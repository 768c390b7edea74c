"""A service of `mode: Promotable` whose copies replicate, on the hosts of a lab, and what stories of databases ask of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

import yaml

from backstay_dev.lab.lab import Lab
from backstay_dev.lab.prerequisites import OCF_LAYER
from backstay_dev.show.committing import Commit
from backstay_dev.show.fault_lab import NAMESPACE, FaultLab

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
ROWS: Final = 10
LIMIT_S: Final = 120.0


class Database(Protocol):
    """What a client of a story writes to."""

    def set_up(self) -> None: ...
    def stop_writing(self) -> None: ...
    def committed(self) -> list[Commit]: ...


D = TypeVar("D", bound=Database)


@contextmanager
def lab_with_agents() -> Iterator[FaultLab]:
    """Three hosts that have Debian's OCF agents, and the product on them."""
    with Lab(3, progress=print, packages=OCF_LAYER) as lab:
        yield FaultLab.open(lab)


class Replicas(Generic[D]):
    """The service of this name."""

    def __init__(self, hosts: FaultLab, name: str, database: D) -> None:
        self.hosts, self.name, self.database = hosts, name, database

    def apply(self, example: str) -> None:
        self.hosts.apply(self.name, yaml.safe_load((EXAMPLES / example).read_text())["spec"])

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.hosts.product.get("haservices", self.name, NAMESPACE).get("status", {})
        return found

    @property
    def promoted_instance(self) -> str:
        return f"{self.name}-promoted"

    def move(self, to: str) -> None:
        self.hosts.backstay("move", self.name, "--instance", self.promoted_instance, "--to", to, "-n", NAMESPACE)

    def why(self) -> str:
        """What is told of it: where a story went another way."""
        events = self.hosts.lab.plane.kubectl("get", "events", "-n", NAMESPACE, "--sort-by=.lastTimestamp")
        return f"{self.hosts.backstay('explain', self.name, '-n', NAMESPACE)}\n{events}"

    def warnings(self) -> int:
        """How often something was wrong with it: on a machine that is busy enough a copy that works may fail its probe."""
        found = json.loads(self.hosts.lab.plane.kubectl("get", "events.events.k8s.io", "-n", NAMESPACE, "-o", "json"))
        return sum((one.get("series") or {}).get("count", 1) for one in found["items"] if one["type"] == "Warning")

    def until_promoted(self, is_well: Callable[[str], bool], seen: Callable[[], object], other_than: str = "") -> str:
        """The host that its status names, another one than that, once all is well with it there."""

        def done() -> bool:
            promoted = str(self.status.get("promoted") or "")
            return promoted not in ("", other_than) and is_well(promoted)

        words = "all copies follow the promoted one"
        self.hosts.until(done, words, also=lambda: (self.status, seen()), timeout_s=LIMIT_S)
        return str(self.status["promoted"])

    def some_more(self, when: str) -> None:
        """Until a client has committed some more rows."""
        enough = len(self.database.committed()) + ROWS
        self.hosts.until(lambda: len(self.database.committed()) >= enough, f"{ROWS} rows {when}", timeout_s=60)


def until_all_follow(replicas: Replicas[Any], but: str = "", other_than: str = "") -> str:
    """The host that its status names follows nobody, and every other copy follows it, `but` for one host's."""

    def whom() -> dict[str, str]:
        return {name: replicas.database.follows(name) for name in replicas.hosts.lab.hosts if name != but}

    return replicas.until_promoted(lambda promoted: {*whom().values()} == {promoted}, whom, other_than)


@contextmanager
def replicated(hosts: FaultLab, name: str, database: D) -> Iterator[Replicas[D]]:
    """Set up, and taken off again."""
    database.set_up()
    try:
        yield Replicas(hosts, name, database)
    finally:
        database.stop_writing()
        hosts.take_off(name)
