"""What people are told: Events that never get in the way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from backstay_api.objects.kinds import EVENTS, Ref
from backstay_api.objects.models.service import HAServiceStatus
from backstay_api.objects.object_kinds import HA_SERVICES, HOSTS
from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_operator.control.act.apply import Outcome, Result
from backstay_operator.control.counters import Counters
from backstay_operator.control.report.recorder import BURST, QUEUE, Posting, Recorder, posting_of
from backstay_operator.planner.actions import Action, SealLease, WriteHostStatus, WriteInstance, WriteServiceStatus
from backstay_testing.builders import a_host, a_service, an_instance
from backstay_testing.control_scene import WALL, Scene
from backstay_testing.degraded import PARTLY, SLOW, TWICE, WELL, degraded
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


def healthy(status: str) -> dict[str, str]:
    return {"type": "Healthy", "status": status, "reason": "Disk", "message": f"{status}.", "lastTransitionTime": WALL}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param([], [healthy("False")], ("Warning", "Disk", "False."), id="the first look finds something"),
        pytest.param([healthy("True")], [healthy("False")], ("Warning", "Disk", "False."), id="it begins"),
        pytest.param([healthy("False")], [healthy("False")], None, id="it goes on"),
        pytest.param([healthy("False")], [healthy("True")], ("Normal", "Healthy", "True."), id="it ends"),
        pytest.param([healthy("Unknown")], [healthy("True")], None, id="it reports again"),
        pytest.param([], [healthy("True")], None, id="the first look finds nothing"),
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
