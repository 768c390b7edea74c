"""`backstay rollout`: how far an edit of files has come, and what each verb says in the manifest."""

from __future__ import annotations

import json

import pytest

from backstay_api.objects.editions import REFUSED, WHY_REFUSED, edition_id
from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAService
from backstay_cli.session import NOT_NOW, NOT_WELL, WELL
from backstay_testing.builders import a_service, unit
from backstay_testing.cli_scene import NOW, Cluster, a_cluster, run_on, tell
from backstay_testing.worlds import a_world, make_ours, say_seen

CONF: Raw = {"name": "conf", "file": {"path": "/etc/web.conf", "content": "new"}}
WEB = a_service("web", CONF, unit())
NEW, OLD = edition_id(WEB.spec.resources[0].file), "a" * 32
HAS_OLD: Raw = {"edition": OLD, "staged": OLD}
READY: Raw = {"edition": OLD, "staged": f"{OLD} {NEW}"}
DONE: Raw = {"edition": NEW, "staged": f"{OLD} {NEW}"}
ON_TRIAL: Raw = {**READY, "trial": NEW}
HAS_REFUSED: Raw = {**HAS_OLD, REFUSED: NEW, WHY_REFUSED: "nginx -t exited with 1"}
COMES_AFTER_N2 = ("Staged", "comes after n2")


def scene(n1: Raw, n2: Raw, **rollout: object) -> Cluster:
    """It runs on n1, and n2 stands by."""
    cluster, world = Cluster(), a_world("n1", "n2")
    service = a_service("web", CONF, unit())
    service = HAService.from_wire({**service.wire(), "spec": {**service.spec.wire(), "rollout": rollout or None}})
    run_on(cluster, world, service, "n1", ("n2",))
    (instance,) = world.instances.values()
    for host, facts in (("n1", n1), ("n2", n2)):
        say_seen(world, service, host, {"name": "conf", "facts": facts}, uid=instance.uid)
    make_ours(world)
    tell(cluster, world)
    return cluster


@pytest.mark.parametrize(
    ("n1", "n2", "rollout", "stages", "code"),
    [
        pytest.param(HAS_OLD, READY, {}, [("Waiting", "the host has not said yet that it has it and calls it right"), ("Staged", "")],
            NOT_WELL, id="one has not got it"),
        pytest.param(READY, READY, {}, [COMES_AFTER_N2, ("Staged", "")], NOT_WELL, id="who stands by comes first"),
        pytest.param(READY, DONE, {}, [("Staged", ""), ("InPlace", "")], NOT_WELL, id="it is the turn of who runs it"),
        pytest.param(READY, DONE, {"paused": True}, [("Staged", "spec.rollout.paused is true"), ("InPlace", "")], NOT_WELL, id="paused"),
        pytest.param(ON_TRIAL, DONE, {}, [("OnTrial", "the service is tried with it"), ("InPlace", "")], NOT_WELL, id="on trial"),
        pytest.param(DONE, DONE, {}, [("Proven", "the service runs here"), ("InPlace", "")], WELL, id="in use"),
        pytest.param(READY, HAS_REFUSED, {}, [("Staged", "n2 has refused it"), ("Refused", "nginx -t exited with 1")], NOT_WELL, id="refused"),
    ],
)  # fmt: skip
def test_how_far_each_host_has_come(n1: Raw, n2: Raw, rollout: Raw, stages: list[tuple[str, str]], code: int) -> None:
    answer = scene(n1, n2, **rollout).run("rollout", "status", "web", "-o", "json")
    found = json.loads(answer.stdout)["files"]
    assert [(one["host"], one["stage"], one["why"]) for one in found] == [
        (host, *stage) for host, stage in zip(("n1", "n2"), stages, strict=True)
    ]
    assert answer.exit_code == code


def test_people_read_a_table() -> None:
    lines = scene(READY, DONE).run("rollout", "status", "web").stdout.splitlines()
    assert [line.split()[:4] for line in lines] == [
        ["HOST", "RESOURCE", "PATH", "STAGE"],
        ["n1", "conf", "/etc/web.conf", "Staged"],
        ["n2", "conf", "/etc/web.conf", "InPlace"],
    ]


def test_waiting_ends_when_a_host_has_refused_it() -> None:
    answer = scene(READY, HAS_REFUSED).run("rollout", "status", "web", "--wait", "--timeout", "1h")
    assert answer.exit_code == NOT_WELL and "Refused" in answer.stdout


def test_each_verb_is_a_word_of_the_manifest() -> None:
    cluster = scene(READY, DONE)

    def said() -> Raw:
        spec: Raw = cluster.get(HAService, "web", "shop")["spec"]
        return spec.get("rollout") or {}

    assert cluster.run("rollout", "pause", "web").exit_code == WELL and said() == {"paused": True}
    assert cluster.run("rollout", "resume", "web").exit_code == WELL and said() == {}
    assert cluster.run("rollout", "retry", "web").exit_code == WELL and said() == {"retriedAt": NOW}


@pytest.mark.parametrize("verb", ["pause", "resume", "retry"])
def test_where_no_files_are_brought_nothing_is_written(verb: str) -> None:
    cluster = a_cluster()
    answer = cluster.run("rollout", verb, "web")
    assert answer.exit_code == NOT_NOW and "brings no files to hosts" in answer.output
    assert "rollout" not in cluster.get(HAService, "web", "shop")["spec"]


def test_of_a_service_without_files_that_is_said() -> None:
    answer = a_cluster().run("rollout", "status", "web")
    assert answer.exit_code == WELL and "brings no files to hosts" in answer.stdout
