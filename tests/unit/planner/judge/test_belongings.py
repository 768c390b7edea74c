"""What a resource names belongs to one service, however it is written."""

from __future__ import annotations

from typing import Any

import pytest

from backstay_api.objects.kinds import Raw
from backstay_api.objects.resource_kinds import STARTED, ResourceKind, claims_of
from backstay_operator.planner.judge import acceptance
from backstay_operator.planner.judge.acceptance import Accepted, Refused
from backstay_operator.planner.know.claims import claim_for
from backstay_testing.acceptance import judged
from backstay_testing.builders import a_service, address, being_deleted, command, unit
from backstay_testing.worlds import a_world


def test_an_address_belongs_to_whoever_holds_its_claim_however_it_is_written() -> None:
    other = a_service("other", address("2001:db8::a/64"), created="2026-02-02T00:00:00Z")
    (key,) = claims_of(other.spec.resources)
    refused = judged(a_service("web", address("2001:0DB8:0::A/128")), other, claims=(claim_for(key, other),))
    assert refused == Refused(
        "AlreadyClaimed",
        "address 2001:db8::a belongs to the HAService shop/other:"
        " only one service can have it; change this one, or delete the other",
    )


def test_its_own_claim_is_no_obstacle() -> None:
    service = a_service("web", address("192.0.2.10/24"))
    (key,) = claims_of(service.spec.resources)
    assert judged(service, claims=(claim_for(key, service),)) == Accepted()


def test_the_same_name_made_again_is_another_service() -> None:
    service = a_service("web", address("192.0.2.10/24"))
    (key,) = claims_of(service.spec.resources)
    former = claim_for(
        key, service.model_copy(update={"metadata": service.metadata.model_copy(update={"uid": "former"})})
    )
    assert isinstance(judged(service, claims=(former,)), Refused)


@pytest.mark.parametrize(
    ("mine", "theirs", "is_refused"),
    [
        pytest.param({}, {}, True, id="the later of two has to wait"),
        pytest.param({"created": "2025-01-01T00:00:00Z"}, {}, False, id="the earlier of two goes ahead"),
        pytest.param({}, {"mode": "Promotable"}, False, id="one that is refused anyway takes nothing"),
        pytest.param(
            {"placement": {"hosts": {"matchLabels": {"pool": "db"}}}},
            {"placement": {"hosts": {"matchLabels": {"pool": "web"}}}},
            False,
            id="on different hosts both may have the unit",
        ),
        pytest.param(
            {"placement": {"hosts": {"matchLabels": {"pool": "db"}}}}, {}, True, id="one common host is enough"
        ),
    ],
)
def test_a_unit_belongs_to_one_service_of_a_host(mine: Raw, theirs: Raw, is_refused: bool) -> None:
    mine = {"created": "2026-02-02T00:00:00Z", **mine}
    service, other = a_service("web", unit("x"), **mine), a_service("other", unit("x"), **theirs)
    answer = judged(service, other)
    assert isinstance(answer, Refused) is is_refused
    if isinstance(answer, Refused):
        assert answer.message.startswith(
            "unit x.service belongs to the HAService shop/other on hosts that both may use"
        )


@pytest.mark.parametrize("removed", [(), ("n2",), ("n1", "n2", "n3")], ids=["", "that host", "every host"])
def test_a_unit_stays_with_whoever_has_it_while_its_host_is_being_removed(removed: tuple[str, ...]) -> None:
    """Seed 80000002672: all hosts were, and the unit of a service that ran on one of them was ordered for another on the next."""
    service, other = a_service("web", unit("x")), a_service("other", unit("x"), created="2026-02-02T00:00:00Z")
    (key,) = claims_of(other.spec.resources)
    world = a_world("n1", "n2", "n3")
    for each in (service, other):
        world.put_service(each)
    world.claims = {claim.key: claim for claim in (claim_for(key, other, ("n2",)),)}
    for name in removed:
        world.hosts[name] = being_deleted(world.hosts[name])
    answer = acceptance.accept(world, service)
    assert isinstance(answer, Refused) and "belongs to the HAService shop/other" in answer.message


def a_command(name: str, start: list[str]) -> Raw:
    return command(name, start=start, stop=["/opt/press", "stop"])


