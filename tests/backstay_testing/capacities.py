"""Cases of the judge that counts capacity: what is asked of n1 in a world of n1 and n2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backstay_api.objects.models import HAService
from backstay_operator.planner.judge import capacity, scores
from backstay_operator.planner.judge.judges import Filter

from .builders import a_service
from .worlds import Befall, add_host, all_of, nothing, put


def needs(name: str = "web", **capacity: object) -> HAService:
    return a_service(name, placement={"capacity": capacity})


def offers(**offered: object) -> Befall:
    return lambda world: add_host(world, "n1", capacity=offered)


def at(host: str | None, service: HAService) -> Befall:
    return lambda world: put(world, service, epoch=1, host=host)


TWO: Final = needs(memory="2Gi")
FOUR: Final = all_of(offers(memory="4Gi"), at("n1", needs("a", memory="1Gi")), at("n1", needs("b", memory="2Gi")))
FILTER_CASES: Final[Mapping[Filter, list[tuple[Befall, dict[str, Any], str]]]] = {
    capacity.has_capacity: [
        (nothing, {}, ""),
        (offers(memory="2Gi"), {"service": TWO}, ""),
        (offers(memory="2047Mi"), {"service": TWO}, "has 2047Mi memory; 2Gi asked for"),
        (FOUR, {"service": TWO}, "has 4Gi memory, 3Gi taken by shop/a, shop/b; 2Gi asked for"),
        (FOUR, {"service": needs(memory="1Gi")}, ""),
        (nothing, {"service": TWO}, "offers no memory: 2Gi asked for"),
        (offers(memory="much"), {"service": TWO}, "offers no memory: much is no amount"),
        (offers(cpu=4), {"service": needs(cpu="4000m")}, ""),
        (all_of(offers(cpu=1), at(None, needs("a", cpu=1))), {"service": needs(cpu=1)}, ""),
        (
            all_of(offers(cpu=1), at(None, needs("a", cpu=1))),
            {"service": needs(cpu=1), "planned": {"n1": {"shop/a-0"}}},
            "has 1 cpu, 1 taken by shop/a; 1 asked for",
        ),
        (all_of(offers(cpu=1), at("n1", a_service("a"))), {"service": needs(cpu=1)}, ""),
        (all_of(offers(memory="1Gi"), at("n1", TWO)), {"service": TWO}, ""),
        (offers(cpu=1), {"service": needs(cpu=1), "planned": {"n1": {"shop/web-0"}}}, ""),
    ],
}
SCORE_CASES: Final[Mapping[Any, list[tuple[Befall, dict[str, Any], int]]]] = {
    scores.has_what_it_needs: [
        (offers(memory="2Gi"), {"service": TWO}, 1),
        (offers(memory="2047Mi"), {"service": TWO}, 0),
        (FOUR, {"service": TWO}, 0),
        (nothing, {"service": TWO}, 0),
    ],
}
