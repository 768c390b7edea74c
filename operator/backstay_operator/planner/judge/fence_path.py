"""Could this host be fenced, as far as anybody knows? The fencer tests its devices; whoever speaks of that asks here."""

from __future__ import annotations

from dataclasses import dataclass

from backstay_operator.planner.know.liveness import FENCER_SILENT_S, untested_s
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import roughly


@dataclass(frozen=True)
class FencePath:
    """What is known of a host's fencing devices."""

    works: bool | None
    """None: nobody knows at present."""
    reason: str
    """As the condition `FencingReady` says it."""
    why: str


def fence_path(world: World, name: str) -> FencePath:
    """Of this host, as the fencer has said lately."""
    host = world.hosts[name]
    fencing = host.status.fencing
    if not host.spec.fencing.levels:
        why = "It has no fencing device, so only a person or its own return can prove that it is off: add spec.fencing.levels"
        return FencePath(False, "NoDevice", why)
    if fencing is None or fencing.checked_at is None:
        return FencePath(None, "NotTestedYet", "The fencer has not tested its devices yet: is the fencer running?")
    silent_s = untested_s(world, name)
    if silent_s > FENCER_SILENT_S:
        said = f"The fencer has not said for {roughly(silent_s)} that it tested its devices: is the fencer running?"
        return FencePath(None, "FencerSilent", said)
    if fencing.ready:
        return FencePath(True, "Tested", fencing.message or "Its devices answered as they should")
    return FencePath(False, "TestFailed", fencing.message or "No level of devices works as a whole")
