"""What holds of services of several copies in any world: never two on one host, nothing of the healthy is touched, the least wanted goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from backstay_api.objects.models import HAService
from backstay_operator.planner import actions as act
from backstay_operator.planner.know.world import World
from backstay_operator.planner.plan import plan
from backstay_testing.builders import a_service, an_instance, an_order
from backstay_testing.worlds import a_world, add_host, make_ours, report, say_ready, silence, tell

HOSTS = ("n1", "n2", "n3", "n4")
Phase = Literal["Running", "Failed", "Starting", "Stopped"]


@dataclass(frozen=True)
class Placed:
    """One copy: where it is held, and what its host says of it."""

    host: str | None
    phase: Phase
    healthy: bool


placed = st.builds(
    Placed,
    st.sampled_from([*HOSTS, None]),
    st.sampled_from(["Running", "Running", "Running", "Failed", "Starting", "Stopped"]),
    st.booleans(),
)
states = st.lists(st.sampled_from(["", "", "", "silent", "Drain", "Cordon"]), min_size=4, max_size=4)


def a_random_world(copies: list[Placed], hosts: list[str], service: HAService, *, together: bool) -> World:
    world = a_world()
    for name, state in zip(HOSTS, hosts, strict=True):
        add_host(world, name, mode=state if state in ("Drain", "Cordon") else "", has_device=True)
    world.put_service(service)
    taken: set[str] = set()
    wide = service.model_copy(update={"spec": service.spec.model_copy(update={"replicas": 9})})
    for slot, one in enumerate(copies):
        # Two on one host come about only where two operators granted at once.
        host = one.host if together or one.host not in taken else None
        taken.add(host or "")
        known = an_instance(wide, epoch=1, host=host, slot=slot)
        world.put_instance(known)
        if host:
            order = an_order(known).model_copy(
                update={"revision": 1, "resources": [each.rendered for each in service.spec.resources]}
            )
            tell(world, host, known, order)
            report(world, wide, host, one.phase, epoch=1, slot=slot, healthy=one.healthy)
        say_ready(world, wide, *HOSTS, slot=slot)
    make_ours(world)
    for name, state in zip(HOSTS, hosts, strict=True):
        if state == "silent":
            silence(world, name)
    return world


def grants(made: tuple[act.Action, ...]) -> list[tuple[str, str]]:
    """Instance and host."""
    written = [one for one in made if isinstance(one, act.WriteInstance)]
    return [(one.before.metadata.name, one.spec.grant.host) for one in written if one.spec.grant]


def told_to_stop(made: tuple[act.Action, ...]) -> dict[str, str]:
    """Instances that a host is told to stop now, and why."""
    orders = [order for one in made if isinstance(one, act.Assign) for order in one.spec.instances.values()]
    return {order.name: order.why for order in orders if order.want == "Down"}


def works(world: World, name: str) -> bool:
    """Runs well, on a host that lives and is not to be left."""
    instance = world.instances[f"shop/{name}"]
    host = world.hosts.get(instance.holder)
    if host is None or world.now_s - world.leases[instance.holder].first_seen_s > 1:
        return False
    said = world.assignments[instance.holder].status.instances.get(instance.uid)
    is_drained = host.spec.maintenance is not None and host.spec.maintenance.mode == "Drain"
    return said is not None and said.phase == "Running" and said.healthy and not is_drained


@given(st.lists(placed, max_size=5), states, st.integers(1, 4), st.booleans(), st.booleans())
def test_no_plan_puts_two_copies_on_one_host(
    copies: list[Placed], hosts: list[str], replicas: int, exclusive: bool, together: bool
) -> None:
    service = a_service(mode="Replicated", replicas=replicas, exclusive=exclusive)
    world = a_random_world(copies, hosts, service, together=together)
    made = plan(world).actions
    granted = grants(made)
    assert len({host for _, host in granted}) == len(granted)
    for name, host in granted:
        others = [one.metadata.name for one in world.instances.values() if one.holder == host]
        assert set(others) <= {name}, f"{name} goes to {host}, which has {others}"


@given(st.lists(placed, max_size=5), states, st.integers(1, 4))
def test_nothing_of_a_copy_that_works_is_touched_unless_it_is_one_too_many(
    copies: list[Placed], hosts: list[str], replicas: int
) -> None:
    service = a_service(mode="Replicated", replicas=replicas)
    world = a_random_world(copies, hosts, service, together=False)
    made = plan(world).actions
    stopped = {name for name in told_to_stop(made) if works(world, name)}
    deleted = {one.before.metadata.name for one in made if isinstance(one, act.DeleteInstance)}
    goes = deleted | {name for name, why in told_to_stop(made).items() if why.startswith("spec.replicas")}
    assert stopped <= goes
    stays = {one.metadata.name for one in world.instances.values()} - goes
    assert not stopped or all(works(world, name) for name in stays), f"{stopped} work and go, of {stays} some do not"
    assert len(stays) >= min(replicas, len(copies))


@given(st.lists(placed, max_size=4), states, st.integers(1, 4))
def test_the_order_of_instances_and_hosts_never_matters(copies: list[Placed], hosts: list[str], replicas: int) -> None:
    service = a_service(mode="Replicated", replicas=replicas)
    one, other = (a_random_world(copies, hosts, service, together=False) for _ in range(2))
    other.instances = dict(reversed(other.instances.items()))
    other.hosts = dict(reversed(other.hosts.items()))
    assert sorted(map(repr, plan(one).actions)) == sorted(map(repr, plan(other).actions))
