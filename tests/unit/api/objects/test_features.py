"""What agents list that they know, and what a service asks of them: by the words of manifests, each kind once."""

from backstay_agent.config import facts
from backstay_api.objects.features import FEATURES, MOST_FEATURES, asked_by
from backstay_api.objects.models.assignment import HostAssignment
from backstay_testing.builders import a_service, address, an_assignment, unit


def test_an_agent_lists_all_that_this_release_knows() -> None:
    assert facts().features == FEATURES
    assert {"systemd", "virtualIP", "file", "probe.tcpSocket", "probe.exec"} <= set(FEATURES)
    assert len(FEATURES) <= MOST_FEATURES // 2, "room for those of later releases"


def test_the_list_is_kept_as_it_is_told() -> None:
    told = an_assignment("n1").wire() | {"status": {"facts": facts().to_wire()}}
    assert HostAssignment.from_wire(told).status.facts.features == list(FEATURES)


def test_a_service_asks_for_its_kinds_and_probes() -> None:
    probes = [{"name": "a", "tcpSocket": {"port": 1}}, {"name": "b", "exec": {"command": ["/bin/true"]}}]
    service = a_service("web", address("192.0.2.1/24"), {**unit(), "probes": probes})
    assert asked_by(service.spec.resources) == {"virtualIP", "systemd", "probe.tcpSocket", "probe.exec"}
