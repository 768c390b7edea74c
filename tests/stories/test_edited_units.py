"""Units that an edit brings: nobody was asked about them before, so each candidate is, as before the first epoch."""

from __future__ import annotations

import pytest

from backstay_api.objects.object_kinds import RESOURCE_CLAIMS
from backstay_api.objects.resource_kinds import Claim
from backstay_testing.builders import unit
from backstay_testing.stage import Stage, running


def ordered_units(stage: Stage, host: str, name: str = "web") -> list[str]:
    orders = stage.world.assignments[host].spec.instances.values()
    return [one.systemd.unit for order in orders if order.name == f"{name}-0" for one in order.resources if one.systemd]


def test_a_unit_that_an_edit_brings_is_ordered_when_no_candidate_runs_it() -> None:
    stage = running("n1", "n2", "n3", "n4", "n5", "n6")
    before = ordered_units(stage, "n1")
    stage.start_by_hand("n6", "extra.service")  # enabled there, and running: no standby of today's
    stage.apply_service(resources=[unit("web"), unit("extra")])
    stage.wait(3)
    assert ordered_units(stage, "n1") == before
    assert "n6" in stage.missing() and "extra.service" in stage.missing()
    stage.stop_by_hand("n6")
    stage.wait(3)
    assert "extra.service" in ordered_units(stage, "n1")


def test_a_unit_that_an_edit_brings_waits_for_no_host_that_is_silent() -> None:
    stage = running("n1", "n2", "n3")
    stage.cut_off("n3")
    stage.wait(30)
    stage.apply_service(resources=[unit("web"), unit("extra")])
    stage.wait(3)
    assert "extra.service" in ordered_units(stage, "n1")


@pytest.mark.parametrize("devices", [True, False], ids=["its device reads off", "a person says so"])
def test_a_unit_that_an_edit_brings_waits_until_who_said_last_that_it_runs_there_is_proven_off(devices: bool) -> None:
    """Seed 38799856664: nobody asked for that proof, so nobody could give it."""
    stage = running("n1", "n2", "n3", devices=devices)
    stage.start_by_hand("n3", "extra.service")
    stage.apply_service(resources=[unit("web"), unit("extra")])
    stage.wait(3)
    assert "extra.service" not in ordered_units(stage, "n1")
    stage.power_off("n3")
    stage.wait(10)
    if not devices:
        assert "extra.service" not in ordered_units(stage, "n1")
        assert "`backstay fence n3 --confirm`" in stage.missing()
        stage.confirm("n3")
        stage.wait(3)
    assert "extra.service" in ordered_units(stage, "n1")


def test_a_holder_that_waits_for_such_a_proof_says_so() -> None:
    stage = running("n1", "n2", "n3", devices=False)
    stage.start_by_hand("n3", "extra.service")
    stage.apply_service(resources=[unit("web"), unit("extra")])
    stage.wait(3)
    stage.power_off("n3")
    stage.power_off("n1")
    stage.wait(10)
    stage.confirm("n1")
    stage.wait(3)
    status, reason, message = stage.told("web", "Ready")
    assert (status, reason) == ("False", "Waiting")
    assert message.startswith("Granted to n2, which is not told to start it yet; n3 ran something of it")
    stage.confirm("n3")
    stage.wait(3)
    assert "extra.service" in ordered_units(stage, "n2")


def test_an_edit_that_brings_no_unit_asks_nobody() -> None:
    stage = running("n1", "n3", resources=[unit("web"), unit("extra")])
    stage.add_host("n2")
    stage.start_by_hand("n2", "extra.service")
    stage.wait(2)
    stage.apply_service(resources=[unit("web")])
    stage.wait(3)
    assert "extra.service" not in ordered_units(stage, "n1")


def test_an_edit_is_not_ordered_before_all_that_it_names_is_claimed() -> None:
    stage = running(resources=[unit("web")])
    claim = Claim("Unit", "more.service").name
    stage.upgrade(RESOURCE_CLAIMS)  # nobody can say whose it is
    stage.create(RESOURCE_CLAIMS, {"metadata": {"name": claim}, "spec": {"type": "Unknown-yet", "key": "more.service"}})
    stage.apply_service(resources=[unit("web"), unit("more")])
    stage.wait(3)
    assert ordered_units(stage, "n1") == ["web.service"]
    assert "unit more.service is being claimed on n1 first" in stage.missing()
    stage.delete(RESOURCE_CLAIMS, claim)
    stage.wait(1)
    assert ordered_units(stage, "n1") == ["web.service", "more.service"]
