"""Cases of the judges that ask about other services: what is asked of n1 in a world of n1 and n2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backstay_operator.planner.judge import affinity, scores
from backstay_operator.planner.judge.judges import Filter
from backstay_operator.planner.judge.scores import Scorer
from backstay_operator.planner.know.world import World

from .builders import a_service
from .worlds import Befall, add_host, all_of, nothing, put

WEB: Final = a_service()
MUTUALLY: Final = {"service": "db", "required": True, "mutual": True}
BY_RACK: Final = {"required": True, "topologyKey": "rack"}
APART: Final = a_service(placement={"apart": [{"service": "db", "required": True}]})
APART_BY_RACK: Final = a_service(placement={"apart": [{**BY_RACK, "services": {"matchLabels": {}}}]})
WITH: Final = a_service(placement={"together": [{"service": "db", "required": True}]})


def at(name: str | None, **spec: Any) -> Befall:
    """Another service runs there, or nowhere."""
    return lambda world: put(world, a_service("db", **spec), epoch=1, host=name)


def racks(world: World) -> None:
    for name in world.hosts:
        add_host(world, name, labels={"rack": "a"})


def mine(world: World) -> None:
    """It runs on n1 itself."""
    put(world, WEB, epoch=1, host="n1")


FILTER_CASES: Final[Mapping[Filter, list[tuple[Befall, dict[str, Any], str]]]] = {
    affinity.is_apart: [
        (nothing, {"service": APART}, ""),
        (at("n1"), {"service": APART}, "has what it must be apart from: shop/db"),
        (at("n2"), {"service": APART}, ""),
        (at(None), {"service": APART, "planned": {"n1": {"shop/db-0"}}}, "has what it must be apart from: shop/db"),
        (all_of(at("n1"), mine), {"service": APART}, "has what it must be apart from: shop/db"),
        (all_of(at("n1"), mine), {"service": APART, "planned": {"n2": {"shop/db-0"}}}, ""),
        (at("n1"), {"service": APART, "planned": {"n2": {"shop/db-0"}}}, "has what it must be apart from: shop/db"),
        (all_of(racks, at("n1")), {"service": APART_BY_RACK}, "has what it must be apart from: shop/db"),
        (
            all_of(racks, at("n2")),
            {"service": APART_BY_RACK},
            "has what it must be apart from: shop/db on n2, with the same rack",
        ),
        (at("n2"), {"service": APART_BY_RACK}, ""),
        (
            at("n1", placement={"apart": [{"service": "web", "required": True}]}),
            {},
            "has what it must be apart from: shop/db",
        ),
        (at("n1", placement={"apart": [{"service": "web", "required": True, "mutual": False}]}), {}, ""),
        (at("n1"), {"service": a_service(placement={"apart": [{"service": "db", "weight": 5}]})}, ""),
    ],
    affinity.is_together: [
        (at("n1"), {"service": WITH}, ""),
        (at("n2"), {"service": WITH}, "lacks what it must run together with: shop/db is on n2"),
        (at(None), {"service": WITH}, "lacks what it must run together with: shop/db runs nowhere"),
        (nothing, {"service": WITH}, "lacks what it must run together with: db runs nowhere"),
        (at(None), {"service": WITH, "planned": {"n1": {"shop/db-0"}}}, ""),
        (
            at("n1"),
            {"service": WITH, "planned": {"n2": {"shop/db-0"}}},
            "lacks what it must run together with: shop/db is on n2",
        ),
        (all_of(at(None), mine), {"service": WITH}, ""),
        (all_of(at("n2"), mine), {"service": WITH}, "lacks what it must run together with: shop/db is on n2"),
        (all_of(racks, at("n2")), {"service": a_service(placement={"together": [{**BY_RACK, "service": "db"}]})}, ""),
        (at("n2", placement={"together": [{"service": "web", "required": True}]}), {}, ""),
        (
            at("n2", placement={"together": [{"service": "web", "required": True, "mutual": True}]}),
            {},
            "lacks what it must run together with: shop/db is on n2",
        ),
        (at(None, placement={"together": [{"service": "web", "required": True, "mutual": True}]}), {}, ""),
    ],
    affinity.could_be_together: [
        (at("n2"), {"service": WITH}, "lacks what it must run together with: shop/db is on n2"),
        (all_of(at("n2"), lambda world: put(world, WEB, epoch=1, host="n2")), {"service": WITH}, ""),
    ],
}
WEIGHTS: Final[list[tuple[Befall, dict[str, Any], int]]] = [
    (at("n1"), {"service": a_service(placement={"together": [{"service": "db", "weight": 30}]})}, 30),
    (at("n2"), {"service": a_service(placement={"together": [{"service": "db", "weight": 30}]})}, 0),
    (at("n1"), {"service": a_service(placement={"apart": [{"service": "db", "weight": 30}]})}, -30),
    (at("n1", placement={"apart": [{"service": "web", "weight": 30}]}), {}, -30),
]
SCORE_CASES: Final[Mapping[Scorer, list[tuple[Befall, dict[str, Any], int]]]] = {
    scores.rules_kept: [
        (nothing, {"service": APART}, 0),
        (at("n1"), {"service": APART}, -1),
        (at("n2"), {"service": WITH}, -1),
        (at("n1"), {"service": WITH}, 0),
        (at("n2", placement={"together": [{"service": "web", "required": True}]}), {}, 0),
        (at("n2"), {"service": a_service(placement={"together": [MUTUALLY]})}, -1),
    ],
}
