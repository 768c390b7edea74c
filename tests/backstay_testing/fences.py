"""What befalls n1 and the session that holds its Lease, in few words, and what is said of what is done about it."""

from __future__ import annotations

from backstay_api.objects.models import FenceRequest
from backstay_operator.planner.actions import Action, DeleteFence, RequestFence, SealLease, UpdateFence
from backstay_operator.planner.do.fence_guard import fence_guard
from backstay_operator.planner.do.fences import fence_actions
from backstay_operator.planner.know.world import World
from backstay_testing.builders import PROVEN, SWITCHED_OFF, a_host, a_request, a_service, an_instance, unit
from backstay_testing.worlds import Befall, a_world, add_host, put, say_ready, seal, silence


def scene() -> World:
    """n1 can be fenced, and holds web at epoch 2 for its session 1; n2 and n3 could take over."""
    world = a_world("n2", "n3")
    add_host(world, "n1", has_device=True)
    put(world, a_service(), epoch=2, host="n1")
    say_ready(world, a_service(), "n2", "n3")
    return world


def said(action: Action) -> str:
    match action:
        case RequestFence(spec=spec, why=why):
            return f"ask {spec.want}: {why}"
        case UpdateFence(want=want, why=why):
            return f"{want}: {why}"
        case DeleteFence(why=why):
            return f"delete: {why}"
        case SealLease(why=why):
            return f"seal: {why}"
        case _:
            return type(action).__name__


def done_about(world: World, host: str = "n1") -> list[str]:
    return [said(action) for action in fence_actions(world, fence_guard(world), host)]


def late(world: World) -> None:
    silence(world, "n1", 1.0)


def silent(world: World) -> None:
    silence(world, "n1")


def sealed(world: World) -> None:
    silence(world, "n1")
    seal(world, "n1", ago_s=5.0)


def asked(request: FenceRequest) -> Befall:
    return lambda world: world.put_request(request)


def told(world: World) -> None:
    """What counts against the budget stands in the Host's status."""
    fences = [{"request": name, "at": "2026-01-01T00:00:00Z"} for name in world.requests]
    world.put_host(world.hosts["n1"].from_wire({**world.hosts["n1"].wire(), "status": {"fences": fences}}))


def counting(*, ago_s: float) -> Befall:
    """Its request has counted against the budget for so long."""

    def befall(world: World) -> None:
        for name in world.requests:
            world.fenced_s[name], world.fenced_host[name] = world.now_s - ago_s, "n1"

    return befall


def host(*, mode: str = "", has_device: bool = True, stays_off: bool = False) -> Befall:
    said = a_host("n1", mode=mode, has_device=has_device, after="StayOff" if stays_off else "On")
    return lambda world: world.hosts.update(n1=said)


HANDS_OFF = host(mode="HandsOff")
NO_DEVICE = host(has_device=False)


def holds_nothing(world: World) -> None:
    world.drop_instance("shop/web-0")


def holds_more(world: World) -> None:
    """Another session of it has been granted something."""
    put(world, a_service("log", unit("log")), epoch=1, host="n1")
    world.put_instance(an_instance(a_service("log", unit("log")), epoch=1, host="n1", seq=2))


def storm(world: World) -> None:
    silence(world, "n2", 10.0)


def nobody_takes_over(world: World) -> None:
    say_ready(world, a_service(), "n2", "n3", ready=False, why="masked")


def spent(world: World) -> None:
    """The budget is used up by others."""
    for number in range(3):
        world.fenced_s[f"r{number}"], world.fenced_host[f"r{number}"] = world.now_s - 10.0, "n2"


OBSERVE, OFF, WITHDRAWN = (asked(a_request("n1", want=want)) for want in ("Observe", "Off", "Withdrawn"))
READ_OFF = asked(a_request("n1", want="Observe", status={"power": "Off"}))
CONFIRMED = asked(a_request("n1", want="Observe", is_confirmed=True))
IS_PROVEN = asked(a_request("n1", status=PROVEN | SWITCHED_OFF))


def host_removed(world: World) -> None:
    world.drop_host("n1")
