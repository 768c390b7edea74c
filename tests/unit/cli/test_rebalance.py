"""`backstay rebalance`: what it shows, and that it moves nothing unasked."""

from __future__ import annotations

import json

from backstay_api.objects.models import HAService
from backstay_cli.rebalance import CHANGES
from backstay_cli.session import NOT_NOW, WELL
from backstay_operator.planner.do.moves import MOVE_ANNOTATION
from backstay_testing.builders import a_service, an_instance, unit
from backstay_testing.cli_scene import Cluster, a_cluster


def crowded() -> Cluster:
    """web on n1, and two more that n1 was granted; n2 is ready for web."""
    cluster = a_cluster()
    for name in ("a", "b"):
        service = a_service(name, unit(name))
        cluster.put(service)
        cluster.put(an_instance(service, epoch=1, host="n1"))
    return cluster


def wish(cluster: Cluster) -> str:
    told: dict[str, str] = cluster.get(HAService, "web", "shop")["metadata"].get("annotations", {})
    return told.get(MOVE_ANNOTATION, "")


def test_it_says_which_moves_and_how_much_is_stopped() -> None:
    cluster = crowded()
    answer = cluster.run("rebalance", "--plan")
    assert answer.exit_code == CHANGES
    lines = [" ".join(line.split()) for line in answer.stdout.splitlines()]
    assert lines == [
        "SERVICE INSTANCE FROM TO RESTARTED WITH IT WHY",
        "shop/web web-0 n1 n2 - n1 has 3, n2 0",
        "",
        "Each of 1 is stopped and started elsewhere, one after the other.",
    ]
    assert wish(cluster) == ""
    (move,) = json.loads(cluster.run("rebalance", "--plan", "-o", "json").stdout)["moves"]
    assert (move["instance"], move["from"], move["to"], move["restarted"]) == ("web-0", "n1", "n2", [])


def test_where_all_is_even_nothing_would_move() -> None:
    answer = a_cluster().run("rebalance", "--plan")
    assert answer.exit_code == WELL and "as evenly as" in answer.stdout
    assert a_cluster().run("rebalance").exit_code == WELL


def test_nothing_moves_without_a_yes_and_with_one_it_is_the_wish_of_move() -> None:
    cluster = crowded()
    assert cluster.run("rebalance").exit_code == NOT_NOW and wish(cluster) == ""
    answer = cluster.run("rebalance", "--yes", "--timeout", "2s")
    assert json.loads(wish(cluster))["host"] == "n2"
    assert answer.exit_code == NOT_NOW and "after 2 s shop/web is not on n2" in answer.stderr
