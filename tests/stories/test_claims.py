"""What belongs to whom: units and commands host by host, addresses in the whole cluster, and who is told what when two want one."""

from __future__ import annotations

from typing import Any

import pytest

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import ResourceClaim
from backstay_api.objects.object_kinds import HOST_ASSIGNMENTS, RESOURCE_CLAIMS
from backstay_api.objects.resource_kinds import Claim
from backstay_operator.planner.know.claims import claim_for
from backstay_testing.builders import unit
from backstay_testing.stage import Stage, running, steps

ADDRESS = {"name": "address", "virtualIP": {"address": "192.0.2.10/24"}}


def pool(name: str) -> dict[str, Any]:
    return {"hosts": {"matchLabels": {"pool": name}}}


def who_runs(stage: Stage, unit_name: str) -> list[str]:
    """Hosts that have been ordered to run this unit and run that instance."""
    found: list[str] = []
    for host, assignment in stage.world.assignments.items():
        for order in assignment.spec.instances.values():
            units = [one.systemd.unit for one in order.resources if one.systemd]
            if order.want == "Up" and unit_name in units and f"unit {unit_name}" in stage.machines[host].state.running:
                found.append(host)
    return sorted(found)


def two(*, old: str = "old", devices: bool = True) -> Stage:
    """`old` runs old.service on n1 and `young` runs db.service on n2; or `old` has that unit first."""
    stage = Stage("n1", "n2", "n3", devices=devices)
    stage.wait(1)
    stage.apply_service("old", resources=[unit(old)])
    stage.wait(1)
    stage.apply_service("young", resources=[unit("db")])
    stage.wait(1)
    assert who_runs(stage, "db.service") == ["n1" if old == "db" else "n2"]
    return stage


# --- units -----------------------------------------------------------------------------------------------------------


def test_an_edit_takes_no_unit_that_a_younger_service_has() -> None:
    stage = two()
    stage.apply_service("old", resources=[unit("old"), unit("db")])
    stage.wait(3)
    assert who_runs(stage, "db.service") == ["n2"]
    status, reason, message = stage.told("old", "Accepted")
    assert (status, reason) == ("False", "AlreadyClaimed")
    assert message.startswith("unit db.service belongs to the HAService shop/young on hosts that both may use")
    assert who_runs(stage, "old.service") == ["n1"], "it goes on as it was"
    assert stage.told("young", "Accepted")[0] == "True"


def test_a_unit_is_free_for_the_next_only_when_nothing_can_run_it_any_more() -> None:
    stage = two(old="db", devices=False)
    stage.cut_off("n1")  # it runs on, and receives nothing
    stage.wait(5)
    stage.apply_service("old", resources=[unit("other")])
    stage.wait(30)
    assert stage.copies("young") == []
    assert stage.told("young", "Accepted")[1] == "AlreadyClaimed"
    stage.reconnect("n1")
    stage.wait(5)
    assert stage.copies("young") != [], "n1 has said that it runs the new manifest"


def test_a_renamed_unit_goes_to_the_next_once_the_new_manifest_runs() -> None:
    stage = two()
    stage.apply_service("old", resources=[unit("db")])
    stage.wait(2)
    assert stage.told("old", "Accepted")[1] == "AlreadyClaimed"
    stage.apply_service("young", resources=[unit("other")])
    stage.wait(3)
    assert stage.told("old", "Accepted")[0] == "True"
    assert who_runs(stage, "db.service") == ["n1"]
    assert who_runs(stage, "other.service") == ["n2"]


def test_pools_that_share_no_host_may_name_the_same_unit() -> None:
    stage = Stage("n1", "n2", "n3", "n4")
    for host, name in (("n1", "a"), ("n2", "a"), ("n3", "b"), ("n4", "b")):
        stage.label(host, pool=name)
    stage.wait(1)
    stage.apply_service("one", resources=[unit("nginx")], placement=pool("a"))
    stage.apply_service("two", resources=[unit("nginx")], placement=pool("b"))
    stage.wait(2)
    assert who_runs(stage, "nginx.service") == ["n1", "n3"]
    (claim,) = stage.world.claims.values()
    assert {one.host: one.name for one in claim.spec.hosts or ()} == {
        "n1": "one",
        "n2": "one",
        "n3": "two",
        "n4": "two",
    }


