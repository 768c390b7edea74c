"""What is said of one service among others."""

from __future__ import annotations

from backstay_api.objects.models import HAService, ResourceClaim
from backstay_operator.planner.judge import acceptance
from backstay_operator.planner.judge.acceptance import Acceptance
from backstay_testing.worlds import a_world, add_host


def judged(service: HAService, *others: HAService, claims: tuple[ResourceClaim, ...] = ()) -> Acceptance:
    world = a_world("n1", "n2")
    add_host(world, "n3", labels={"pool": "db"})
    for each in (service, *others):
        world.put_service(each)
    world.claims = {claim.key: claim for claim in claims}
    return acceptance.accept(world, service)
