"""Case 15 with the whole product: a holder is rebooted in order, while a unit that is none of ours takes its time."""

from __future__ import annotations

import pytest

from backstay_dev.show.fault_lab import FaultLab

pytestmark = [pytest.mark.api, pytest.mark.hosts]

LEDGER = """\
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/sh -c 'sleep 15; date >/srv/ledger.ok; sync'
TimeoutStopSec=60
"""


def test_a_clean_reboot_of_the_holder_is_released_and_nobody_is_powered_off(fault_lab: FaultLab) -> None:
    host, bmc = fault_lab.lab["n1"], fault_lab.lab.bmcs["n1"]
    with fault_lab.playing("orderly", on="n1") as play:
        host.install_unit("ledger.service", LEDGER)
        host.path("/srv/ledger.ok").unlink(missing_ok=True)  # another test's, on the same machine
        host.run("systemctl", "start", "ledger.service")
        host.run("systemctl", "enable", "backstay-agent.service")
        bmc.presses.clear()
        host.run("systemctl", "--no-block", "reboot")
        play.until_running(other_than="n1")
        assert play.evidence == "Released"
        assert not host.path("/srv/ledger.ok").exists(), "it runs elsewhere long before the other unit is through"
        fault_lab.until(lambda: host.path("/srv/ledger.ok").exists(), "the other unit to be through")
        fault_lab.until(lambda: fault_lab.host_says("n1", "Ready").startswith("True"), "n1 to be back", timeout_s=90)
        assert not [press for press in bmc.presses if press[1] == "off"]


FIELD = "[Unit]\nAllowIsolate=yes\nRequires=basic.target\nAfter=basic.target\n"


def test_a_host_that_is_isolated_to_another_target_releases_what_it_holds_and_nobody_is_powered_off(
    fault_lab: FaultLab,
) -> None:
    """`systemctl isolate` stops the agent beside the service: silent and holding, the host would be cut off."""
    host, bmc = fault_lab.lab["n1"], fault_lab.lab.bmcs["n1"]
    with fault_lab.playing("isolated", on="n1") as play:
        host.install_unit("field.target", FIELD)
        bmc.presses.clear()
        host.run("systemctl", "--no-block", "isolate", "field.target")
        play.until_running(other_than="n1")
        assert play.evidence == "Released"
        assert host.run("systemctl", "is-active", "backstay-agent.service", check=False).strip() == "inactive"
        host.run("systemctl", "isolate", "multi-user.target")
        host.run("systemctl", "start", "backstay-agent.service")
        fault_lab.until(lambda: fault_lab.host_says("n1", "Ready").startswith("True"), "n1 to be back", timeout_s=90)
        assert not [press for press in bmc.presses if press[1] == "off"]
