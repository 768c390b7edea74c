"""Cases of the judge that asks whether a host's agent knows all that a service is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backstay_operator.planner.judge import agents
from backstay_operator.planner.judge.judges import Filter
from backstay_operator.planner.know.world import World

from .builders import a_service, unit
from .worlds import Befall, add_host, all_of, know_only, nothing, put

WEB: Final = a_service()
NEEDS: Final = a_service("web", {"name": "conf", "file": {"path": "/etc/web.conf"}}, unit())
ASKED: Final = a_service("web", {**unit(), "probes": [{"name": "p", "grpc": {"port": 1}}]})
UNKNOWN: Final = "`probe.grpc`, `systemd`"


def knows(*features: str) -> Befall:
    """Its agent lists what it knows."""
    return lambda world: know_only(world, "n1", *features)


def upgraded(world: World) -> None:
    """Its agent has been upgraded."""
    know_only(world, "n1", "file", "systemd", version="0.2.0")


def granted(world: World) -> None:
    put(world, WEB, epoch=1, host="n1")


def beside_an_older_one(world: World) -> None:
    """Another host's agent knows less."""
    add_host(world, "n1")
    add_host(world, "n2")
    know_only(world, "n2", "ocf")


FILTER_CASES: Final[Mapping[Filter, list[tuple[Befall, dict[str, Any], str]]]] = {
    agents.is_understood: [
        (nothing, {}, ""),
        (knows("systemd"), {}, ""),
        (knows("systemd"), {"service": NEEDS}, "has agent 0.0.9, which does not know `file`: upgrade that agent"),
        (knows("file"), {"service": ASKED}, f"has agent 0.0.9, which does not know {UNKNOWN}: upgrade that agent"),
        (knows("file", "systemd", "probe.grpc"), {"service": ASKED}, ""),
        (all_of(knows("systemd"), upgraded), {"service": NEEDS}, ""),
        (all_of(granted, knows("ocf")), {}, ""),
        (beside_an_older_one, {}, ""),
    ],
}
