"""What the judge takes for the newest that a fencer has read of a Lease, before an `off` is sent."""

from dataclasses import replace

from backstay_api.objects import lease as leases
from backstay_dev.simulator.network import Network


def test_an_older_answer_that_comes_last_does_not_hide_a_newer_one() -> None:
    """Two devices of one level are switched side by side; each reads the Lease for itself, and a read may be stale."""
    network = Network.__new__(Network)
    network.lease_reads = {}
    sealed = replace(leases.new("n1"), resource_version="7", sealed=True)
    network.note_read("fencer", sealed)
    network.note_read("fencer", replace(sealed, resource_version="5", sealed=False))
    assert network.lease_reads["fencer", "n1"] == sealed
    reopened = replace(sealed, resource_version="9", sealed=False)
    network.note_read("fencer", reopened)
    assert network.lease_reads["fencer", "n1"] == reopened