def test_a_host_that_changes_pools_is_a_candidate_only_when_the_unit_is_claimed_there() -> None:
    stage = Stage("n1", "n2", "n3", "n4")
    for host, name in (("n1", "a"), ("n2", "a"), ("n3", "b"), ("n4", "b")):
        stage.label(host, pool=name)
    stage.wait(1)
    stage.apply_service("one", resources=[unit("nginx")], placement=pool("a"))
    stage.apply_service("two", resources=[unit("nginx")], placement=pool("b"))
    stage.wait(2)
    stage.cut_off("n1")  # it runs on, and n1 changes pools meanwhile
    stage.break_bmc("n1")
    stage.label("n1", pool="b")
    stage.wait(10)
    claim = next(iter(stage.world.claims.values()))
    owners = {one.host: one.name for one in claim.spec.hosts or ()}
    assert owners["n1"] == "one", "nothing has shown that it does not run there"
    stage.ask_to_move("n1", "two")
    stage.reconnect("n1")
    stage.wait(3)
    assert who_runs(stage, "nginx.service") in (["n2", "n3"], ["n1", "n2"]), stage.log[-10:]
    owners = {one.host: one.name for one in next(iter(stage.world.claims.values())).spec.hosts or ()}
    assert owners["n1"] == "two", "it has left, and said so"
    assert stage.told("one", "Accepted")[0] == stage.told("two", "Accepted")[0] == "True", (
        "nobody is refused for a label"
    )


def test_an_order_goes_out_only_under_a_claim_that_records_it() -> None:
    stage = running(resources=[unit("web"), ADDRESS])
    stage.log.clear()
    stage.ask_to_move("n2")
    done = steps(stage.wait(2), "WriteInstance", "WriteClaim", "Assign")
    assert done.index("WriteClaim 192.0.2.10") < len(done) - 1 - done[::-1].index("Assign n2")
    claim = next(c for c in stage.world.claims.values() if c.spec.type == "Address")
    assert claim.spec.owner is not None
    assert (claim.spec.owner.epoch, claim.spec.owner.revision) == (2, 1)


def test_an_edit_is_recorded_in_the_claims_before_it_is_ordered() -> None:
    stage = running(resources=[unit("web"), ADDRESS])
    stage.apply_service(resources=[unit("web"), unit("more"), ADDRESS])
    done = steps(stage.settle(), "CreateClaim", "WriteClaim", "Assign")
    ordered = done.index("Assign n1", done.index("CreateClaim more.service"))
    assert done.index("WriteClaim 192.0.2.10") < ordered
    recorded = {claim.spec.key: _of_n1(claim) for claim in stage.world.claims.values()}
    assert recorded == {"192.0.2.10": (1, 2), "web.service": (1, 2), "more.service": (1, 2)}


@pytest.mark.parametrize(
    ("epoch", "stays"),
    [
        pytest.param(1, False, id="all orders that may name it are known"),
        pytest.param(2, True, id="an epoch was recorded that we have not seen granted"),
    ],
)
def test_a_claim_is_kept_while_an_order_that_names_it_may_be_on_its_way(epoch: int, stays: bool) -> None:
    stage = running(resources=[unit("web")])
    stage.apply_service(resources=[unit("web"), unit("more")])
    stage.wait(1)
    service = stage.world.services["shop/web"]
    claim = claim_for(Claim("Address", "192.0.2.10"), service, (), stage.world.instances["shop/web-0"])
    owner = claim.spec.owner
    assert owner is not None
    recorded = owner.model_copy(update={"epoch": epoch, "revision": 1})
    spec = claim.spec.model_copy(update={"owner": recorded})
    stage.create(RESOURCE_CLAIMS, claim.model_copy(update={"spec": spec}).wire())
    stage.settle()
    assert any(one.spec.type == "Address" for one in stage.world.claims.values()) == stays


