"""The audit, at the end of the session: what operator, fencer and agents asked the fault lab's API server for, against the chart's roles."""

import pytest

from backstay_dev.rights.audit import Tally
from backstay_dev.show.fault_lab import FaultLab

pytestmark = [pytest.mark.api, pytest.mark.hosts]

# Rights that are needed and that no fault of this session makes anybody use. Each with its reason; what is used is no longer excused.
NOT_REACHED = {
    # A day's token is renewed when it grows old, and no run lasts that long (test_tokens does it on virtual time).
    "agent: create serviceaccounts/token in backstay-hosts",
    # The lab gives hosts their tokens itself (test_packages_on_hosts joins them with lines of the CLI).
    "agent: delete secrets in backstay-hosts",
    "agent: get secrets in backstay-hosts",
    "agent: patch secrets in backstay-hosts",
    # Nobody asks what a unit uses (test_discover does).
    "agent: update hostsurveys/status.backstay.dev",
    # The same hosts have no join token that would say which cluster it is for (test_join_on_a_server, `make test-cluster`).
    "agent: get namespaces",
    # No host is removed in these faults (test_identities removes one).
    "operator: delete hostassignments.backstay.dev",
    "operator: delete leases.coordination.k8s.io in backstay-hosts",
    # No file comes from a ConfigMap, or a Secret, in these faults (test_editions has both).
    "operator: get configmaps",
    "operator: get secrets in backstay-hosts",
    "operator: get secrets in backstay-system",
    "operator: patch secrets in backstay-hosts",
    "operator: patch secrets in backstay-system",
    # No ServiceClass is made in these faults (test_identities makes one).
    "operator: patch serviceclasses/status.backstay.dev",
}


def test_nothing_was_forbidden(fault_lab: FaultLab) -> None:
    tally = Tally()
    tally.take(fault_lab.lab.plane)
    report = tally.report()
    assert tally.used, "the audit log tells of our programs at all"
    assert report.missing == (), report.text()


def test_every_right_was_used(fault_lab: FaultLab, request: pytest.FixtureRequest) -> None:
    faults = {file.name for file in request.path.parent.glob("test_faults_*.py")}
    if missing := faults - {item.path.name for item in request.session.items}:
        pytest.skip(
            f"only a session with all fault tests uses every right; not in this one: {', '.join(sorted(missing))}"
        )
    tally = Tally()
    tally.take(fault_lab.lab.plane)
    excess = {str(need) for need in tally.report().excess}
    assert excess <= NOT_REACHED, tally.report().text()
