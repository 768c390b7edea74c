"""`backstay explain`: of each host by which rule, as the operator decides it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backstay_api.objects.models import HAService, Host
from backstay_cli.session import NO_SUCH_THING
from backstay_operator.planner.do.finalizers import SERVICE_FINALIZER
from backstay_operator.planner.do.moves import MOVE_ANNOTATION
from backstay_testing.builders import a_service, an_instance, unit
from backstay_testing.cli_scene import Cluster, a_cluster, kind_of, run_on, tell
from backstay_testing.worlds import a_world, add_host, make_ours, report

SILENT = {"type": "Ready", "status": "False", "reason": "Silent", "message": "n2 is silent"}


def test_explain_says_of_each_host_by_which_rule() -> None:
    answer = a_cluster().run("explain", "web", "-o", "json")
    told = json.loads(answer.stdout)
    assert [(one["host"], one["verdict"], one["rule"]) for one in told["hosts"]] == [
        ("n1", "holder", "-"),
        ("n2", "chosen", "-"),
        ("n3", "no", "Maintenance"),
    ]
    assert told["hosts"][2]["why"] == "is cordoned (new disks)"
    assert told["summary"].startswith("it is on n1, and would go to n2 next")


@pytest.mark.parametrize(("name", "to"), [("a", "n2"), ("b", "n3")])
def test_of_two_services_that_leave_a_host_each_is_said_to_go_where_the_operator_sends_it(name: str, to: str) -> None:
    cluster, world = Cluster(), a_world("n2", "n3")
    add_host(world, "n1", mode="Drain")
    for each in ("a", "b"):
        run_on(cluster, world, a_service(each, unit(each)), "n1", ("n2", "n3"))
    make_ours(world)
    tell(cluster, world)
    told = json.loads(cluster.run("explain", name, "-o", "json").stdout)
    assert told["summary"].startswith(f"it is on n1, and goes to {to} next: ")
    assert [line["host"] for line in told["hosts"] if line["verdict"] == "chosen"] == [to]
    assert told["hosts"][0]["why"] == "it stops here: n1 is being drained (new disks)"
    cluster.run("move", name)
    assert json.loads(cluster.get(HAService, name, "shop")["metadata"]["annotations"][MOVE_ANNOTATION])["host"] == to


def test_explain_says_when_what_has_failed_everywhere_is_tried_again() -> None:
    cluster, world = Cluster(), a_world("n1")
    service = a_service()
    run_on(cluster, world, service, "n1", ())
    make_ours(world)
    (instance,) = world.instances.values()
    report(world, world.services["shop/web"], "n1", "Failed", epoch=1, why="no license", uid=instance.uid)
    tell(cluster, world)
    for each in (world.services["shop/web"], instance):
        body = {"metadata": {"finalizers": each.metadata.finalizers}}
        cluster.store.patch(kind_of(type(each)), ("shop", each.metadata.name), body)
    recovery = json.loads(cluster.run("explain", "web", "-o", "json").stdout)["recovery"]
    assert "failures count against n1 in epoch 1; `backstay clear web --reason WHY` forgets them" in recovery
    assert recovery.endswith("if nothing else happens, it is tried again in about 15 s")


def test_explain_speaks_to_people_too() -> None:
    answer = a_cluster(ready=()).run("explain", "shop/web")
    assert "It is on n1, and has nowhere else to go: 0/3 hosts can run it" in answer.stdout


def test_what_is_not_there_is_told_apart_from_what_cannot_be_reached() -> None:
    answer = a_cluster().run("explain", "nothing")
    assert answer.exit_code == NO_SUCH_THING
    assert "not found" in answer.stderr


@pytest.mark.parametrize("words", [("explain", "old"), ("move", "old", "--to", "n2")])
def test_a_deleted_service_of_which_nothing_is_left_is_said_to_be_so(words: tuple[str, ...]) -> None:
    cluster = a_cluster()
    old = a_service(name="old").wire()
    old["metadata"]["finalizers"] = ["example.org/slow"]
    cluster.put(HAService.from_wire(old))
    cluster.store.delete(kind_of(HAService), ("shop", "old"))
    answer = cluster.run(*words)
    assert answer.exit_code == NO_SUCH_THING
    assert "shop/old is being deleted, and nothing of it is left" in answer.stderr


def test_explain_takes_the_operators_word_for_silence() -> None:
    cluster = a_cluster()
    told = {"liveness": "Silent", "conditions": [{**SILENT, "lastTransitionTime": "2026-03-01T11:59:00Z"}]}
    cluster.store.patch(kind_of(Host), ("", "n2"), {"status": told}, subresource="status")
    assert "n2     no        Session       has been silent for 1 min" in cluster.run("explain", "web").stdout


def test_of_several_copies_each_has_its_lines_or_the_one_that_somebody_names() -> None:
    cluster = a_cluster(mode="Replicated", replicas=2)
    answer = cluster.run("explain", "web", "-o", "json")
    told = json.loads(answer.stdout)["instances"]
    assert [one["name"] for one in told] == ["web-0", "web-1"]
    assert told[0]["summary"].startswith("it is on n1, and would go to n2 next")
    assert "web-0:" in cluster.run("explain", "web").stdout
    (only,) = (json.loads(cluster.run("explain", "web", "--instance", name, "-o", "json").stdout) for name in ("n1",))
    assert "instances" not in only and only["summary"] == told[0]["summary"]


def test_a_service_of_every_host_that_selects_none_has_nothing_to_explain() -> None:
    cluster = a_cluster()
    selects_none = {"hosts": {"matchLabels": {"pool": "none"}}}
    cluster.put(a_service(name="each", mode="EveryHost", placement=selects_none))
    answer = cluster.run("explain", "each")
    assert answer.exit_code == NO_SUCH_THING and "shop/each has no instance" in answer.stderr


def against(cluster: Cluster, host: str) -> tuple[str, list[tuple[str, str]]]:
    told = json.loads(cluster.run("explain", "web", "--host", host, "-o", "json").stdout)["instances"]["web-0"]
    return told["summary"], [(one["rule"], one["why"]) for one in told["against"]]


STAYS = "it stays on n1 while it runs well, for placement.failback is Never; `backstay move` moves it"


def test_of_one_host_every_rule_is_told_that_is_against_it_and_who_comes_before_it() -> None:
    cluster = a_cluster(placement={"prefer": [{"hosts": {"matchLabels": {"rack": "a"}}, "weight": 5}]})
    cluster.store.patch(kind_of(Host), ("", "n2"), {"metadata": {"labels": {"rack": "a"}}})
    summary, rules = against(cluster, "n3")
    assert rules == [
        ("Maintenance", "is cordoned (new disks)"),
        ("Ready", "has not said yet whether it is ready"),
    ]
    assert summary == (
        "for n3 all of this would have to be otherwise; n2 comes before it, by Preference, n2 preferred by +5; " + STAYS
    )
    assert "Maintenance   n3 is cordoned (new disks)" in cluster.run("explain", "web", "--host", "n3").stdout


def test_of_the_host_that_would_be_chosen_nothing_is_against_it() -> None:
    assert against(a_cluster(), "n2") == (f"nothing is against n2; n2 would be chosen; {STAYS}", [])


def test_how_much_a_host_must_be_preferred_to_be_gone_back_to_is_told() -> None:
    summary, _ = against(a_cluster(placement={"failback": "Always", "stickiness": 40}), "n2")
    assert summary.endswith(
        "it stays on n1 while it runs well, unless n2 is preferred by more than its stickiness of 40 (placement.failback: Always),"
        " or `backstay move` says so"
    )


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"state": "Stopped"}, "it is not started anywhere: spec.state is Stopped"),
        ({"dependsOn": [{"service": "db"}]}, "it is not started anywhere yet: it requires shop/db (dependsOn)"),
    ],
)
def test_what_keeps_it_from_starting_on_any_host_is_told_of_each(spec: dict[str, Any], why: str) -> None:
    cluster = a_cluster(holder=None, **spec)
    cluster.store.patch(kind_of(HAService), ("shop", "web"), {"metadata": {"finalizers": [SERVICE_FINALIZER]}})
    assert why in against(cluster, "n2")[0]


def test_a_taint_that_only_makes_a_host_the_worse_one_counts_when_the_other_is_gone() -> None:
    cluster = a_cluster(holder=None, ready=("n1", "n2"))
    taints = [{"key": "a", "effect": "NoSchedule"}, {"key": "b", "effect": "PreferNoSchedule"}]
    cluster.store.patch(kind_of(Host), ("", "n1"), {"spec": {"taints": taints}})
    summary, rules = against(cluster, "n1")
    assert [rule for rule, _ in rules] == ["Taint"]
    assert "n2 comes before it, by Taint, n1 has the taint b:PreferNoSchedule" in summary


def test_a_rule_that_is_supposed_to_be_otherwise_brings_no_other_host_before_it() -> None:
    likes = {"hosts": {"matchLabels": {"rack": "a"}}, "weight": 5}
    cluster = a_cluster(
        holder=None, ready=("n1", "n2"), placement={"apart": [{"service": "b", "required": True}], "prefer": [likes]}
    )
    cluster.put(other := a_service("b", unit("b")))
    other = HAService.from_wire(cluster.get(HAService, "b", "shop"))
    cluster.put(an_instance(other, epoch=1, host="n2"))
    cluster.store.patch(kind_of(Host), ("", "n2"), {"metadata": {"labels": {"rack": "a"}}})
    summary, rules = against(cluster, "n2")
    assert [rule for rule, _ in rules] == ["Apart"] and "n2 would be chosen" in summary
