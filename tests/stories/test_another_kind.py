"""A kind of evidence is one row: with it, everything that asks about evidence asks about this one as well."""

import pytest

from backstay_api.objects.models import HAInstance
from backstay_api.objects.models.instance import Grant
from backstay_operator.planner.judge import evidence
from backstay_operator.planner.know.world import World
from backstay_operator.planner.plan import plan
from backstay_testing.stage import Stage, running, steps

RESET_AFTER_S = 20.0


def until_s(world: World, grant: Grant) -> float | None:
    """When the watchdog of a sealed session has reset its host. Nobody has drilled one yet, so this row is a story's alone."""
    seen = world.leases[grant.host]
    is_its = seen.lease.holder == grant.session.text and seen.sealed_seen_s is not None
    return seen.sealed_seen_s + RESET_AFTER_S if is_its and seen.sealed_seen_s is not None else None


def waited_out(world: World, instance: HAInstance, grant: Grant) -> str:
    at_s = until_s(world, grant)
    return f"{grant.host} is sealed, and its watchdog has reset it" if at_s is not None and world.now_s >= at_s else ""


LEASE = evidence.Kind(
    name="Lease",
    holds=waited_out,
    missing=lambda world, instance, grant: "its watchdog is waited for",
    could_prove=lambda world, host: True,
    means="watchdog",
    wakes_at_s=lambda world, instance, grant: until_s(world, grant),
)


def lost_without_a_device() -> Stage:
    stage = running("n1", "n2", devices=False)
    stage.power_off("n1")
    stage.wait(10)
    return stage


def test_without_it_nothing_could_prove_anything_so_nobody_is_sealed() -> None:
    stage = lost_without_a_device()
    assert not stage.world.leases["n1"].lease.sealed
    assert "n1 is silent: nothing can prove that it is off, for it has no fencing device" in stage.missing()


def test_with_it_the_host_is_sealed_waited_for_and_taken_over_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "KINDS", (LEASE, *evidence.KINDS))
    stage = lost_without_a_device()
    seen = stage.world.leases["n1"]
    assert seen.lease.sealed and seen.sealed_seen_s is not None
    assert "n1 is sealed: its watchdog is waited for" in stage.missing()
    assert plan(stage.world).wake_at_s == seen.sealed_seen_s + RESET_AFTER_S
    stage.wait(RESET_AFTER_S)
    assert stage.copies() == ["n2"]
    assert steps(stage.log, "WriteInstance")[-1] == "WriteInstance epoch 2 to n2 on Lease"