def _of_n1(claim: ResourceClaim) -> tuple[int, int]:
    owner = claim.spec.owner or next(one for one in claim.spec.hosts or () if one.host == "n1")
    return owner.epoch, owner.revision


def test_nothing_moves_to_a_host_before_the_unit_is_claimed_there() -> None:
    stage = running()
    (claim,) = stage.world.claims.values()
    known = [one.wire() for one in claim.spec.hosts or () if one.host != "n3"]
    stage.edit(RESOURCE_CLAIMS, claim.metadata.name, spec={"hosts": known})
    stage.ask_to_move("n3")
    done = steps(stage.settle(), "WriteClaim", "Assign")
    assert done[0] == "WriteClaim web.service"
    assert stage.copies() == ["n3"]


def test_a_host_that_leaves_keeps_the_claim_of_what_may_run_twice_until_it_says_that_it_is_over() -> None:
    stage = running(exclusive=False)
    for host in ("n2", "n3"):
        stage.label(host, pool="a")
    stage.break_bmc("n1")
    stage.cut_off("n1")
    stage.wait(5)
    assert stage.copies() == ["n1", "n2"]
    stage.apply_service(exclusive=False, placement=pool("a"))
    stage.wait(5)
    (claim,) = stage.world.claims.values()
    assert [one.host for one in claim.spec.hosts or ()] == ["n1", "n2", "n3"]
    stage.reconnect("n1")
    stage.wait(5)
    (claim,) = stage.world.claims.values()
    assert [one.host for one in claim.spec.hosts or ()] == ["n2", "n3"]


def test_an_address_that_an_edit_leaves_out_is_given_back_only_on_a_report_of_what_runs_without_it() -> None:
    stage = running(resources=[unit("web"), ADDRESS])
    stage.cut_off("n1")
    stage.break_bmc("n1")
    stage.apply_service(resources=[unit("web")])
    stage.wait(10)
    assert any(claim.spec.type == "Address" for claim in stage.world.claims.values())
    stage.reconnect("n1")
    stage.wait(3)
    assert not any(claim.spec.type == "Address" for claim in stage.world.claims.values())


def test_nothing_of_a_deleted_service_is_left_but_what_a_silent_host_may_still_run() -> None:
    stage = running(exclusive=False)
    stage.break_bmc("n1")
    stage.cut_off("n1")
    stage.wait(5)
    stage.delete_service()
    stage.wait(5)
    assert "shop/web" not in stage.world.services
    (claim,) = stage.world.claims.values()
    assert [one.host for one in claim.spec.hosts or ()] == ["n1"]
    stage.reconnect("n1")
    stage.wait(5)
    assert stage.world.claims == {}
    assert stage.copies() == []


# --- refused in words ------------------------------------------------------------------------------------------------


def test_an_address_of_a_host_is_refused_by_the_name_of_the_host_wherever_it_is() -> None:
    stage = Stage("n1", "n2", "n3")
    stage.label("n1", pool="a")
    stage.wait(1)
    stage.power_off("n2")
    stage.edit(HOST_ASSIGNMENTS, "n2", status={"facts": {"addresses": ["192.0.2.12/24", "nonsense"]}})
    own = {"name": "address", "virtualIP": {"address": "192.0.2.12/25"}}
    stage.apply_service(resources=[unit("web"), own], placement=pool("a"))
    stage.wait(5)
    status, reason, message = stage.told("web", "Accepted")
    assert (status, reason) == ("False", "AddressOfAHost")
    assert "192.0.2.12 is n2's own address" in message
    assert stage.copies() == []