def test_a_command_belongs_to_one_service_of_a_host_and_to_one_resource() -> None:
    """What the same command starts is one thing on the machine, and one unit of the agent's."""
    start, other_start = ["/opt/press", "start", "x" * 100], ["/opt/press", "start", "x" * 100 + "y"]
    younger = a_service("b", a_command("line", start), created="2026-02-02T00:00:00Z")
    answer = judged(younger, a_service("a", a_command("line", start)))
    assert isinstance(answer, Refused) and "belongs to the HAService shop/a" in answer.message
    assert isinstance(judged(younger, a_service("a", a_command("line", other_start))), Accepted)
    twice = judged(a_service("c", a_command("one", start), a_command("two", start)))
    assert isinstance(twice, Refused) and "both name command /opt/press start" in twice.message


def an_ocf(name: str, agent: str, **more: Any) -> Raw:
    return {"name": name, "ocf": {"agent": agent, **more}}


@pytest.mark.parametrize(
    ("mine", "theirs", "said"),
    [
        pytest.param(
            an_ocf("x", "ocf:heartbeat:Dummy", parameters={"state": "/run/x", "fake": "1"}),
            an_ocf("y", "heartbeat:Dummy", parameters={"fake": "1", "state": "/run/x"}),
            "ocf heartbeat:Dummy fake='1' state='/run/x' belongs to the HAService shop/a on hosts that both may use",
            id="told the same, it is the same thing",
        ),
        pytest.param(
            an_ocf("x", "heartbeat:Dummy", parameters={"state": "/run/x"}),
            an_ocf("x", "heartbeat:Dummy", parameters={"state": "/run/y"}),
            "",
            id="told something else, it is another",
        ),
        pytest.param(
            an_ocf("x", "heartbeat:Dummy", instance="one"),
            an_ocf("x", "heartbeat:Dummy", instance="two"),
            "",
            id="named",
        ),
        pytest.param(
            an_ocf("x", "heartbeat:Dummy", instance="one", parameters={"state": "/run/x"}),
            an_ocf("x", "heartbeat:Dummy", instance="one"),
            "ocf heartbeat:Dummy one belongs to the HAService shop/a",
            id="of one name, it is one thing",
        ),
        pytest.param(
            an_ocf("x", "heartbeat:IPaddr2", parameters={"ip": "192.0.2.10", "nic": "eth1"}),
            address("192.0.2.10/24"),
            "address 192.0.2.10 belongs to the HAService shop/a",
            id="an address is one, whoever adds it",
        ),
        pytest.param(
            an_ocf("x", "heartbeat:Filesystem", parameters={"device": "/dev/sdb", "directory": "/a"}),
            an_ocf("x", "heartbeat:Filesystem", parameters={"device": "/dev/sdb", "directory": "/b"}),
            "device /dev/sdb belongs to the HAService shop/a",
            id="a disk is one",
        ),
        pytest.param(
            an_ocf("x", "heartbeat:Filesystem", parameters={"device": "nas:/x", "directory": "/a"}),
            an_ocf("x", "heartbeat:Filesystem", parameters={"device": "nas:/x", "directory": "/b"}),
            "",
            id="an NFS export is for many",
        ),
    ],
)
def test_an_ocf_resource_belongs_to_one_service(mine: Raw, theirs: Raw, said: str) -> None:
    answer = judged(a_service("b", mine, created="2026-02-02T00:00:00Z"), a_service("a", theirs))
    assert answer == Accepted() if not said else isinstance(answer, Refused) and answer.message.startswith(said), answer


# Of every kind one thing, written in two ways.
SAME: dict[str, tuple[Raw, Raw]] = {
    "systemd": ({"unit": "x.service"}, {"unit": r"\x78.service"}),
    "command": ({"start": ["/bin/up"], "stop": ["/bin/down"]}, {"start": ["/bin/up"], "stop": ["/bin/off"]}),
    "virtual_ip": ({"address": "2001:db8::a/64"}, {"address": "2001:0DB8:0::A/128"}),
    "mount": ({"device": "UUID=ab", "path": "/a"}, {"device": "/dev/disk/by-uuid/AB", "path": "/b"}),
    "ocf": ({"agent": "heartbeat:Dummy"}, {"agent": "ocf:heartbeat:Dummy"}),
}


@pytest.mark.parametrize("kind", STARTED, ids=lambda kind: kind.wire)
def test_what_a_kind_names_belongs_to_one_service_however_it_is_written(kind: ResourceKind) -> None:
    """A row that was forgotten with a new kind is missed here."""
    mine, theirs = ({"name": "one", kind.wire: spec} for spec in SAME[kind.field])
    answer = judged(a_service("b", mine, created="2026-02-02T00:00:00Z"), a_service("a", theirs))
    assert isinstance(answer, Refused) and answer.reason == "AlreadyClaimed", answer
