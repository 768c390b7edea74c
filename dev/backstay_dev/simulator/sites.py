"""A whole site loses its power, control plane and all, and comes back in any order. Drawn apart from all else, as `recoveries` is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .faults import Chaos

CHANCE: Final = 0.1
"""How many seeds of the swarm draw it."""


def site_power_loss(chaos: Chaos) -> None:
    """Nothing answers, fence devices neither; hosts, operators and fencers begin anew when their power is back."""
    world = chaos.world
    if "" in world.network.cut:
        return
    world.story.tell("the site", "has no power")
    world.cut("", "refused")
    chaos.for_a_while(40.0, lambda: world.heal(""))
    for name in sorted(world.processes):
        if not name.startswith("agent-"):
            world.kill(name)
    for machine in world.machines.values():
        machine.lose_power("the site has no power")
        for bmc in world.bmcs_of(machine):
            bmc.is_reachable = False
            chaos.for_a_while(40.0, lambda bmc=bmc: setattr(bmc, "is_reachable", True))  # type: ignore[misc]
        chaos.for_a_while(40.0, lambda machine=machine: machine.gain_power("power is back"))  # type: ignore[misc]


FAULTS: Final = {"site_power_loss": site_power_loss}
