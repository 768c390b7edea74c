"""What the admin of a host allows, on real machines: the others are used, what runs is never left alone, and a broken file says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from backstay_dev.lab.hosts import LabHost
from backstay_dev.lab.lab import AGENT_CODE
from backstay_dev.show.fault_lab import NAMESPACE, FaultLab
from backstay_testing.cases import (
    case,
    host_status,
    is_active,
    main_pid,
    presses,
    report_of,
    running_on,
    until_not_ready,
    until_standby,
)

pytestmark = [pytest.mark.api, pytest.mark.hosts]

FOLDER = "/etc/backstay/policy.d"
ELSE = '[[allow]]\nnamespaces = ["*"]\nunits = ["other.service"]\nnetworks = ["192.0.2.0/24"]\n'


@contextmanager
def policies(fault_lab: FaultLab) -> Iterator[None]:
    """Of hosts, for the length of a story."""
    try:
        yield
    finally:
        for host in fault_lab.lab.hosts.values():
            host.run("rm", "-rf", FOLDER)


def what_it_says_of(host: LabHost, unit: str) -> str:
    """What `backstay-agent policy test` says there, and its exit code."""
    resource = {"name": "server", "systemd": {"unit": unit}}
    body = {"kind": "HAService", "metadata": {"name": "x", "namespace": NAMESPACE}, "spec": {"resources": [resource]}}
    program = f"PYTHONPATH={AGENT_CODE} python3 -m backstay_agent.main policy test -; echo exit $?"
    return host.run("sh", "-c", program, stdin=json.dumps(body))


def test_what_a_host_refuses_runs_elsewhere_and_what_runs_is_never_left_alone(fault_lab: FaultLab) -> None:
    with policies(fault_lab), case(fault_lab, "case90", on="n1") as play:
        n1, n2, n3 = (fault_lab.lab[name] for name in ("n1", "n2", "n3"))
        for name in ("n2", "n3"):
            until_standby(play, name)
        n2.write_file(f"{FOLDER}/10-shop.toml", ELSE)
        until_not_ready(play, ["n2"], f"{FOLDER}/10-shop.toml does not allow", "case90.service", "`units`")
        assert "refused" in (said := what_it_says_of(n2, "case90.service")) and said.endswith("exit 1\n")
        assert "allowed (no policy" in (said := what_it_says_of(n3, "case90.service")) and said.endswith("exit 0\n")

        # Tightened where it runs: it is watched on, and when it fails, stopped there as a whole. It goes where it may.
        n1.write_file(f"{FOLDER}/10-shop.toml", ELSE)
        fault_lab.until(
            lambda: "does not allow" in report_of(play, "n1").get("why", ""),
            "n1 to say that its policy refuses what runs there",
            also=lambda: report_of(play, "n1"),
        )
        assert running_on(fault_lab, "case90.service") == ["n1"] and play.epoch == 1
        n1.run("kill", "-9", str(main_pid(n1, "case90.service")))
        play.until_running(on="n3")
        assert play.epoch == 2 and not is_active(n1, "case90.service") and presses(fault_lab, "n1") == []

        # A file that others may write allows nothing new. What runs is restarted all the same.
        n3.write_file(f"{FOLDER}/10-shop.toml", ELSE, mode=0o666)
        fault_lab.until(
            lambda: "may be written by others than root" in str(host_status(fault_lab, "n3").get("problems", "")),
            "n3 to say that its policy cannot be used",
            also=lambda: host_status(fault_lab, "n3").get("problems"),
        )
        pid = main_pid(n3, "case90.service")
        n3.run("kill", "-9", str(pid))
        fault_lab.until(lambda: main_pid(n3, "case90.service") not in (0, pid), "its restart in place")
        play.until_running(on="n3")
        assert play.epoch == 2

        # Loosened, without a restart of any agent.
        n2.write_file(f"{FOLDER}/10-shop.toml", ELSE.replace("other.service", "case9*.service"))
        until_standby(play, "n2")
