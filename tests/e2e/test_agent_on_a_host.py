"""One real agent on one real systemd host against a real API server; the test plays the operator."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from backstay_api.objects import lease as leases
from backstay_dev.lab.lab import Lab
from backstay_dev.lab.shell import LabError, wait_until
from backstay_testing.site import Site

pytestmark = [pytest.mark.api, pytest.mark.hosts]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Lab(1, progress=print) as lab:
        yield Site(lab)


def test_an_order_is_carried_out_survives_its_agent_and_is_released(site: Site) -> None:
    site.order("Up", 1)
    site.until_report("the service is up", phase="Running", healthy=True)
    assert site.main_pid() and site.has_address()

    # Its main process is killed: restarted in place.
    before = site.main_pid()
    site.host.run("systemctl", "kill", "-s", "KILL", "web.service")
    site.until_report("restarted in place", restarts=1, healthy=True)
    assert site.main_pid() not in (0, before)

    # The agent is killed, or ends as it is told: nothing of the service is touched.
    before = site.main_pid()
    agent = site.main_pid("backstay-agent.service")
    site.host.run("systemctl", "kill", "-s", "KILL", "backstay-agent.service")
    wait_until(lambda: site.main_pid("backstay-agent.service") not in (0, agent), timeout_s=20, what="the next agent")
    site.host.run("systemctl", "restart", "backstay-agent.service")
    site.until_report("adopted", phase="Running", healthy=True, restarts=1)
    assert site.main_pid() == before and site.has_address()

    site.order("Down", 1)
    site.until_report("released", released=True)
    assert site.main_pid() == 0 and not site.has_address()


def test_an_agent_that_lost_run_stops_everything_before_it_opens_another_session(site: Site) -> None:
    site.order("Up", 2)
    site.until_report("the service is up", phase="Running", healthy=True)
    old = site.status["session"]["nonce"]
    site.host.run("systemctl", "stop", "backstay-agent.service")
    assert site.main_pid() and site.has_address()
    site.host.run("find", "/run/backstay", "-type", "f", "-delete")
    site.host.run("systemctl", "start", "backstay-agent.service")
    site.until(lambda status: old in status["session"].get("supersedes", ()), "the old session is superseded")
    assert site.main_pid() == 0 and not site.has_address()


def test_a_sealed_lease_ends_the_session_and_a_reopened_one_begins_the_next(site: Site) -> None:
    site.order("Up", 3)
    site.until_report("the service is up", phase="Running", healthy=True)
    old = site.status["session"]["nonce"]
    _change_lease(site, lambda lease: lease.sealed_())
    site.until(lambda status: old in status["session"].get("supersedes", ()), "the sealed session is superseded")
    assert site.main_pid() == 0 and not site.has_address()
    new = site.status["session"]
    _change_lease(site, lambda lease: lease.reopened(f"{new['bootID']}/{new['nonce']}", new["seq"]))
    wait_until(lambda: _lease(site).renewal > 0, timeout_s=20, what="the new session renews")
    site.order("Up", 4)
    site.until_report("the service is up again", phase="Running", healthy=True, epoch=4)
    site.order("Down", 4)
    site.until_report("released", released=True)


_LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{leases.NAMESPACE}/leases/n1"


def _lease(site: Site) -> leases.HostLease:
    return leases.read(site.plane.request("GET", _LEASE))


def _change_lease(site: Site, how: Callable[[leases.HostLease], leases.HostLease]) -> None:
    """By compare-and-swap; the agent renews beside us, so it may take a few tries."""

    def written() -> bool:
        try:
            site.plane.request("PUT", _LEASE, leases.write(how(_lease(site))))
        except Exception as error:
            if "409" not in str(error) and "modified" not in str(error):
                raise
            return False
        return True

    wait_until(written, timeout_s=20, what="the lease is written")


def test_a_removed_agent_leaves_no_drop_in_behind(site: Site) -> None:
    command = ("env", "PYTHONPATH=/opt/backstay", "python3", "-m", "backstay_agent.main", "--remove")
    drop_in = "/etc/systemd/system/web.service.d/zz-backstay.conf"
    secured = json.dumps({"spec": {"secured": ["web.service"]}})
    site.plane.kubectl("patch", "hostassignment", "n1", "--type=merge", "-p", secured)
    wait_until(lambda: site.host.path(drop_in).exists(), timeout_s=20, what="the drop-in of a candidate")
    with pytest.raises(LabError, match="the agent runs"):
        site.host.run(*command)
    site.host.run("systemctl", "stop", "backstay-agent.service")
    site.host.run(*command)
    assert not site.host.path(drop_in).exists()
    assert "zz-backstay" not in site.host.run("systemctl", "cat", "web.service")
