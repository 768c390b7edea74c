"""The control run: the detector that judges every fault test sees what a reconciler does that skips the evidence."""

import pytest

from backstay_dev.show import overlap, unsafe_reconciler
from backstay_dev.show.fault_lab import TICKER, FaultLab

pytestmark = [pytest.mark.api, pytest.mark.hosts]

UNIT = "unsafe.service"
# Not where the judge of the other tests reads: this overlap is meant.
TRACES = "/shared/control-run"


def test_a_reconciler_that_skips_evidence_runs_a_service_twice_and_the_detector_says_so(fault_lab: FaultLab) -> None:
    lab = fault_lab.lab
    folder = lab.shared / "control-run"
    folder.mkdir()
    for host in lab.hosts.values():
        host.install_unit(UNIT, f"[Service]\nExecStart=/usr/bin/python3 -S -E {TICKER} unsafe-0 {TRACES} /none\n")
    traces, one_round = overlap.Traces(folder), unsafe_reconciler.on_a_lab(lab, UNIT)
    try:
        fault_lab.until(lambda: one_round().holder == "n1" and bool(traces.lives()), "the unit to run on n1")
        assert overlap.overlaps(traces.lives()) == []
        lab["n1"].cut_all()
        fault_lab.until(lambda: one_round().holder != "n1", "its host to be silent, and taken for dead")
        fault_lab.until(lambda: bool(overlap.overlaps(traces.lives())), "the detector to see two copies")
        [found] = overlap.overlaps(traces.lives())
        assert (found.earlier.host, found.later.host) == ("n1", "n2")
        assert "unsafe-0 ran twice" in str(found)
    finally:
        for host in lab.hosts.values():
            host.run("systemctl", "stop", UNIT)
