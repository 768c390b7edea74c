"""`backstay status --survivability`: who would be left over if a host were lost, and why."""

from __future__ import annotations

import json

from backstay_api.objects.models import HAService, Host
from backstay_cli.session import NOT_WELL, WELL
from backstay_operator.planner import offline, whatif
from backstay_operator.planner.know.losses import Domain, HostLoss, Losses
from backstay_operator.planner.know.world import World
from backstay_operator.planner.losses import each_host, losses
from backstay_testing.builders import a_host, a_service, an_instance, unit
from backstay_testing.cli_scene import a_cluster, kind_of


def world_of(hosts: list[Host], held: dict[str, str], *services: HAService) -> World:
    """Each service is held by the host of its name in `held`."""
    instances = [an_instance(one, epoch=1, host=held[one.metadata.name]) for one in services]
    world = offline.as_if_running(hosts, services, instances)
    whatif.outcome(world, whatif.holders(world))  # all of it is ordered, asked and said
    return world


def left_by(world: World, *hosts: str) -> tuple[tuple[str, str], ...]:
    (loss,) = losses(world, [Domain("these", hosts)]).each
    return loss.left


def needs(name: str, memory: str) -> HAService:
    return a_service(name, unit(name), placement={"capacity": {"memory": memory}})


def test_two_that_fit_each_but_not_together_are_left_over_with_the_numbers() -> None:
    hosts = [a_host(name, capacity={"memory": "4Gi"}) for name in ("n1", "n2")]
    world = world_of(hosts, {"a": "n1", "b": "n1"}, needs("a", "2Gi"), needs("b", "2Gi"))
    assert left_by(world, "n1") == ()
    world = world_of(hosts, {"a": "n1", "b": "n1", "c": "n2"}, needs("a", "2Gi"), needs("b", "2Gi"), needs("c", "1Gi"))
    ((key, why),) = left_by(world, "n1")
    assert key == "shop/b-0" and "memory" in why
    assert [key for key, _ in left_by(world, "n2")] == ["shop/c-0"]


def test_the_world_stays_as_it_is_and_the_answer_the_same() -> None:
    world = world_of([a_host("n1"), a_host("n2")], {"a": "n1"}, a_service("a", unit("a")))
    first = losses(world, each_host(world))
    assert whatif.holders(world) == {"shop/a-0": "n1"}
    n1, n2 = each_host(world)
    assert losses(world, [n1, n2]) == first == Losses((HostLoss(n1, ("shop/a-0",), ()), HostLoss(n2, (), ())))


def test_the_copy_of_a_lost_host_is_missed_only_where_it_was_the_last() -> None:
    each = a_service("each", unit("each"), mode="EveryHost")
    world = offline.as_if_running([a_host("n1"), a_host("n2")], [each], [])
    whatif.outcome(world, {})
    assert left_by(world, "n1") == ()
    assert [key for key, _ in left_by(world, "n1", "n2")] == ["shop/each.n1", "shop/each.n2"]


def test_the_table_says_for_each_host_who_would_be_left_over() -> None:
    cluster = a_cluster(ready=("n2",))
    answer = cluster.run("status", "--survivability")
    assert answer.exit_code == WELL, "only --check fails"
    lines = [line.split() for line in answer.stdout.splitlines()]
    assert lines[0] == ["LOST", "INSTANCES", "SURVIVES", "LEFT", "OVER", "WHY"]
    assert [line[:3] for line in lines[1:4]] == [["n1", "1", "by"], ["n2", "0", "yes"], ["n3", "0", "yes"]]
    assert "n1 could not be fenced: a person would have to confirm that it is off" in answer.stdout
    assert cluster.run("status", "--survivability", "--check").exit_code == NOT_WELL


def test_hosts_of_one_label_are_lost_together() -> None:
    cluster = a_cluster()
    for name in ("n1", "n2"):
        cluster.store.patch(kind_of(Host), ("", name), {"metadata": {"labels": {"rack": "a"}}})
    told = json.loads(cluster.run("status", "--survivability", "--by", "rack", "-o", "json").stdout)
    assert [(one["lost"], one["hosts"]) for one in told["losses"]] == [("rack=a", ["n1", "n2"]), ("n3", ["n3"])]
    assert [one["instance"] for one in told["losses"][0]["leftOver"]] == ["shop/web-0"]
