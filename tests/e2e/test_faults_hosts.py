"""Hosts that die, hang, reboot and are cut off: the service moves only with proof, and a bystander sees nothing."""

import pytest

from backstay_dev.lab.network import Way
from backstay_dev.show.fault_lab import FaultLab

pytestmark = [pytest.mark.api, pytest.mark.hosts]


def test_power_loss_moves_the_service_with_device_evidence_and_leaves_the_bystander_alone(fault_lab: FaultLab) -> None:
    with fault_lab.playing("lost", on="n1") as lost, fault_lab.playing("bystander", on="n2") as bystander:
        fault_lab.lab["n1"].power_off()
        lost.until_running(other_than="n1")
        assert lost.evidence == "Device"
        assert len(bystander.lives) == 1


def test_a_reboot_quicker_than_detection_is_boot_or_device_evidence_and_the_service_runs_once(
    fault_lab: FaultLab,
) -> None:
    with fault_lab.playing("rebooted", on="n1") as play:
        fault_lab.lab["n1"].power_off()
        fault_lab.lab["n1"].power_on(wait=False)
        fault_lab.until(lambda: play.epoch > 1 and play.is_running(), "the next epoch running")
        assert play.evidence in ("Boot", "Device")


def test_a_frozen_host_is_powered_off_before_its_service_starts_elsewhere(fault_lab: FaultLab) -> None:
    with fault_lab.playing("frozen", on="n1") as play:
        fault_lab.lab["n1"].freeze()
        play.until_running(other_than="n1")
        assert play.evidence == "Device"


def test_a_host_cut_off_from_everything_is_powered_off_first(fault_lab: FaultLab) -> None:
    with fault_lab.playing("cut", on="n1") as play:
        fault_lab.lab["n1"].cut_all()
        play.until_running(other_than="n1")
        assert play.evidence == "Device"
        fault_lab.lab["n1"].heal()
        fault_lab.until(lambda: fault_lab.host_says("n1", "Ready").startswith("True"), "n1 to come back", timeout_s=90)
        assert play.host != "n1"


@pytest.mark.parametrize(
    "way", [pytest.param(Way.BOTH, id="both ways"), pytest.param(Way.FROM_HOST, id="it receives and cannot send")]
)
def test_a_host_cut_off_from_the_api_alone_is_sealed_powered_off_and_only_then_replaced(
    fault_lab: FaultLab, way: Way
) -> None:
    """Its service runs well all the while, and everybody but us can reach it: that helps nothing without a proof."""
    with fault_lab.playing(f"apart-{way.name.lower().replace('_', '-')}", on="n1") as play:
        bmc = fault_lab.lab.bmcs["n1"]
        bmc.presses.clear()
        fault_lab.lab["n1"].cut_api(way)
        play.until_running(other_than="n1")
        assert play.evidence == "Device"
        pressed_s, button = bmc.presses[0]
        first, second = play.lives
        assert button == "off"
        assert pressed_s <= first.last_s + 0.1 <= second.first_s + 0.1, (
            "it died of the power button, before the next began"
        )
        assert any("Sealed" in event for event in fault_lab.events("Host", "n1"))
