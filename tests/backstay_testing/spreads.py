"""Cases of the judges that count copies by a label: what is asked of n1 in a world of n1 and n2, of which n1 is in rack a and n2 in rack b."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAService
from backstay_operator.planner.judge import scores, spread
from backstay_operator.planner.judge.judges import Filter
from backstay_operator.planner.judge.scores import Scorer
from backstay_operator.planner.know.world import World

from .builders import a_service, an_instance
from .worlds import Befall, add_host, all_of, put

BY_RACK: Final[Raw] = {"topologyKey": "rack", "maxSkew": 1}
ANYWAY: Final[Raw] = {**BY_RACK, "whenUnsatisfiable": "ScheduleAnyway"}


def spreading(*rules: Raw, **placement: Any) -> HAService:
    return a_service(mode="Replicated", replicas=4, placement={"spread": list(rules), **placement})


def racks(**of: str) -> Befall:
    """Each host, and the rack that it is in; without one, it has no such label."""

    def befall(world: World) -> None:
        for name, rack in of.items():
            add_host(world, name, labels={"rack": rack} if rack else {})

    return befall


def copies(*hosts: str | None) -> Befall:
    """Other copies than the first, and where each is held."""

    def befall(world: World) -> None:
        for number, host in enumerate(hosts, start=1):
            world.put_instance(an_instance(spreading(BY_RACK), epoch=1, host=host, slot=number))

    return befall


def mine(host: str) -> Befall:
    return lambda world: put(world, spreading(BY_RACK), epoch=1, host=host)


TWO: Final = racks(n1="a", n2="b")
THREE: Final = racks(n1="a", n2="b", n3="a")
ASKS: Final = {"service": spreading(BY_RACK)}
TOO_MANY: Final = (
    "would have too many of its copies: 2 with rack=a, 0 with rack=b, and spec.placement.spread[0].maxSkew is 1"
)
NO_LABEL: Final = "has no label rack: spec.placement.spread[0] spreads its copies over that"
OF_RACK_A: Final = {"hosts": {"matchLabels": {"rack": "a"}}}
FILTER_CASES: Final[Mapping[Filter, list[tuple[Befall, dict[str, Any], str]]]] = {
    spread.is_spread: [
        (TWO, ASKS, ""),
        (all_of(THREE, copies("n3")), {"service": a_service()}, ""),
        (all_of(THREE, copies("n3")), ASKS, TOO_MANY),
        (all_of(THREE, copies("n3", "n2")), ASKS, ""),
        (all_of(THREE, copies("n3")), {"service": spreading({**BY_RACK, "maxSkew": 2})}, ""),
        (all_of(THREE, copies("n3")), {"service": spreading(ANYWAY)}, ""),
        (
            all_of(THREE, copies("n3")),
            {"service": spreading(ANYWAY, BY_RACK)},
            TOO_MANY.replace("spread[0]", "spread[1]"),
        ),
        (all_of(THREE, copies(None)), {**ASKS, "planned": {"n3": {"shop/web-1"}}}, TOO_MANY),
        (all_of(THREE, copies("n3")), {**ASKS, "planned": {"n2": {"shop/web-1"}}}, ""),
        (all_of(THREE, copies("n2")), {**ASKS, "planned": {"n3": {"shop/web-1"}}}, TOO_MANY),
        (all_of(THREE, mine("n3")), ASKS, ""),
        # A domain is what the service selects, and a rack of which every host is off is one all the same.
        (all_of(THREE, copies("n3")), {"service": spreading(BY_RACK, **OF_RACK_A)}, ""),
        (all_of(THREE, lambda world: world.leases.pop("n2"), copies("n3")), ASKS, TOO_MANY),
        (all_of(racks(n1="a", n2="", n3="a"), copies("n2")), ASKS, ""),
        (racks(n1="", n2="b"), ASKS, NO_LABEL),
        (racks(n1="", n2=""), ASKS, NO_LABEL),
        (racks(n1="", n2="b"), {"service": spreading(ANYWAY)}, ""),
    ],
}
SCORE_CASES: Final[Mapping[Scorer, list[tuple[Befall, dict[str, Any], int]]]] = {
    scores.evenness: [
        (all_of(THREE, copies("n3")), {"service": a_service()}, 0),
        (all_of(THREE, copies("n3")), {"service": spreading(ANYWAY)}, -1),
        (all_of(THREE, copies("n3", "n3")), {"service": spreading(ANYWAY)}, -2),
        (all_of(THREE, copies("n3", "n3")), {"service": spreading({**ANYWAY, "maxSkew": 2})}, -1),
        (all_of(THREE, copies("n3", "n2")), {"service": spreading(ANYWAY)}, 0),
        (all_of(racks(n1="", n2="b", n3="b"), copies("n2", "n3")), {"service": spreading(ANYWAY)}, -3),
    ],
}
