"""Worlds of services of several copies, and what the filters that keep them apart say in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backstay_operator.planner.judge import judges
from backstay_operator.planner.judge.judges import Filter
from backstay_operator.planner.know.world import World

from .builders import a_service, an_instance, claims
from .worlds import Befall, all_of, nothing, report

PAIR: Final = a_service(mode="Replicated", replicas=2)
EVERYWHERE: Final = a_service(mode="EveryHost")


def copies(holders: Mapping[int, str]) -> Befall:
    """These copies of a pair are there, each held by a host or by none."""

    def befall(world: World) -> None:
        world.put_service(PAIR)
        for slot, holder in holders.items():
            world.put_instance(an_instance(PAIR, epoch=1, host=holder or None, slot=slot))

    return befall


def copy_of(name: str) -> Befall:
    def befall(world: World) -> None:
        known = an_instance(a_service())
        meta = known.metadata.model_copy(update={"name": f"web.{name}", "uid": f"uid-web.{name}"})
        world.put_instance(known.model_copy(update={"metadata": meta}))

    return befall


def ran_on_n1(world: World) -> None:
    """It was there in the epoch before, and has not said that it is over."""
    world.put_instance(an_instance(PAIR, epoch=2, host="n2"))
    report(world, PAIR, "n1", "Running", epoch=1)


def recorded(uid: str, epoch: int) -> Befall:
    """The claim on this host says so."""

    def befall(world: World) -> None:
        (claim,) = claims(PAIR, "n1", epoch=epoch)
        (owner,) = claim.spec.hosts or ()
        hosts = [owner.model_copy(update={"instance": uid})]
        world.claims[claim.key] = claim.model_copy(update={"spec": claim.spec.model_copy(update={"hosts": hosts})})

    return befall


def left_of_a_gone_one(world: World) -> None:
    report(world, PAIR, "n1", "Running", epoch=1, uid="uid-gone")


COPY_CASES: Final[Mapping[Filter, list[tuple[Befall, dict[str, Any], str]]]] = {
    judges.is_its_host: [
        (nothing, {}, ""),
        (copy_of("n1"), {"service": EVERYWHERE, "instance": "shop/web.n1"}, ""),
        (
            copy_of("n2"),
            {"service": EVERYWHERE, "instance": "shop/web.n2"},
            "has a copy of its own: this one is for n2",
        ),
    ],
    judges.has_no_other: [
        (nothing, {}, ""),
        (copies({0: "n1"}), {"service": PAIR}, ""),
        (copies({0: "n1", 1: ""}), {"service": PAIR, "instance": "shop/web-1"}, "has another copy of it, web-0"),
        (copies({0: "n2", 1: ""}), {"service": PAIR, "instance": "shop/web-1"}, ""),
        (
            all_of(copies({0: "n2", 1: ""}), ran_on_n1),
            {"service": PAIR, "instance": "shop/web-1"},
            "has another copy of it, web-0",
        ),
        (
            copies({0: "", 1: ""}),
            {"service": PAIR, "instance": "shop/web-1", "planned": {"n1": {"shop/web-0"}}},
            "has another copy of it, web-0",
        ),
        (copies({0: "", 1: ""}), {"service": PAIR, "instance": "shop/web-1", "planned": {"n1": {"shop/web-1"}}}, ""),
        (
            all_of(copies({0: "n2", 1: ""}), recorded("uid-web-0", 2)),
            {"service": PAIR, "instance": "shop/web-1"},
            "has another copy of it, web-0",
        ),
        (all_of(copies({0: "n2", 1: ""}), recorded("uid-web-0", 1)), {"service": PAIR, "instance": "shop/web-1"}, ""),
        (
            all_of(copies({1: ""}), recorded("uid-gone", 1), left_of_a_gone_one),
            {"service": PAIR, "instance": "shop/web-1"},
            "has another copy of it, an earlier copy",
        ),
        (all_of(copies({1: ""}), recorded("uid-gone", 1)), {"service": PAIR, "instance": "shop/web-1"}, ""),
    ],
}
