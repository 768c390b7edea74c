"""What hosts that stand by are told: what to be ready for, and in which epoch to ask after it."""

from __future__ import annotations

import pytest

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models.assignment import HostAssignmentSpec, StandbyOrder
from backstay_operator.planner.do.orders import merge_forward, standby_order
from backstay_testing.builders import a_service, an_assignment, an_instance, unit
from backstay_testing.worlds import a_world

NEWER = a_service("web", unit(), unit("log"), generation=2)


def standby(revision: int) -> StandbyOrder:
    return StandbyOrder(namespace="shop", name="web-0", revision=revision)


@pytest.mark.parametrize(
    ("stored", "revision", "resources"),
    [
        pytest.param(None, 2, 2, id="it is asked for the first time"),
        pytest.param(1, 2, 2, id="it was asked about an earlier manifest"),
        pytest.param(2, 2, 0, id="it was asked about this one"),
        pytest.param(3, 3, 0, id="it was asked about a later one that we have not seen"),
    ],
)
def test_what_a_standby_is_told(stored: int | None, revision: int, resources: int) -> None:
    world, instance = a_world("n1"), an_instance(NEWER, epoch=2)
    if stored is not None:
        world.put_assignment(an_assignment("n1", standbys={instance.uid: standby(stored).wire()}))
    found = standby_order(world, "n1", NEWER, instance)
    assert (found.revision, len(found.resources), found.name) == (revision, resources, "web-0")


ASKED_BY_OTHERS = {"name": "eye", "from": "Standby", "tcpSocket": {"port": 80, "host": "192.0.2.10"}}


@pytest.mark.parametrize(
    ("probe", "host", "epoch"),
    [
        pytest.param(ASKED_BY_OTHERS, "n2", 2, id="it runs elsewhere"),
        pytest.param(ASKED_BY_OTHERS, None, None, id="it runs nowhere"),
        pytest.param({"name": "own", "tcpSocket": {"port": 80}}, "n2", None, id="its holder asks"),
    ],
)
@pytest.mark.parametrize("before", [None, 1])
def test_other_hosts_ask_in_the_epoch_that_runs(
    probe: Raw, host: str | None, epoch: int | None, before: int | None
) -> None:
    service = a_service("web", unit(probes=[probe]))
    world, instance = a_world("n1", "n2"), an_instance(service, epoch=2, host=host)
    stored = standby_order(world, "n1", service, instance).model_copy(update={"ask_epoch": before})
    world.put_assignment(an_assignment("n1", standbys={instance.uid: stored.wire()}))
    wanted = standby_order(world, "n1", service, instance)
    merged = merge_forward(HostAssignmentSpec(standbys={"u": stored}), HostAssignmentSpec(standbys={"u": wanted}))
    assert (wanted.ask_epoch, merged.standbys["u"].ask_epoch) == (epoch, epoch)
