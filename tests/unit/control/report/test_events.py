"""What people and probes are told: Events that never get in the way, facts about health, log lines with named fields."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from backstay_api.memory.server import Fate
from backstay_api.objects.kinds import EVENTS, Ref
from backstay_api.objects.models.service import HAServiceStatus
from backstay_api.objects.object_kinds import HA_SERVICES, HOSTS
from backstay_api.process import logs
from backstay_api.process.endpoints import _answered
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_operator.control.act.apply import Outcome, Result
from backstay_operator.control.counters import Counters
from backstay_operator.control.report.recorder import BURST, QUEUE, Posting, Recorder, posting_of
from backstay_operator.control.serve.endpoints import Endpoints
from backstay_operator.control.serve.health import Ages, State, ill, not_ready
from backstay_operator.planner.actions import Action, SealLease, WriteHostStatus, WriteInstance, WriteServiceStatus
from backstay_testing.builders import a_host, a_service, an_instance
from backstay_testing.control_scene import WALL, Scene
from backstay_testing.worlds import a_world

WEB = Ref(HA_SERVICES, "shop", "web")
GRANTED = Posting(WEB, "u1", "Normal", "Granted", "WriteInstance", "n1 is the first")


def in_trouble(*, epoch: int) -> HAServiceStatus:
    missing = "n1 is silent: its device says on"
    condition = {
        "type": "Degraded",
        "status": "True",
        "reason": "Recovering",
        "message": missing,
        "lastTransitionTime": WALL,
    }
    instances = [{"name": "web-0", "epoch": epoch}]
    return HAServiceStatus.model_validate({"conditions": [condition], "instances": instances})


def test_what_an_admin_did_on_the_host_is_told_once_and_is_no_warning() -> None:
    act = "web.service: stopped by an admin (12:00)"
    done = HAServiceStatus.model_validate({"instances": [{"name": "web-0", "epoch": 1, "byAdmin": act}]})
    before = a_service()
    posting = posting_of(WriteServiceStatus(before, done), Result(Outcome.DONE), lambda _: "u1")
    assert posting is not None and (posting.type, posting.reason, posting.note) == ("Normal", "ByAdmin", act)
    after = before.model_copy(update={"status": done})
    assert posting_of(WriteServiceStatus(after, done), Result(Outcome.DONE), lambda _: "u1") is None


def degraded(status: str, reason: str, message: str) -> HAServiceStatus:
    condition = {"type": "Degraded", "status": status, "reason": reason, "message": message, "lastTransitionTime": WALL}
    instances = [{"name": "web-0", "epoch": 1}]
    return HAServiceStatus.model_validate({"conditions": [condition], "instances": instances})


WELL, PARTLY, SLOW, TWICE = (
    degraded("False", "AsWanted", "No problem was found"),
    degraded("True", "WorksPartly", "one disk is gone"),
    degraded("True", "Suspect", "it answers slowly"),
    degraded("True", "SecondCopy", "n2 runs it too"),
)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(WELL, PARTLY, ("Warning", "WorksPartly", "one disk is gone"), id="it begins"),
        pytest.param(PARTLY, WELL, ("Normal", "WorksFully", "No longer: one disk is gone"), id="it ends"),
        pytest.param(WELL, TWICE, ("Warning", "SecondCopy", "n2 runs it too"), id="a second copy is found"),
        pytest.param(TWICE, WELL, ("Normal", "WorksFully", "No longer: n2 runs it too"), id="and is gone"),
        pytest.param(PARTLY, PARTLY, None, id="it goes on"),
        pytest.param(WELL, SLOW, ("Warning", "Suspect", "it answers slowly"), id="it becomes slow"),
        pytest.param(SLOW, WELL, ("Normal", "WorksFully", "No longer: it answers slowly"), id="it answers again"),
        pytest.param(
            PARTLY, degraded("True", "NotWorking", "dead"), ("Warning", "NotWorking", "dead"), id="it becomes worse"
        ),
        pytest.param(degraded("True", "NotWorking", "dead"), WELL, None, id="what was worse has its own words"),
    ],
)
def test_what_works_partly_is_told_when_that_begins_and_when_it_ends(
    before: HAServiceStatus, after: HAServiceStatus, told: tuple[str, str, str] | None
) -> None:
    service = a_service().model_copy(update={"status": before})
    posting = posting_of(WriteServiceStatus(service, after), Result(Outcome.DONE), lambda _: "u1")
    assert (posting and (posting.type, posting.reason, posting.note)) == told


def sane(status: str) -> dict[str, str]:
    return {"type": "Sane", "status": status, "reason": "Disk", "message": f"{status}.", "lastTransitionTime": WALL}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param([], [sane("False")], ("Warning", "Disk", "False."), id="the first look finds something"),
        pytest.param([sane("True")], [sane("False")], ("Warning", "Disk", "False."), id="it begins"),
        pytest.param([sane("False")], [sane("False")], None, id="it goes on"),
        pytest.param([sane("False")], [sane("True")], ("Normal", "Sane", "True."), id="it ends"),
        pytest.param([sane("Unknown")], [sane("True")], None, id="it reports again"),
        pytest.param([], [sane("True")], None, id="the first look finds nothing"),
    ],
)
def test_a_host_that_is_not_fit_is_told_when_that_begins_and_when_it_ends(
    before: list[Any], after: list[Any], told: tuple[str, str, str] | None
) -> None:
    action = WriteHostStatus(a_host("n1", status={"conditions": before}), {"conditions": after})
    posting = posting_of(action, Result(Outcome.DONE), lambda _: "u1")
    assert (posting and (posting.type, posting.reason, posting.note)) == told


def a_recorder(scene: Scene) -> tuple[Recorder, Counters]:
    counters = Counters()
    clock = asyncio.get_running_loop().time
    return Recorder(scene.api("op"), counters, identity="op", clock=clock, wall=lambda: WALL), counters


def posted(scene: Scene) -> list[dict[str, Any]]:
    return scene.cluster.bodies(EVENTS)


@in_virtual_time
async def test_the_same_sentence_again_is_one_event_with_a_count() -> None:
    scene = Scene()
    recorder, _ = a_recorder(scene)
    posting = asyncio.create_task(recorder.run())
    for _ in range(3):
        recorder.record(GRANTED)
        await asyncio.sleep(1)
    recorder.record(replace(GRANTED, note="another"))
    await asyncio.sleep(301)
    recorder.record(GRANTED)
    await asyncio.sleep(1)
    posting.cancel()
    assert [(each["note"], each.get("series", {}).get("count")) for each in posted(scene)] == [
        ("n1 is the first", 3),
        ("another", None),
        ("n1 is the first", None),
    ]
    first = posted(scene)[0]
    assert first["regarding"]["uid"] == "u1" and first["metadata"]["namespace"] == "shop"


@in_virtual_time
async def test_what_is_said_too_often_is_cut_short_and_nothing_else_is() -> None:
    scene = Scene()
    recorder, counters = a_recorder(scene)
    posting = asyncio.create_task(recorder.run())
    for number in range(BURST + 30):
        recorder.record(replace(GRANTED, note=f"{number}"))
    host = Ref(HOSTS, "", "n1")
    recorder.record(Posting(host, "u2", "Warning", "Sealed", "SealLease", "silent"))
    recorder.record(replace(GRANTED, type="Warning", reason="Degraded", note="no standby"))
    await asyncio.sleep(1)
    posting.cancel()
    assert len(posted(scene)) == BURST + 2 and counters.events_lost == 30
    assert posted(scene)[-1]["note"] == "no standby"
    assert {each["metadata"]["namespace"] for each in posted(scene) if each["regarding"]["kind"] == "Host"} == {
        "default"
    }


@in_virtual_time
async def test_saying_never_waits_even_where_nothing_can_be_posted() -> None:
    scene = Scene()
    scene.weather_of("op").hang = True
    recorder, counters = a_recorder(scene)
    posting = asyncio.create_task(recorder.run())
    for number in range(QUEUE + 40):
        recorder.record(replace(GRANTED, uid=f"{number}"))
        await asyncio.sleep(0)
    posting.cancel()
    assert counters.events_lost in (39, 40) and not posted(scene)


@pytest.mark.parametrize(
    ("action", "outcome", "told"),
    [
        pytest.param(
            WriteServiceStatus(a_service(), a_service().status), Outcome.DONE, None, id="a status says it itself"
        ),
        pytest.param(
            WriteServiceStatus(a_service(), in_trouble(epoch=1)),
            Outcome.DONE,
            ("HAService", "Recovering"),
            id="trouble that begins is told aloud, too",
        ),
        pytest.param(
            WriteServiceStatus(a_service().model_copy(update={"status": in_trouble(epoch=1)}), in_trouble(epoch=1)),
            Outcome.DONE,
            None,
            id="trouble that goes on has been told",
        ),
        pytest.param(
            WriteServiceStatus(a_service(), in_trouble(epoch=0)), Outcome.DONE, None, id="what never ran is not lost"
        ),
        pytest.param(
            SealLease(a_world("n1").leases["n1"].lease, "silent"), Outcome.DONE, ("Host", "Sealed"), id="a seal"
        ),
        pytest.param(
            SealLease(a_world("n1").leases["n1"].lease, "silent"), Outcome.LOOK_AGAIN, None, id="nothing was done"
        ),
        pytest.param(
            WriteInstance(
                an_instance(a_service(), epoch=1, host="n1"), an_instance(a_service(), epoch=2, host="n2").spec, ""
            ),
            Outcome.DONE,
            ("HAService", "Granted"),
            id="a grant is told at the service",
        ),
        pytest.param(
            WriteInstance(
                an_instance(a_service(), epoch=1, host="n1"), an_instance(a_service(), epoch=1).spec, "drained"
            ),
            Outcome.REFUSED,
            ("HAInstance", "Refused"),
            id="a refusal, whatever it was",
        ),
    ],
)
def test_what_is_told_of_an_action(action: Action, outcome: Outcome, told: tuple[str, str] | None) -> None:
    posting = posting_of(action, Result(outcome, "no"), lambda subject: "u")
    assert (posting and (posting.regarding.kind.kind, posting.reason)) == told


HEALTHY = State(
    Ages(plan_s=1.0, answer_s=0.3, heartbeats_s=0.2, watches_s={}, resync_s={}),
    leads=True,
    waiting_for="",
    path_trouble="",
)


@pytest.mark.parametrize(
    ("state", "is_ill", "is_ready"),
    [
        pytest.param(HEALTHY, False, True, id="all is well"),
        pytest.param(replace(HEALTHY, leads=False), False, True, id="a follower is as ready as a leader"),
        pytest.param(replace(HEALTHY, waiting_for="the first list of Host"), False, False, id="not listed yet"),
        pytest.param(
            replace(HEALTHY, ages=replace(HEALTHY.ages, answer_s=500.0, heartbeats_s=500.0), path_trouble="away"),
            False,
            False,
            id="without the API a new process would see no more",
        ),
        pytest.param(replace(HEALTHY, ages=replace(HEALTHY.ages, plan_s=31.0)), True, False, id="the loop hangs"),
        pytest.param(
            replace(HEALTHY, ages=replace(HEALTHY.ages, heartbeats_s=181.0)), True, False, id="silent beyond repair"
        ),
    ],
)
def test_health_is_judged_by_facts(state: State, is_ill: bool, is_ready: bool) -> None:
    assert (bool(ill(state)), not not_ready(state)) == (is_ill, is_ready)


@in_virtual_time
async def test_endpoints_tell_what_is_missing_and_then_the_facts() -> None:
    scene = Scene()
    scene.add_host("n1")
    scene.weather_of("op").fates = [(lambda request: request.resource.startswith("hosts."), Fate(request_lost=True))]
    async with scene.operator() as operator:
        endpoints = Endpoints(operator)
        await asyncio.sleep(1)
        code, _, body = await endpoints.answer("GET", "/readyz")
        assert code == 503 and "Host" in json.loads(body)["why"]
        assert (await endpoints.answer("GET", "/healthz"))[0] == 200, "starting it again would not help"
        await asyncio.sleep(20)
        code, _, body = await endpoints.answer("GET", "/readyz?verbose")
        assert code == 200 and json.loads(body)["leads"] is True
        assert (await _answered(endpoints.answer, "POST", "/readyz"))[0] == 405
        assert (await endpoints.answer("GET", "/secrets"))[0] == 404


def test_metrics_render_every_fact() -> None:
    from backstay_operator.control.serve.metrics import Metrics

    async def story() -> str:
        scene = Scene()
        scene.add_host("n1")
        scene.add_service()
        scene.add_service("broken", resources="none")
        async with scene.operator() as operator:
            await asyncio.sleep(1)
            operator.counters.failovers["Device"] += 1
            operator.cache.world.put_service(a_service("partly").model_copy(update={"status": PARTLY}))
            return Metrics(operator, Endpoints(operator).state).render().decode()

    lines: list[str] = []
    in_virtual_time(lambda: _collect(story, lines))()
    text = lines[0]
    for expected in (
        "backstay_leader 1.0",
        'backstay_failovers_total{evidence="Device"} 1.0',
        'backstay_writes_total{action="WriteInstance",result="done"} 1.0',
        'backstay_unreadable_objects{kind="HAService"} 1.0',
        'backstay_lease_age_seconds{host="n1"}',
        'backstay_degraded_services{reason="WorksPartly"} 1.0',
        'backstay_plan_duration_seconds_bucket{le="+Inf"}',
        "backstay_stale_entries_total 0.0",
    ):
        assert expected in text, text


async def _collect(story: Any, lines: list[str]) -> None:
    lines.append(await story())


def test_a_log_line_is_a_constant_message_with_named_fields() -> None:
    record = logging.makeLogRecord({"msg": "host lost", "levelname": "WARNING", "host": "n1", "why": "silent for 2 s"})
    assert logs.fields(record) == {"host": "n1", "why": "silent for 2 s"}
    assert logs.text_formatter().format(record).endswith('WARNING host lost  host=n1 why="silent for 2 s"')
    assert json.loads(logs.json_formatter().format(record))["host"] == "n1"
