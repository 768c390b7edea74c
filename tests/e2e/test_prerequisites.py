"""Real hosts whose configuration differs: a standby is not ready and says why; when the file has been copied there it is, and takes over."""

import pytest

from backstay_dev.show.fault_lab import FaultLab
from backstay_testing.cases import ALL, case

pytestmark = [pytest.mark.api, pytest.mark.hosts]

CONF = "/etc/shop/nginx.conf"
RIGHT, OTHER = "worker_processes 2;\npassword hunter2;\n", "worker_processes 1;\n"
SITE = "/etc/shop/sites/shop.conf"
NEEDS = [
    {"name": "config", "file": {"path": CONF}},
    {"name": "sites", "path": {"path": "/etc/shop/sites", "exclude": ["*~"]}},
    {"name": "dpkg", "package": {"name": "dpkg"}},
    {"name": "account", "setting": {"user": "www-data"}},
    {"name": "kernel", "setting": {"sysctl": "kernel.ostype", "value": "Linux"}},
    {"name": "units", "setting": {"units": ["needy.service", "systemd-journald.service"]}},
]


def test_a_standby_with_another_configuration_says_how_and_takes_over_once_it_has_been_copied(
    fault_lab: FaultLab,
) -> None:
    # Whoever has it may be the first to run it: at first that is n1 alone.
    fault_lab.lab["n1"].write_file(CONF, RIGHT)
    for host in ALL:
        fault_lab.lab[host].write_file(SITE, "listen 80;\nroot /srv/shop;\n")
    with case(fault_lab, "needy", resources=NEEDS, on="n1") as play:
        for host in (host for host in ALL if host != "n1"):
            fault_lab.lab[host].write_file(CONF, OTHER)
        line = f"config: file {CONF} line 1 (worker_processes) is not as on n1"
        play.until_says("StandbyReady", "False ConfigDrift", f"n2: lacks what it needs: {line}")
        play.until_says("Degraded", f"n2: {line}")
        assert "hunter2" not in fault_lab.lab.plane.kubectl("get", "hostassignments,haservices", "-A", "-o", "yaml")
        fault_lab.lab["n2"].write_file(CONF, RIGHT)
        play.until_says("StandbyReady", "n2 could take over now")
        fault_lab.lab["n2"].write_file(SITE, "listen 80;\nroot /srv/other;\n")
        play.until_says("Degraded", f"n2: sites: file {SITE} line 2 (root) is not as on n1")
        fault_lab.lab["n2"].write_file(SITE, "listen 80;\nroot /srv/shop;\n")
        play.until_says("StandbyReady", "n2 could take over now")
        fault_lab.lab["n1"].power_off()
        play.until_running(on="n2")
        # n3 still has another; and it is held against the host that runs it now.
        play.until_says(
            "StandbyReady", f"n3: lacks what it needs: config: file {CONF} line 1 (worker_processes) is not as on n2"
        )
