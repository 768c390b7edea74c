"""Which grants the simulator's judge counts as failovers."""

from __future__ import annotations

import asyncio
import json

import pytest

from backstay_api.client.api import EventType
from backstay_api.memory.server import Change
from backstay_api.objects.kinds import Raw
from backstay_api.objects.object_kinds import HA_INSTANCES, HA_SERVICES
from backstay_dev.simulator.powerwatch import LATELY_S
from backstay_dev.simulator.recoverywatch import RecoveryWatch
from backstay_dev.simulator.virtualtime import in_virtual_time

NAMESPACE = "default"


def _change(resource: str, name: str, spec: Raw, annotations: Raw | None = None) -> Change:
    body = {"metadata": {"name": name, "uid": f"uid-{name}", "annotations": annotations or {}}, "spec": spec}
    return Change(1, EventType.MODIFIED, resource, (NAMESPACE, name), body, None, "operator-a")


def _service(wish: str = "") -> Change:
    annotations = {"backstay.dev/move": wish} if wish else None
    spec = {"recovery": {"moves": {"limit": 0, "per": "30s"}}, "resources": []}
    return _change(HA_SERVICES.resource, "web", spec, annotations)


def _granted(host: str, epoch: int) -> Change:
    closed = {"evidence": "Boot"} if epoch > 1 else {}
    return _change(
        HA_INSTANCES.resource,
        "web-0",
        {"service": {"name": "web"}, "epoch": epoch, "grant": {"host": host}, "closed": closed},
    )


@pytest.mark.parametrize(
    ("wish", "is_accused"),
    [
        pytest.param("", True, id="nobody asked"),
        pytest.param(json.dumps({"host": "n3"}), False, id="a person asked for a move there (seed 3700006917)"),
        pytest.param(json.dumps({"host": "n1"}), True, id="a person asked for a move to another host"),
        pytest.param("[" * 100_000, True, id="an annotation that cannot be read"),
        pytest.param("[]", True, id="one that names no host"),
        pytest.param('{"host": {}}', True, id="one whose host is none"),
    ],
)
@in_virtual_time
async def test_what_people_ask_for_is_no_failover(wish: str, is_accused: bool) -> None:
    accused: list[str] = []
    watch = RecoveryWatch(accused.append, {}, lambda host: None)
    for change in (_service(), _granted("n1", 1), _granted("n2", 2), _service(wish), _granted("n3", 3)):
        watch.observe(change)
    assert bool(accused) is is_accused


@pytest.mark.parametrize(("later_s", "is_accused"), [(LATELY_S - 1, False), (LATELY_S + 1, True)])
@in_virtual_time
async def test_a_wish_that_was_withdrawn_is_acted_upon_only_by_those_who_learn_of_it_late(
    later_s: float, is_accused: bool
) -> None:
    accused: list[str] = []
    watch = RecoveryWatch(accused.append, {}, lambda host: None)
    wish = _service(json.dumps({"host": "n3"}))
    for change in (_service(), _granted("n1", 1), _granted("n2", 2), wish):
        watch.observe(change)
    await asyncio.sleep(2 * LATELY_S)
    watch.observe(wish)
    watch.observe(_service())
    await asyncio.sleep(later_s)
    watch.observe(_granted("n1", 3))
    watch.observe(_granted("n3", 4))
    assert bool(accused) is is_accused
