"""A whole site without power: hosts, operator, fencer, API server and etcd, and all of them back at once."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from backstay_dev.show.fault_lab import OPERATOR, FaultLab, Play

pytestmark = [pytest.mark.api, pytest.mark.hosts]

HOSTS = ("n1", "n2", "n3")


def test_a_site_that_had_lost_all_power_runs_each_service_once_and_nothing_started_by_itself(
    fault_lab: FaultLab,
) -> None:
    with ExitStack() as stack:
        plays = [stack.enter_context(fault_lab.playing(f"cold-{host}", on=host)) for host in HOSTS]
        for play in plays:
            _start_at_boot(fault_lab, play)
        _lose_all_power(fault_lab)
        for name in HOSTS:
            fault_lab.lab[name].power_on()
        assert [len(play.lives) for play in plays] == [1, 1, 1], (
            "hosts are up, nobody has granted anything: nothing runs"
        )
        _control_plane_is_back(fault_lab)
        for play in plays:
            play.until_running(timeout_s=120)
        assert [(len(play.lives), play.epoch, play.evidence) for play in plays] == [(2, 2, "Boot")] * 3
        assert [button for bmc in fault_lab.lab.bmcs.values() for _, button in bmc.presses] == []


def _start_at_boot(fault_lab: FaultLab, play: Play) -> None:
    """What its packages, or people, have left: every host would start it by itself."""
    for name in HOSTS:
        fault_lab.lab[name].run("systemctl", "add-wants", "multi-user.target", f"tick-{play.name}.service")
        fault_lab.lab[name].run("systemctl", "enable", "backstay-agent.service")


def _lose_all_power(fault_lab: FaultLab) -> None:
    plane, product = fault_lab.lab.plane, fault_lab.product
    for bmc in fault_lab.lab.bmcs.values():
        bmc.presses.clear()
    plane.kill_apiserver()
    plane.kill_etcd()
    for child in (*product.operators.values(), *product.fencers.values()):
        child.kill()
    for name in HOSTS:
        fault_lab.lab[name].power_off()


def _control_plane_is_back(fault_lab: FaultLab) -> None:
    plane, product = fault_lab.lab.plane, fault_lab.product
    plane.start_etcd()
    plane.start_apiserver()
    product.start_operator("operator", *OPERATOR)
    product.start_fencer()
