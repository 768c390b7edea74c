"""What a seed draws: the shape of its world, and a swarm of faults. Some profiles aim at one kind of trouble."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from . import dependencies, drift, modes, recoveries, sites
from .faults import FAULTS, FaultRates
from .network import Rates
from .shapes import Devices, HostShape, Names, ServiceShape, Shape


@dataclass(frozen=True)
class Drawn:
    """One seed's draw."""

    shape: Shape
    fault_rates: FaultRates


Draw = Callable[[random.Random], Drawn]
_CALM: Final = Rates()
_FIRST_FAULTS: Final = list(FAULTS)[:29]


def swarm(rng: random.Random) -> Drawn:
    """Any subset of all faults, at any rate."""
    fault_rates = _some_of(rng, list(FAULTS))
    return Drawn(_shape(rng), fault_rates)


def first_swarm(rng: random.Random) -> Drawn:
    """The first swarm: fewer faults, and every host alike. Kept for the seeds that failed in it."""
    fault_rates = _some_of(rng, _FIRST_FAULTS)
    hosts = rng.choice([2, 3, 3, 4])
    starts_s, stops_s = rng.choice([0.05, 0.5, 2.0]), rng.choice([0.05, 1.0])
    services = [ServiceShape("web", addresses=("192.0.2.10",), start_takes_s=starts_s, stop_takes_s=stops_s)]
    if rng.random() < 0.5:
        services.append(ServiceShape("db", failback=rng.choice(["Never", "Always"])))
    if rng.random() < 0.4:
        services.append(ServiceShape("log", is_exclusive=False))
    operators, profile = rng.choice([1, 2]), rng.choice(["lab", "fast", "fast"])
    devices: list[Devices] = ["board" if rng.random() < 0.85 else "none" for _ in range(hosts)]
    shape = Shape(
        hosts=tuple(HostShape(profile, each) for each in devices),
        operators=operators,
        services=tuple(services),
        budget=rng.choice([3, 20]),
    )
    return Drawn(shape, fault_rates)


def _some_of(rng: random.Random, faults: Sequence[str]) -> FaultRates:
    chosen = rng.sample(faults, rng.randint(3, 10))
    return FaultRates(
        weights={name: 2 ** rng.uniform(-2, 2) for name in chosen},
        every_s=rng.choice([1.0, 3.0, 8.0]),
        lasts_s=rng.uniform(30, 90),
        rates=_rates(rng),
    )


def _shape(rng: random.Random) -> Shape:
    hosts = rng.choice([2, 3, 3, 3, 4, 4, 6])
    web = ServiceShape(
        "web",
        addresses=("192.0.2.10", "192.0.2.11")[: rng.choice([1, 1, 2])],
        start_takes_s=rng.choice([0.05, 0.5, 2.0]),
        stop_takes_s=rng.choice([0.05, 1.0]),
        selects=rng.random() < 0.2,
    )
    services = [web]
    if rng.random() < 0.5:
        failback, is_part = rng.choice(["Never", "Always"]), rng.random() < 0.3
        services.append(ServiceShape("db", failback=failback, is_part=is_part, selects=rng.random() < 0.2))
    if rng.random() < 0.4:
        services.append(ServiceShape("log", is_exclusive=False))
    profile = rng.choice(["lab", "fast", "fast"])
    is_mixed = rng.random() < 0.2
    return Shape(
        hosts=tuple(_host(rng, rng.choice(["lab", "fast", "default"]) if is_mixed else profile) for _ in range(hosts)),
        operators=rng.choice([1, 2, 2, 3]),
        services=tuple(services),
        fencers=rng.choice([1, 1, 1, 2]),
        budget=rng.choice([3, 20]),
        is_packaged=rng.random() < 0.5,
        stays_dark=rng.random() < 0.4,
        think_s=rng.choice([0.0, 0.01, 0.05]),
    )


def _host(rng: random.Random, profile: str) -> HostShape:
    devices: Sequence[Devices] = ("none", "board", "board", "board", "outlets", "levels")
    odd: Sequence[Names] = ("nothing", "drilled", "neighbour", "twin")
    names = rng.choice(odd) if rng.random() < 0.3 else "itself"
    return HostShape(profile, rng.choice(devices), names, "StayOff" if rng.random() < 0.2 else "On")


def _rates(rng: random.Random) -> Rates:
    def maybe(most: float) -> float:
        return most * rng.random() ** 2 if rng.random() < 0.4 else 0.0

    return Rates(
        lost=maybe(0.1),
        answer_lost=maybe(0.1),
        slow=maybe(0.2),
        late_write=maybe(0.05),
        late_s=rng.choice([5.0, 60.0]),
        refused=maybe(0.1),
        stale_read=maybe(0.3),
        stale_s=rng.choice([2.0, 30.0]),
        slow_event=maybe(0.2),
        broken_watch=maybe(0.02),
        slow_s=rng.choice([0.3, 3.0]),
    )


def _aimed(
    faults: Sequence[str],
    *,
    operators: int = 2,
    rates: Rates = _CALM,
    every_s: float = 2.0,
    lasts_s: float = 60.0,
    packaged: bool = False,
    fencers: int = 1,
) -> Draw:
    """The same small world each time, and only these faults."""

    def draw(rng: random.Random) -> Drawn:
        shape = Shape(
            hosts=(HostShape(),) * rng.choice([2, 3]),
            operators=operators,
            services=(ServiceShape("web", addresses=("192.0.2.10",)),),
            read_gap=rng.choice(["0s", "1s"]),
            is_packaged=packaged,
            fencers=fencers,
            has_fencer_lease=fencers > 1,
        )
        return Drawn(shape, FaultRates(dict.fromkeys(faults, 1.0), every_s, lasts_s, rates))

    return draw


