"""What a Host's status says of its Lease: which session was sealed last, and why renewals are refused."""

from __future__ import annotations

from backstay_api.objects.models.host import HostStatus
from backstay_operator.planner.know.world import World
from backstay_operator.planner.tell.host_status import host_status
from backstay_testing.builders import session
from backstay_testing.worlds import a_world, hold, refuse_renewals, seal, silence


def told(world: World) -> HostStatus:
    """The status after this round."""
    host = world.hosts["n1"]
    patch = host_status(world, host) or {}
    return HostStatus.model_validate({name: value for name, value in {**host.status.wire(), **patch}.items() if value})


def ready(world: World) -> str:
    return next(one.message for one in told(world).conditions if one.type == "Ready")


def test_an_agent_that_says_why_its_host_is_silent_is_quoted() -> None:
    world = a_world("n1")
    refuse_renewals(world, "n1", "no right to write leases")
    assert "refused" not in ready(world), "it lives: that was before"
    silence(world, "n1")
    assert "its agent says that the renewals of its lease are refused: no right to write leases" in ready(world)


def test_the_session_that_was_sealed_last_stays_told_when_a_newer_one_holds_the_lease() -> None:
    """A Lease that somebody deletes comes back sealed, whoever is the operator then."""
    world = a_world("n1")
    before = world.leases["n1"]
    seal(world, "n1")
    world.last_sealed["n1"] = world.leases["n1"].lease
    world.put_host(world.hosts["n1"].model_copy(update={"status": told(world)}))
    world.last_sealed.clear()
    del world.leases["n1"]
    assert told(world).sealed == session("n1", 1)
    world.leases["n1"] = before
    assert told(world).sealed == session("n1", 1), "what we see is from before the seal"
    hold(world, "n1", session("n1", 2))
    assert told(world).sealed == session("n1", 1), "that Lease may be deleted, too"
