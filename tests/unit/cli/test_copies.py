"""`backstay copies`: of each host and each prerequisite what the operator makes of what was seen there."""

from __future__ import annotations

import json

import pytest

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAService
from backstay_cli.session import NOT_WELL, WELL
from backstay_testing.builders import a_service, unit
from backstay_testing.cli_scene import Cluster, run_on, tell
from backstay_testing.worlds import a_world, make_ours, say_seen

CONF: Raw = {"name": "conf", "file": {"path": "/etc/web.conf"}}
HERE: Raw = {"name": "conf", "facts": {"content": "a" * 32}}
BEFORE: Raw = {"content": "b" * 32}
LAST: Raw = {"name": "conf", "what": "file /etc/web.conf", "host": "n1", "facts": HERE["facts"], "before": BEFORE}
UNLIKE = "file /etc/web.conf is not as on n1: content is {} and there aaaaaaaa"


def scene(said: Raw | None) -> Cluster:
    """It runs on n1, and n2 has seen that."""
    cluster, world = Cluster(), a_world("n1", "n2")
    run_on(cluster, world, a_service("web", CONF, unit()), "n1", ("n2",))
    (service,), (instance,) = world.services.values(), world.instances.values()
    service = HAService.from_wire({**service.wire(), "status": {"lastRanWith": [LAST]}})
    world.put_service(service)
    for host, seen in (("n1", HERE), *([("n2", said)] if said else [])):
        say_seen(world, service, host, seen, uid=instance.uid)
    make_ours(world)
    tell(cluster, world)
    return cluster


@pytest.mark.parametrize(
    ("said", "verdict", "blocks", "why"),
    [
        pytest.param(HERE, "Alike", False, "", id="alike"),
        pytest.param(
            {"name": "conf", "facts": BEFORE},
            "Older",
            False,
            f"{UNLIKE.format('bbbbbbbb')}; it ran well with that before",
            id="older",
        ),
        pytest.param(
            {"name": "conf", "facts": {"content": "c" * 32}},
            "Different",
            True,
            UNLIKE.format("cccccccc"),
            id="different",
        ),
        pytest.param(
            {"name": "conf", "why": "/etc/web.conf does not exist"},
            "Missing",
            True,
            "/etc/web.conf does not exist",
            id="missing",
        ),
        pytest.param(None, "Unknown", True, "not looked at yet", id="unknown"),
    ],
)
def test_each_copy_is_named_in_a_word_and_a_sentence(said: Raw | None, verdict: str, blocks: bool, why: str) -> None:
    answer = scene(said).run("copies", "web", "-o", "json")
    here, there = json.loads(answer.stdout)["copies"]
    assert (here["host"], here["verdict"], here["why"]) == ("n1", "Alike", "the service runs here")
    assert there == {"host": "n2", "resource": "conf", "verdict": verdict, "blocks": blocks, "why": why}
    assert answer.exit_code == (WELL if verdict == "Alike" else NOT_WELL)


def test_people_read_a_table() -> None:
    lines = scene({"name": "conf", "facts": BEFORE}).run("copies", "web").stdout.splitlines()
    assert [line.split()[:4] for line in lines] == [
        ["HOST", "RESOURCE", "COPY", "BLOCKS"],
        ["n1", "conf", "Alike", "no"],
        ["n2", "conf", "Older", "no"],
    ]
