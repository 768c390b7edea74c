"""Other people's bug reports about objects (namespaces that go, names that are long) and about starts and stops that take long."""

import json

import pytest

from backstay_dev.lab.shell import LabError
from backstay_dev.show.fault_lab import FaultLab, Play
from backstay_testing.cases import (
    case,
    kill_main,
    labelled,
    move,
    running_on,
    tick,
    unit_of,
    until_ready,
)

pytestmark = [pytest.mark.api, pytest.mark.hosts]


def test_11_a_crash_is_answered_at_once_while_another_service_takes_long_to_start(fault_lab: FaultLab) -> None:
    slow = SLOW_START.replace("sleep 22", "sleep 5") + "TimeoutStartSec=120\n"
    with (
        labelled(fault_lab, "n1", "11") as placement,
        case(fault_lab, "case11", placement=placement) as neighbour,
        case(fault_lab, "case11-slow", unit=slow, placement=placement, wait=False) as late,
    ):
        fault_lab.until(lambda: activating(fault_lab, "case11-slow.service"), "the slow start to begin")
        kill_main(fault_lab.lab["n1"], "case11.service")
        fault_lab.until(lambda: len(neighbour.lives) == 2 and neighbour.is_running(), "the neighbour's next life")
        assert activating(fault_lab, "case11-slow.service"), "the slow one is not through yet"
        late.until_running(on="n1")
        assert late.epoch == neighbour.epoch == 1 and len(late.lives) == 1


def activating(fault_lab: FaultLab, unit: str) -> bool:
    return fault_lab.lab["n1"].run("systemctl", "is-active", unit, check=False).strip() == "activating"


def test_12_a_namespace_that_is_deleted_takes_everything_with_it_also_when_it_was_just_filled(
    fault_lab: FaultLab,
) -> None:
    plane = fault_lab.lab.plane
    for host in fault_lab.lab.hosts.values():
        host.install_unit("case12.service", unit_of("case12"))
    for wait in (True, False):
        plane.kubectl("create", "namespace", "case12")
        body = service("case12", "case12", "case12.service", "192.0.2.97")
        plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))
        if wait:
            fault_lab.until(lambda: running_on(fault_lab, "case12.service") != [], "it to run")
        delete_namespace(fault_lab, "case12")
        fault_lab.until(
            lambda: left_of(fault_lab, "case12") == "",
            "nothing to be left",
            also=lambda: left_of(fault_lab, "case12"),
            timeout_s=30,
        )
        assert running_on(fault_lab, "case12.service") == []


def service(namespace: str, name: str, unit: str, address: str) -> dict[str, object]:
    resources = [
        {"name": "server", "systemd": {"unit": unit}},
        {"name": "address", "virtualIP": {"address": f"{address}/24"}},
    ]
    meta = {"name": name, "namespace": namespace}
    return {
        "apiVersion": "backstay.dev/v1alpha1",
        "kind": "HAService",
        "metadata": meta,
        "spec": {"resources": resources},
    }


def delete_namespace(fault_lab: FaultLab, name: str) -> None:
    """What the namespace controller does, which this lab has not: mark it, delete what is in it, again and again, then let it go."""
    plane = fault_lab.lab.plane
    plane.kubectl("delete", "namespace", name, "--wait=false")
    plane.kubectl("delete", "hasvc,hai", "--all", "-n", name, "--wait=false")

    def empty() -> bool:
        plane.kubectl("delete", "hai", "--all", "-n", name, "--wait=false")
        return plane.kubectl("get", "hasvc,hai", "-n", name, "-o", "name").strip() == ""

    fault_lab.until(empty, f"the namespace {name} to be empty", timeout_s=30)
    body = plane.request("GET", f"/api/v1/namespaces/{name}")
    plane.request("PUT", f"/api/v1/namespaces/{name}/finalize", {**body, "spec": {"finalizers": []}})


def left_of(fault_lab: FaultLab, name: str) -> str:
    return "\n".join(
        line
        for kind in ("resourceclaims.backstay.dev", "hasvc", "hai", "namespaces")
        for line in fault_lab.lab.plane.kubectl("get", kind, "-A", "-o", "wide", "--no-headers").splitlines()
        if name in line
    )


def test_24_a_name_that_is_too_long_is_refused_with_a_sentence_and_a_long_one_works(fault_lab: FaultLab) -> None:
    for host in fault_lab.lab.hosts.values():
        host.install_unit("case24.service", unit_of("case24"))
    longest, long = "a" * 253, "m" * 64
    resources = {"resources": [{"name": "server", "systemd": {"unit": "case24.service"}}]}
    try:
        try:
            fault_lab.apply(longest, resources)
        except LabError as refusal:
            assert ("name" in str(refusal) and "253" in str(refusal)) or "characters" in str(refusal)
        else:
            play = Play(longest, fault_lab, "")

            def told() -> str:
                return f"{play.condition('Accepted')}; {play.condition('Ready')}"

            fault_lab.until(
                lambda: (
                    ("False" in play.condition("Accepted") and "name" in told())
                    or play.condition("Ready").startswith("True")
                ),
                "it to run, or to be refused with a sentence",
                also=told,
                timeout_s=20,
            )
    finally:
        fault_lab.take_off(longest)
    with case(fault_lab, "case24-beside"):
        fault_lab.apply(long, resources)
        until_ready(Play(long, fault_lab, ""))
        fault_lab.take_off(long)


SLOW_START = (
    "[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c 'sleep 22; systemd-notify --ready; exec {tick}'\n"
)
SLOW_STOP = "[Service]\nKillMode=mixed\nExecStart=/usr/local/bin/case21-stop\n"


def test_21_a_unit_that_names_no_limits_has_systemds_ninety_seconds_to_start_and_to_stop(fault_lab: FaultLab) -> None:
    """More than the agent's own 20 s; both at once, because that takes time."""
    clean = f"""#!/bin/sh
trap '[ $(hostname) = n1 ] && sleep 22; date >/srv/case21.clean; exit 0' TERM
{tick("case21-stop")} &
while :; do sleep 0.2; done
"""
    program = {"/usr/local/bin/case21-stop": clean}
    with case(fault_lab, "case21-stop", unit=SLOW_STOP, programs=program, on="n1") as stops:
        fault_lab.lab["n1"].path("/srv/case21.clean").unlink(missing_ok=True)
        with case(fault_lab, "case21-start", unit=SLOW_START, wait=False) as begins:
            move(stops, "n2")
            begins.until_running(timeout_s=60)
            assert begins.epoch == 1
            until_ready(stops, on="n2", timeout_s=60)
            assert fault_lab.lab["n1"].path("/srv/case21.clean").exists(), "it was killed in the middle of its shutdown"
        fault_lab.lab["n2"].path("/srv/case21.clean").unlink(missing_ok=True)
