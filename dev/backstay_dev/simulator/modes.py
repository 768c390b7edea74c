"""Services of several copies: their number is changed, a copy is moved, or which is promoted. A profile of its own: no other seed changes."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from backstay_api.objects.object_kinds import HA_INSTANCES, HA_SERVICES

from .shapes import NAMESPACE, ServiceShape, Shape

if TYPE_CHECKING:
    from .faults import Chaos

MOST_COPIES: Final = 4


def shape_with(shape: Shape, rng: random.Random) -> Shape:
    """One service more of a mode that has several copies, or two, beside those that there are."""
    pair = ServiceShape(
        "pair",
        is_exclusive=rng.random() < 0.5,
        mode="Replicated",
        replicas=rng.choice([2, 2, 3]),
        selects=rng.random() < 0.3,
        start_takes_s=rng.choice([0.05, 0.5]),
    )
    each = ServiceShape("each", is_exclusive=rng.random() < 0.3, mode="EveryHost", selects=rng.random() < 0.7)
    chosen = rng.choice([(pair,), (pair,), (each,), (pair, each)])
    if rng.random() < 0.5:
        # Drawn by no die of its own, so that the stories of the others stay as they are.
        promotable = replace(pair, mode="Promotable", is_exclusive=False, is_scored=pair.start_takes_s == 0.5)
        chosen = tuple(promotable if one is pair else one for one in chosen)
    return replace(shape, hosts=shape.hosts[:1] * rng.choice([2, 3, 3, 4]), services=(*shape.services, *chosen))


def scale(chaos: Chaos) -> None:
    """kubectl scale, as it were."""
    body = chaos.world.get(HA_SERVICES, (NAMESPACE, "pair"))
    if body is None or body["metadata"].get("deletionTimestamp"):
        return
    replicas = chaos.rng.randint(1, MOST_COPIES)
    chaos.world.story.tell("a person", f"wants {replicas} copies of pair")
    chaos.world.patch(HA_SERVICES, (NAMESPACE, "pair"), {"spec": {"replicas": replicas}})


def move_copy(chaos: Chaos) -> None:
    """backstay move pair --instance NAME"""
    body = chaos.world.get(HA_SERVICES, (NAMESPACE, "pair"))
    names = [one["metadata"]["name"] for one in chaos.world.cluster.bodies(HA_INSTANCES)]
    names = sorted(name for name in names if name.startswith("pair-"))
    if body is None or not names:
        return
    wish = {"host": chaos.a_machine().name, "generation": body["metadata"]["generation"]}
    wish["instance"] = chaos.rng.choice(names)
    chaos.world.story.tell("a person", f"wants {wish['instance']} on {wish['host']}")
    annotations = {"backstay.dev/move": json.dumps(wish)}
    chaos.world.patch(HA_SERVICES, (NAMESPACE, "pair"), {"metadata": {"annotations": annotations}})


FAULTS: Final = {"scale": scale, "move_copy": move_copy}
