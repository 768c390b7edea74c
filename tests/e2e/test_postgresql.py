"""Debian's real PostgreSQL on two real hosts with one data directory: moved, killed, out of power, rebooted; never opened twice.

The package is left as it comes: `postgresql.service` is enabled and pulls the cluster in at every boot. Two postmasters on one data
directory would not notice each other (they look for a process and for shared memory of their own host), so only Backstay stands between
them. Who has it open is looked at from outside, every 5 ms.
"""

from collections.abc import Iterator

import pytest

from backstay_dev.lab.lab import Lab
from backstay_dev.lab.prerequisites import LAYER
from backstay_dev.show.fault_lab import NAMESPACE, FaultLab
from backstay_testing.postgres import (
    CLUSTER,
    NOT_CLEAN,
    STOLEN,
    UMBRELLA,
    Database,
    is_active,
    put_data_on_the_shared_disk,
    watch,
)

pytestmark = [pytest.mark.api, pytest.mark.hosts]


@pytest.fixture(scope="module")
def two_hosts() -> Iterator[FaultLab]:
    with Lab(2, progress=print, packages=LAYER) as lab:
        fault_lab = FaultLab.open(lab)
        put_data_on_the_shared_disk(fault_lab)
        watch(fault_lab)
        yield fault_lab


@pytest.fixture
def stage(two_hosts: FaultLab) -> Iterator[FaultLab]:
    yield two_hosts
    two_hosts.tidy()
    assert two_hosts.judge() == []


def test_who_starts_it_by_hand_on_both_hosts_has_two_and_the_detector_says_so(stage: FaultLab) -> None:
    """The control: nothing but Backstay stands between them. Its data is of no use to anybody after this."""
    for host in stage.lab.hosts.values():
        host.run("systemctl", "start", CLUSTER)
    stage.until(
        lambda: any("database ran twice" in told for told in stage.judge()),
        "the detector to see two",
        also=lambda: [
            host.run("systemctl", "status", "--no-pager", CLUSTER, check=False) for host in stage.lab.hosts.values()
        ],
        timeout_s=20,
    )
    for host in stage.lab.hosts.values():
        host.run("systemctl", "kill", "--signal=KILL", CLUSTER)
    put_data_on_the_shared_disk(stage)
    stage.judge()


def test_the_cluster_is_moved_killed_powered_off_and_rebooted_and_opened_once_at_a_time(stage: FaultLab) -> None:
    with Database(stage, CLUSTER).applied() as pg:
        live_through_everything(stage, pg)
    assert {is_active(host, CLUSTER) for host in stage.lab.hosts.values()} == {"inactive"}


def live_through_everything(stage: FaultLab, pg: Database) -> None:
    first = pg.until_answers()
    second = next(name for name in stage.lab.hosts if name != first)
    pg.write(first, "written")

    stage.until(lambda: "True" in pg.play.condition("StandbyReady"), "a standby", also=pg.words)
    stage.backstay("move", "pg", "--to", second, "-n", NAMESPACE)
    pg.until_answers(on=second)
    assert pg.has_everything(second) and pg.play.evidence == "Released"
    assert NOT_CLEAN not in pg.log(), "a planned move shuts it down in order"
    pg.write(second, "moved")

    stage.lab[second].run("systemctl", "kill", "--kill-who=main", "--signal=KILL", CLUSTER)
    stage.until(lambda: is_active(stage.lab[second], CLUSTER) != "active", "systemd to see that it died")
    assert pg.until_answers() == second and pg.play.epoch == 2, "started again in place"
    assert pg.has_everything(second)
    pg.write(second, "killed")

    stage.lab[second].power_off()
    pg.until_answers(on=first)
    assert pg.has_everything(first) and pg.play.evidence == "Device"
    pg.write(first, "powerless")
    stage.lab[second].power_on()
    stage.product.wait_ready(timeout_s=60)
    assert is_active(stage.lab[second], CLUSTER) != "active", "enabled, and not started at boot"
    assert stage.judge() == []

    stage.lab[first].run("systemctl", "reboot")
    third = pg.until_answers(epoch=4)
    assert pg.has_everything(third)
    pg.write(third, "rebooted")
    stage.product.wait_ready(timeout_s=60)

    stage.lab[third].reboot(wait=False)
    last = pg.until_answers(epoch=5)
    assert pg.has_everything(last)
    stage.product.wait_ready(timeout_s=60)
    assert stage.judge() == []
    assert len(stage.lives()) >= 6, "somebody looked"
    assert STOLEN not in pg.log()


def test_the_umbrella_that_only_pulls_it_in_is_refused_by_name_or_taken_for_all_that_it_stands_for(
    stage: FaultLab,
) -> None:
    for host in stage.lab.hosts.values():
        host.run("systemctl", "stop", UMBRELLA, CLUSTER)
    with Database(stage, UMBRELLA, name="umbrella").applied() as pg:
        stage.until(pg.is_refused_or_runs, "an answer", also=pg.words)
        if pg.play.condition("Ready").startswith("True"):
            first = pg.until_answers()
            second = next(name for name in stage.lab.hosts if name != first)
            stage.backstay("move", "umbrella", "--to", second, "-n", NAMESPACE)
            pg.until_answers(on=second)
            stage.lab[second].power_off()
            pg.until_answers(on=first)
            stage.lab[second].power_on()
            stage.product.wait_ready(timeout_s=60)
        else:
            assert {is_active(host, CLUSTER) for host in stage.lab.hosts.values()} <= {"inactive", "failed"}, pg.words()
    assert stage.judge() == []
