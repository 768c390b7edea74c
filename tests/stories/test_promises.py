"""One story for each promise: what happens, and every step that the planner takes, in order."""

from __future__ import annotations

from backstay_testing.stage import Stage, steps

SAFETY = ("SealLease", "RequestFence", "UpdateFence", "WriteInstance", "ReopenLease", "DeleteFence")


def running(*hosts: str, on: str = "n1", **spec) -> Stage:
    stage = Stage(*(hosts or ("n1", "n2", "n3")))
    stage.apply_service(**spec)
    stage.wait(2)
    assert stage.copies() == [on], stage.missing()
    stage.log.clear()
    return stage


def test_a_new_service_is_asked_about_everywhere_and_then_granted_once() -> None:
    stage = Stage("n1", "n2", "n3")
    stage.wait(1)
    stage.apply_service()
    log = stage.settle()
    assert steps(log, "SetFinalizer", "CreateInstance", "WriteInstance") == [
        "SetFinalizer web on",
        "CreateInstance web-0",
        "SetFinalizer n1 on",
        "SetFinalizer n2 on",
        "SetFinalizer n3 on",
        "WriteInstance epoch 1 to n1",
    ]
    assert stage.copies() == ["n1"]


def test_a_host_loses_power_and_its_device_says_so() -> None:
    stage = running()
    stage.power_off("n1")
    assert steps(stage.wait(4), *SAFETY) == [
        "RequestFence n1 Observe",
        "SealLease n1",
        "WriteInstance epoch 2 to n2 on Device",
    ]
    assert stage.copies() == ["n2"]


def test_the_host_comes_back_and_nothing_moves_back() -> None:
    stage = running()
    stage.power_off("n1")
    stage.wait(4)
    stage.boot("n1")
    assert steps(stage.wait(4), *SAFETY) == ["ReopenLease n1", "DeleteFence n1"]
    assert stage.copies() == ["n2"]
