"""What each part of a service of mode Promotable has of what its agent promotes."""

from __future__ import annotations

from backstay_api.objects.resource_kinds import claims_of, identities
from backstay_operator.planner.do.orders import rendered
from backstay_operator.planner.know.parts import parts
from backstay_testing.builders import a_service, address, promotable, unit

PROBE = {"name": "tcp", "tcpSocket": {"port": 5432}}
DB = promotable(probes=[PROBE], onFailure="Move", timeouts={"stop": "9s"}, after=["disk"])
SERVICE = a_service(
    "web",
    unit("disk"),
    {**address("192.0.2.9/24", "first"), "role": "Promoted"},
    DB,
    {**address("192.0.2.8/24"), "role": "Promoted", "after": ["db"]},
    mode="Promotable",
    replicas=3,
)


def test_each_copy_starts_it_and_the_promoted_one_has_it_promoted_in_its_place() -> None:
    copies, role = (rendered(part) for part in parts(SERVICE))
    assert [one.name for one in copies] == ["disk", "db"]
    assert [one.name for one in role] == ["first", "db", "address"]
    copy, promotion = copies[1].wire(), role[1].wire()
    assert copy["ocf"] == {"agent": "d:x", "instance": "db", "copies": 3}
    assert promotion["ocf"] == {"agent": "d:x", "instance": "db", "copies": 3, "role": "Promoted"}
    assert (copy["after"], promotion["after"], role[2].after) == (["disk"], [], ["db"])


def test_its_copy_is_probed_and_its_promotion_is_not() -> None:
    copy, promotion = (rendered(part)[1] for part in parts(SERVICE))
    assert [one.name for one in copy.probes] == ["tcp"] and copy.on_failure == "Move"
    assert list(promotion.probes) == [] and promotion.on_failure is None
    assert promotion.timeouts == copy.timeouts, "a promote may take as long as a start, a demote as a stop"


def test_the_parts_claim_other_things_and_together_what_the_whole_claims() -> None:
    copies, role = (part.spec.resources for part in parts(SERVICE))
    one, other = {*claims_of(copies)}, {*claims_of(role)}
    assert not one & other and one | other == {*claims_of(SERVICE.spec.resources)}
    assert identities(role)[1] == "OCF resource promoted d:x db" and identities(copies)[1] == "OCF resource d:x db"


def test_what_is_not_promotable_is_told_of_no_roles() -> None:
    (plain,) = rendered(
        a_service("web", {"name": "db", "ocf": {"agent": "d:x", "instance": "db", "promotable": False}})
    )
    assert plain.wire()["ocf"] == {"agent": "d:x", "instance": "db"}