def draw(profile: str, seed: int, rng: random.Random) -> Drawn:
    """What this seed draws. What is said about recovery comes from a generator of its own, and in the swarm not always."""
    drawn, apart = PROFILES[profile](rng), random.Random(f"recovery {seed}")
    if profile == "recovery" or (profile in ("swarm", "third-swarm") and apart.random() < recoveries.CHANCE):
        drawn = _with(drawn, recoveries.shape_with(drawn.shape, apart), recoveries.faults(apart))
    stuck = random.Random(f"stuck stops {seed}")
    if profile == "stuck-stops" or (profile == "swarm" and stuck.random() < recoveries.STUCK_CHANCE):
        weights = {name: 2 ** stuck.uniform(-1, 2) for name in recoveries.STUCK_FAULTS}
        drawn = _with(drawn, recoveries.shape_with_fences(drawn.shape, stuck), weights)
    site = random.Random(f"site {seed}")
    if profile == "swarm" and site.random() < sites.CHANCE:
        drawn = _with(drawn, drawn.shape, {name: 2 ** site.uniform(-1, 1) for name in sites.FAULTS})
    if profile == "modes":
        drawn = replace(drawn, shape=modes.shape_with(drawn.shape, random.Random(f"modes {seed}")))
    if profile == "dependencies":
        drawn = replace(drawn, shape=dependencies.shape_with(drawn.shape, random.Random(f"dependencies {seed}")))
    if profile == "drift":
        drawn = replace(drawn, shape=drift.shape_with(drawn.shape, random.Random(f"drift {seed}")))
    return drawn


def _with(drawn: Drawn, shape: Shape, weights: Mapping[str, float]) -> Drawn:
    return Drawn(shape, replace(drawn.fault_rates, weights={**drawn.fault_rates.weights, **weights}))


PROFILES: Final[Mapping[str, Draw]] = {
    "swarm": swarm,
    "third-swarm": swarm,
    "second-swarm": swarm,
    "first-swarm": first_swarm,
    "moves": _aimed(["move", "maintain", "crash", "watch_lag"], every_s=0.7),
    "agents": _aimed(["agent_crash", "agent_crash", "move", "switch_state", "resource_dies"], operators=1, every_s=0.5),
    "late-writes": _aimed(
        ["move", "freeze", "partition"], rates=Rates(late_write=0.2, late_s=8.0, slow=0.2, slow_s=1.0), every_s=1.0
    ),
    "fencing": _aimed(["partition", "hang", "broken_bmc", "reboot", "power_loss", "crash"], operators=1, every_s=2.0),
    "fencers": _aimed(
        ["crash", "freeze", "partition", "hang", "broken_bmc", "power_loss", "short_power_loss"], fencers=2, every_s=1.5
    ),
    "refencing": _aimed(["short_power_loss", "partition"], operators=1, every_s=4.0, lasts_s=90.0),
    "outages": _aimed(["long_outage", "operator_cut"], every_s=6.0, lasts_s=150.0),
    "people": _aimed(
        [
            "delete_service",
            "delete_instance",
            "wants_the_same_address",
            "manual_start",
            "edit",
            "move",
            "remove_host",
            "maintain",
            "crash",
        ],
        every_s=1.0,
    ),
    "disks": _aimed(
        ["torn_journal", "full_disk", "agent_crash", "move", "bad_resource", "reboot", "hang"], every_s=1.0
    ),
    "labels": _aimed(["relabel", "select", "reboot", "edit", "move"], every_s=1.0, packaged=True),
    "recovery": _aimed(
        [
            "resource_dies",
            "resource_dies",
            "bad_resource",
            "power_loss",
            "agent_crash",
            "clean_reboot",
            "unmanage",
            "clear",
        ],
        every_s=1.5,
    ),
    "modes": _aimed(
        [
            "scale",
            "scale",
            "move_copy",
            "power_loss",
            "partition",
            "crash",
            "watch_lag",
            "maintain",
            "relabel",
            "agent_crash",
            "reboot",
            "delete_instance",
            "delete_service",
            "bad_resource",
        ],
        every_s=1.5,
    ),
    "dependencies": _aimed(
        [
            "switch_state",
            "switch_state",
            "move",
            "power_loss",
            "partition",
            "crash",
            "watch_lag",
            "maintain",
            "agent_crash",
            "reboot",
            "delete_service",
            "delete_instance",
            "bad_resource",
            "resource_dies",
        ],
        every_s=1.5,
    ),
    "drift": _aimed(
        [
            "edit_file",
            "edit_where_it_runs",
            "copy_file",
            "power_loss",
            "move",
            "maintain",
            "crash",
            "agent_crash",
            "watch_lag",
            "resource_dies",
            "bad_resource",
            "reboot",
        ],
        every_s=1.5,
        lasts_s=150.0,
    ),
    "stuck-stops": _aimed(
        ["move", "partition", "maintain", "hands_off", "agent_crash", "clean_reboot", "broken_bmc", "crash"],
        every_s=2.0,
    ),
    "sites": _aimed(["site_power_loss", "move", "agent_crash", "watch_lag", "relabel"], every_s=4.0, packaged=True),
    "hands-off": _aimed(["hands_off", "admin_stop", "clean_reboot", "agent_crash", "partition"], every_s=2.0),
    "reboots": _aimed(
        ["reboot", "reboot", "partition", "watch_lag"], rates=Rates(stale_read=0.3, stale_s=20.0), every_s=1.5
    ),
}
