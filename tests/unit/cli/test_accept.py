"""`backstay accept`: what it writes, what it refuses with a sentence, and what `copies`, `explain` and the status say of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from backstay_api.client.api import Api
from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAInstance, HAService
from backstay_cli.rights import Right
from backstay_cli.session import FAILED, NO_SUCH_THING, NOT_NOW, NOT_WELL, WELL
from backstay_operator.planner.know.accepted_drift import (
    ACCEPT_ANNOTATION,
    MOST_TEXT,
    AcceptedDrift,
    fingerprint,
    words_of,
)
from backstay_testing.builders import a_service, unit
from backstay_testing.cli_scene import NOW, Cluster, kind_of, run_on, tell
from backstay_testing.worlds import a_world, make_ours, say_seen

CONF: Raw = {"name": "conf", "file": {"path": "/etc/web.conf"}}
HERE: Raw = {"content": "a" * 32, "mode": "0644"}
OTHER: Raw = {"content": "c" * 32, "mode": "0644"}
DIFFERS: Raw = {"name": "conf", "facts": OTHER}
ACCEPT = ("accept", "web", "--resource", "conf", "--host", "n2")
LAST: Raw = {"name": "conf", "what": "file /etc/web.conf", "host": "n1", "facts": HERE, "before": {}}


def scene(said: Raw | None, *others: str, annotation: str = "", **more: Any) -> Cluster:
    """It runs on n1, where it is as in HERE, and n2 has seen this; others have not said anything."""
    cluster, world = Cluster(), a_world("n1", "n2", *others)
    run_on(cluster, world, a_service("web", {**CONF, **more}, unit()), "n1", ("n2",))
    (service,), (instance,) = world.services.values(), world.instances.values()
    meta = {**service.wire()["metadata"], **({"annotations": {ACCEPT_ANNOTATION: annotation}} if annotation else {})}
    service = HAService.from_wire({**service.wire(), "metadata": meta, "status": {"lastRanWith": [LAST]}})
    world.put_service(service)
    for host, seen in (("n1", {"name": "conf", "facts": HERE}), *([("n2", said)] if said else [])):
        say_seen(world, service, host, seen, uid=instance.uid)
    make_ours(world)
    tell(cluster, world)
    if annotation:
        write(cluster, annotation)
    return cluster


def write(cluster: Cluster, text: str | None) -> None:
    body = {"metadata": {"annotations": {ACCEPT_ANNOTATION: text}}}
    cluster.store.patch(kind_of(HAService), ("shop", "web"), body)


def written(cluster: Cluster) -> str:
    return str((cluster.get(HAService, "web", "shop")["metadata"].get("annotations") or {}).get(ACCEPT_ANNOTATION, ""))


def word(cluster: Cluster) -> AcceptedDrift:
    (found,) = words_of(HAService.model_validate(cluster.get(HAService, "web", "shop")))
    return found


def what_is_told(cluster: Cluster) -> Raw:
    copies = json.loads(cluster.run("copies", "web", "-o", "json").stdout)["copies"]
    found: Raw = next(one for one in copies if one["host"] == "n2")
    return found


def test_it_writes_who_when_and_the_two_fingerprints_and_no_fact_of_either() -> None:
    cluster = scene(DIFFERS)
    answer = cluster.run(*ACCEPT, "--reason", "n2 has\n more\x1b[2J \u202ememory")
    assert answer.exit_code == WELL and "conf on n2 may be as it is, beside that on n1, until" in answer.stdout
    uid = cluster.get(HAInstance, "web-0", "shop")["metadata"]["uid"]
    prints = [fingerprint(uid, "file /etc/web.conf", facts) for facts in (OTHER, HERE)]
    assert word(cluster) == AcceptedDrift(
        "alice", NOW, "web-0", "conf", "n2", prints[0], "n1", prints[1], "n2 has more [2J memory"
    )
    assert not any(fact in written(cluster) for fact in (OTHER["content"], HERE["content"], "0644", "/etc/web.conf"))


def test_from_then_on_it_blocks_nothing_and_everybody_is_told_whose_word_it_is() -> None:
    cluster = scene(DIFFERS)
    assert (what_is_told(cluster)["verdict"], what_is_told(cluster)["blocks"]) == ("Different", True)
    assert cluster.run("copies", "web").exit_code == NOT_WELL
    cluster.run(*ACCEPT, "--reason", "more memory")
    told = what_is_told(cluster)
    assert (told["verdict"], told["blocks"]) == ("Accepted", False)
    assert told["why"].endswith(f"; accepted by alice at {NOW}: more memory")
    assert cluster.run("copies", "web").exit_code == WELL
    (explained,) = json.loads(cluster.run("explain", "web", "-o", "json").stdout)["accepted"]
    assert explained.startswith(
        "n2 may take over though it has not all alike: conf: file /etc/web.conf is not as on n1"
    )
    assert "accepted by alice" in cluster.run("explain", "web").stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(("--host", "n1"), NOT_NOW, "web-0 runs on n1, and the others are held against that", id="holder"),
        pytest.param(("--host", "n9"), NO_SUCH_THING, "there is no host n9; there are: n1, n2, n3", id="no host"),
        pytest.param(("--host", "n3"), NOT_NOW, "nobody knows yet how n3 has conf: not looked at yet", id="unseen"),
        pytest.param(
            ("--resource", "main"), NO_SUCH_THING, "nothing by the name main that hosts are compared by", id="a unit"
        ),
        pytest.param(("--resource", "x"), NO_SUCH_THING, "by; it has: conf", id="no resource"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(words: Sequence[str], code: int, said: str) -> None:
    cluster = scene(DIFFERS, "n3")
    answer = cluster.run(*ACCEPT, *words)
    assert answer.exit_code == code and said in answer.output
    assert not written(cluster)


@pytest.mark.parametrize(
    ("seen", "more", "said"),
    [
        pytest.param({"name": "conf", "facts": HERE}, {}, "nothing to accept: conf on n2 is alike", id="alike"),
        pytest.param(DIFFERS, {"consistency": "Any"}, "nothing to accept: conf on n2 is alike", id="may differ"),
        pytest.param(
            {"name": "conf", "why": "/etc/web.conf does not exist"},
            {},
            "conf is missing on n2, or not as the manifest says: /etc/web.conf does not exist. What is not there cannot",
            id="missing",
        ),
        pytest.param(
            {"name": "conf", "why": "mode is 0600, not 0644", "facts": OTHER},
            {},
            "mode is 0600, not 0644. What is not there cannot stand in for it",
            id="not as the manifest declares",
        ),
        pytest.param(None, {}, "nobody knows yet how n2 has conf: not looked at yet", id="unknown"),
    ],
)
def test_where_there_is_no_difference_there_is_nothing_to_accept(seen: Raw | None, more: Raw, said: str) -> None:
    cluster = scene(seen, **more)
    answer = cluster.run(*ACCEPT)
    assert answer.exit_code == NOT_NOW and said in answer.output
    assert not written(cluster)


def test_what_is_accepted_already_is_said_by_whom() -> None:
    cluster = scene(DIFFERS)
    cluster.run(*ACCEPT)
    before = written(cluster)
    answer = cluster.run(*ACCEPT, "--reason", "again")
    assert answer.exit_code == NOT_NOW and f"conf on n2 is accepted by alice at {NOW}" in answer.output
    assert written(cluster) == before


def stale(**changed: str) -> AcceptedDrift:
    said = AcceptedDrift("bob", NOW, "web-0", "conf", "n2", "0" * 32, "n1", "1" * 32, "")
    return AcceptedDrift(**{**vars(said), **changed})


def test_a_stale_word_counts_for_nothing_and_the_next_takes_its_place() -> None:
    elsewhere = stale(host="n3")
    cluster = scene(DIFFERS, annotation=f"{stale().line}\n{elsewhere.line}")
    told = what_is_told(cluster)
    assert (told["verdict"], told["blocks"]) == ("Different", True)
    ended = f"n2 has it otherwise since and n1 has it otherwise since, so what bob accepted at {NOW} has ended"
    assert told["why"].endswith(f"; {ended}")
    assert cluster.run(*ACCEPT).exit_code == WELL
    found = words_of(HAService.model_validate(cluster.get(HAService, "web", "shop")))
    assert [(one.by, one.host) for one in found] == [("bob", "n3"), ("alice", "n2")]


def test_undo_takes_back_what_was_said_of_this_host_and_no_other() -> None:
    cluster = scene(DIFFERS, annotation=stale(host="n3").line)
    cluster.run(*ACCEPT)
    answer = cluster.run(*ACCEPT, "--undo")
    assert answer.exit_code == WELL and "Taken back: conf on n2 has to be as where shop/web runs" in answer.stdout
    assert written(cluster) == stale(host="n3").line and what_is_told(cluster)["verdict"] == "Different"
    answer = cluster.run(*ACCEPT, "--undo")
    assert answer.exit_code == NOT_NOW and "nobody has accepted conf of shop/web on n2" in answer.output


def test_a_dry_run_says_what_would_be_written_and_writes_nothing() -> None:
    cluster = scene(DIFFERS)
    answer = cluster.run(*ACCEPT, "--dry-run", "client")
    assert answer.exit_code == WELL and "would patch haservices.backstay.dev web -n shop" in answer.stdout
    assert not written(cluster)


def test_what_somebody_else_writes_meanwhile_is_not_lost() -> None:
    cluster = scene(DIFFERS)
    cluster.before_each_patch = lambda: write(cluster, stale().line)
    answer = cluster.run(*ACCEPT)
    assert answer.exit_code == NOT_NOW and "has changed meanwhile, and nothing was written" in answer.output
    assert written(cluster) == stale().line


@pytest.mark.parametrize(
    ("without", "words", "code", "said"),
    [
        pytest.param(
            "accept", (), FAILED, "accept haservices.backstay.dev in namespace shop. Nothing was", id="accept"
        ),
        pytest.param("patch", (), FAILED, "The role edit in namespace shop may", id="edit"),
        pytest.param("accept", ("--undo",), NOT_NOW, "nothing to take back", id="undo needs no more than edit"),
    ],
)
def test_rights_are_asked_for_first(
    without: str, words: Sequence[str], code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(api: Api, wanted: Sequence[Right]) -> list[Right]:
        return [right for right in wanted if right.verb == without]

    cluster = scene(DIFFERS)
    tools = cluster._tools()
    object.__setattr__(tools, "refused", refused)
    monkeypatch.setattr(cluster, "_tools", lambda: tools)
    answer = cluster.run(*ACCEPT, *words)
    assert answer.exit_code == code and said in answer.output
    assert not written(cluster)


def test_there_is_no_room_for_more_than_are_read() -> None:
    cluster = scene(DIFFERS, annotation="\n".join(stale(host=f"m{number}").line for number in range(32)))
    answer = cluster.run(*ACCEPT)
    assert answer.exit_code == NOT_NOW and "has 32 accepted differences, and 32 count; take some back" in answer.output


def test_lines_that_are_no_word_take_room_and_are_counted_apart() -> None:
    lines = [*(f"x{number}" for number in range(3)), *(stale(host=f"m{number}").line for number in range(29))]
    answer = scene(DIFFERS, annotation="\n".join(lines)).run(*ACCEPT)
    said = "shop/web has 32 lines, of which 3 cannot be read: remove them with `kubectl annotate` or `kubectl edit`"
    assert answer.exit_code == NOT_NOW and said in answer.output
    few = scene(DIFFERS, annotation="\n".join(lines[:5] * 20))
    assert few.run(*ACCEPT).exit_code == WELL, "copies take no room"


@pytest.mark.parametrize("words", [(), ("--undo",)], ids=["accept", "undo"])
def test_an_annotation_that_nobody_reads_is_not_added_to(words: Sequence[str]) -> None:
    cluster = scene(DIFFERS, annotation="x" * (MOST_TEXT + 1))
    answer = cluster.run(*ACCEPT, *words)
    assert answer.exit_code == NOT_NOW and "longer than 65536 characters, and nothing in it counts" in answer.output


def test_what_would_be_too_long_to_be_read_is_not_written() -> None:
    long = [stale(host=f"m{number}", reason="x" * 1000, by=f"{number}".ljust(1000, "y")).line for number in range(28)]
    cluster = scene(DIFFERS, annotation="\n".join([*long, "z" * (MOST_TEXT - 100 - len("\n".join(long)))]))
    before = written(cluster)
    answer = cluster.run(*ACCEPT)
    said = "its lines would be longer than the 65536 characters that are read; take some back (--undo)"
    assert answer.exit_code == NOT_NOW and said in answer.output and written(cluster) == before


def test_a_line_that_is_no_word_is_named_and_kept() -> None:
    forged = stale().line.replace('"at"', '"by":"alice","at"')
    cluster = scene(DIFFERS, annotation=forged)
    assert "line 1 of the annotation backstay.dev/accept cannot be read" in cluster.run("copies", "web").stdout
    cluster.run(*ACCEPT)
    assert written(cluster).split("\n")[0] == forged and what_is_told(cluster)["verdict"] == "Accepted"
