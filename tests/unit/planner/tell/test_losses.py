"""What a service says of the loss of a host, where it is well by itself and the whole has been looked at, or has not been yet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backstay_api.objects.models import HAService
from backstay_api.objects.models.base import Condition
from backstay_operator.planner.know.losses import Domain, HostLoss, Losses
from backstay_operator.planner.know.world import World
from backstay_operator.planner.tell.conditions import Finding
from backstay_operator.planner.tell.losses import left_over, survives_domains
from backstay_testing.builders import a_service, an_instance, unit

SAFE = Finding("SurvivesHostLoss", True, "StandbyReady", "Should n1 be lost: n2 could take over now")
NOT = Finding("SurvivesHostLoss", False, "NoStandby", "No host could take over now")
WAS = "Should n1 be lost, it would be left over: because"
N1, N2, RACK = Domain("n1", ("n1",)), Domain("n2", ("n2",)), Domain("rack=a", ("n1", "n2"), "rack")


def found(*losses: tuple[Domain, str]) -> Losses:
    """What would be left over of web with each."""
    return Losses(
        tuple(HostLoss(domain, ("shop/web-0",), (("shop/web-0", why),) if why else ()) for domain, why in losses)
    )


def told_before(reason: str) -> HAService:
    condition = Condition(
        type="SurvivesHostLoss", status="False", reason=reason, message=WAS, last_transition_time="2026-01-01T00:00:00Z"
    )
    known = a_service("web", unit("web"))
    return known.model_copy(update={"status": known.status.model_copy(update={"conditions": [condition]})})


@pytest.mark.parametrize(
    ("service", "losses", "own", "expected"),
    [
        pytest.param(a_service(), found((N1, ""), (N2, "")), SAFE, SAFE, id="everything has a place"),
        pytest.param(a_service(), found((N1, "no room")), NOT, NOT, id="what is said of it alone comes first"),
        pytest.param(
            a_service(),
            found((N1, "no room"), (N2, "no room either")),
            SAFE,
            replace(
                SAFE,
                is_true=False,
                reason="LeftOver",
                message="Should n1 be lost, it would be left over: no room; the same if n2 were",
            ),
            id="it would be left over",
        ),
        pytest.param(a_service(), found((N1, ""), (RACK, "no room")), SAFE, SAFE, id="a rack is another question"),
        pytest.param(a_service(), None, SAFE, SAFE, id="nobody has looked yet"),
        pytest.param(
            told_before("LeftOver"),
            None,
            SAFE,
            replace(SAFE, is_true=False, reason="LeftOver", message=WAS),
            id="nor since the operator began: what was told stands",
        ),
        pytest.param(told_before("NoStandby"), None, SAFE, SAFE, id="what another rule told does not"),
    ],
)
def test_it_is_the_answer_for_all_together(
    service: HAService, losses: Losses | None, own: Finding, expected: Finding
) -> None:
    world = World(losses=losses)
    assert left_over(world, service, an_instance(service), own) == expected


def test_of_a_rack_it_is_told_where_a_spread_names_it() -> None:
    plain = a_service("web", unit("web"))
    spread = {"spread": [{"topologyKey": "rack", "maxSkew": 1}]}
    over_racks = a_service("web", unit("web"), mode="Replicated", replicas=2, placement=spread)
    instance, rack_b = an_instance(plain), Domain("rack=b", ("n3",), "rack")
    lost = World(losses=found((N1, ""), (RACK, "it waits"), (rack_b, "")))
    assert survives_domains(lost, plain, instance) is None
    lines = survives_domains(lost, over_racks, instance)
    assert lines == Finding(
        "SurvivesDomainLoss", False, "LeftOver", "Should rack=a be lost, it would be left over: it waits"
    )
    well = replace(lost, losses=found((N1, "no room"), (RACK, ""), (rack_b, "")))
    said = "Whichever is lost of rack=a, rack=b, it would have a host"
    assert survives_domains(well, over_racks, instance) == Finding("SurvivesDomainLoss", True, "EveryDomain", said)
    by_setting = replace(well, settings=replace(well.settings, topology_keys=("rack",)))
    assert survives_domains(by_setting, plain, instance) == Finding("SurvivesDomainLoss", True, "EveryDomain", said)
    assert survives_domains(replace(well, losses=None), over_racks, instance) is None