def test_copies_that_may_run_twice_have_no_address() -> None:
    stage = Stage("n1", "n2")
    stage.wait(1)
    stage.apply_service(exclusive=False, resources=[unit("web"), ADDRESS])
    stage.wait(2)
    status, reason, message = stage.told("web", "Accepted")
    assert (status, reason) == ("False", "AddressNotExclusive")
    assert "two hosts would have the address at once" in message


@pytest.mark.parametrize("length", [252, 253])
def test_a_name_that_leaves_no_room_for_what_is_named_after_it_is_refused(length: int) -> None:
    stage = Stage("n1", "n2")
    stage.wait(1)
    name = "x" * length
    stage.apply_service(name, uid="uid", resources=[unit("web")])
    stage.wait(2)
    status, reason, message = stage.told(name, "Accepted")
    assert (status, reason) == ("False", "NameTooLong")
    assert f"{length} characters" in message and "at most 251" in message


@pytest.mark.parametrize(
    ("spec", "length", "why"),
    [
        pytest.param({"mode": "Replicated", "replicas": 11}, 251, "at most 250", id="ten copies have one digit more"),
    ],
)
def test_a_name_is_refused_that_leaves_no_room_for_all_its_instances(spec: Raw, length: int, why: str) -> None:
    stage = Stage("n" * 40, "n2")
    stage.wait(1)
    name = "x" * length
    stage.apply_service(name, uid="uid", resources=[unit("web")], **spec)
    stage.wait(2)
    status, reason, message = stage.told(name, "Accepted")
    assert (status, reason) == ("False", "NameTooLong") and why in message


def test_a_copy_is_not_made_whose_name_would_be_too_long_and_the_others_are() -> None:
    stage = Stage("n" * 40, "n2")
    stage.wait(1)
    name = "x" * 230
    stage.apply_service(name, uid="uid", resources=[unit("web")], mode="EveryHost")
    stage.wait(5)
    assert stage.told(name, "Accepted")[0] == "True" and stage.copies(name) == ["n2"]
    assert "would have a name of 271 characters, and 253 is the most" in stage.told(name, "Ready")[2]


def test_a_selected_host_that_another_service_has_the_unit_on_is_said_by_the_name_of_the_other() -> None:
    stage = Stage("n1", "n2", "n3", "n4")
    for host, name in (("n1", "a"), ("n2", "a"), ("n3", "b"), ("n4", "b")):
        stage.label(host, pool=name)
    stage.wait(1)
    stage.apply_service("one", resources=[unit("nginx")], placement=pool("a"))
    stage.apply_service("two", resources=[unit("nginx")], placement=pool("b"))
    stage.wait(2)
    stage.apply_service("one", resources=[unit("nginx")])  # now it selects all four
    stage.wait(3)
    assert who_runs(stage, "nginx.service") == ["n1", "n3"]
    said = {one.host: one.why for one in stage.world.services["shop/one"].status.standbys}
    assert said["n3"] == said["n4"] == "may not run it: unit nginx.service belongs to the HAService shop/two there"
    stage.delete_service("two")
    stage.wait(5)
    ready = {one.host: one.ready for one in stage.world.services["shop/one"].status.standbys}
    assert ready["n3"], "it is free now"


def test_a_host_whose_name_leaves_no_room_for_a_fence_request_gets_nothing_and_says_so() -> None:
    name = "h" * 237
    stage = Stage(name, "n2")
    stage.freeze(name)
    stage.wait(1)
    stage.apply_service()
    stage.wait(2)
    assert stage.copies() == ["n2"]
    assert "leaves room for 236" in stage.host_says(name, "Schedulable")


def test_a_deleted_service_leaves_no_claim_on_a_host_that_was_proven_off() -> None:
    stage = running()
    stage.power_off("n1")
    stage.wait(5)
    assert stage.copies() == ["n2"]
    stage.delete_service()
    stage.wait(3)
    assert "shop/web" not in stage.world.services
    assert stage.world.claims == {}
