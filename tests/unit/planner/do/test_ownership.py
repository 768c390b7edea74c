"""What must be ours before anything runs: finalizers stand on service and instance, claims record the order; and what gives them back."""

from typing import Any

import pytest

from backstay_api.objects.models import HAInstance, HAService
from backstay_api.objects.resource_kinds import claims_of
from backstay_operator.planner.do.finalizers import INSTANCE_FINALIZER, SERVICE_FINALIZER
from backstay_operator.planner.do.ownership import give_back_unused, not_yet_ours, record
from backstay_operator.planner.know.claims import claim_for
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_service, address, an_instance
from backstay_testing.worlds import a_world, put, report


def marked(obj: HAService | HAInstance, *finalizers: str) -> HAService | HAInstance:
    return obj.model_copy(update={"metadata": obj.metadata.model_copy(update={"finalizers": list(finalizers)})})


@pytest.mark.parametrize(
    ("on_service", "on_instance", "said"),
    [
        pytest.param((), (INSTANCE_FINALIZER,), "it is being marked as ours first", id="the service is not marked"),
        pytest.param(
            (SERVICE_FINALIZER,), (), "its HAInstance web-0 is being marked as ours first", id="the instance is not"
        ),
        pytest.param(
            (SERVICE_FINALIZER,), ("other/one",), "its HAInstance web-0 is being marked", id="it has another's mark"
        ),
    ],
)
def test_what_is_not_marked_is_not_ours_yet(
    on_service: tuple[str, ...], on_instance: tuple[str, ...], said: str
) -> None:
    service = marked(a_service(), *on_service)
    instance = marked(an_instance(a_service(), epoch=0), *on_instance)
    assert isinstance(service, HAService) and isinstance(instance, HAInstance)
    assert (not_yet_ours(a_world("n1"), service, instance) or "").startswith(said)


def test_what_is_marked_waits_only_for_its_claims() -> None:
    service, instance = (
        marked(a_service(), SERVICE_FINALIZER),
        marked(an_instance(a_service(), epoch=0), INSTANCE_FINALIZER),
    )
    assert isinstance(service, HAService) and isinstance(instance, HAInstance)
    assert "marked" not in (not_yet_ours(a_world("n1"), service, instance) or "")


def claimed(world: World, service: HAService, **recorded: Any) -> str:
    """The service has its address, recorded so; by the claim's name."""
    (key,) = [key for key in claims_of(service.spec.resources) if key.type == "Address"]
    claim = claim_for(key, service)
    assert claim.spec.owner is not None
    owner = claim.spec.owner.model_copy(update=recorded)
    claim = claim.model_copy(update={"spec": claim.spec.model_copy(update={"owner": owner})})
    world.claims[claim.key] = claim
    return claim.key


@pytest.mark.parametrize(
    ("recorded", "needed"),
    [
        pytest.param({"instance": "uid-web-0", "epoch": 1, "revision": 1}, [], id="it is recorded"),
        pytest.param({"instance": "uid-web-0", "epoch": 0, "revision": 1}, [("uid-web-0", 1, 1)], id="an older epoch"),
        pytest.param({"instance": "uid-web-0", "epoch": 1, "revision": 0}, [("uid-web-0", 1, 1)], id="an older revision"),
        pytest.param({"instance": "gone", "epoch": 7, "revision": 1}, [("uid-web-0", 1, 1)], id="epochs of another instance"),
    ],
)  # fmt: skip
def test_an_order_is_recorded_with_the_instance_whose_epochs_it_counts(
    recorded: dict[str, Any], needed: list[Any]
) -> None:
    world, service = a_world("n1"), a_service("web", address("192.0.2.10/24"))
    instance = put(world, service)
    claimed(world, service, **recorded)
    writes = record(world, service, instance, 1, "n1")
    owners = [write.spec.owner for write in writes]
    assert [(one.instance, one.epoch, one.revision) for one in owners if one is not None] == needed


@pytest.mark.parametrize(
    ("revision", "gives_back"),
    [
        pytest.param(1, True, id="what runs is newer than all that may name it"),
        pytest.param(3, False, id="somebody has recorded a newer manifest than we have seen"),
    ],
)
def test_a_claim_is_given_back_only_on_a_later_report_than_it_records(revision: int, gives_back: bool) -> None:
    world, service = a_world("n1"), a_service("web", generation=2)
    instance = put(world, service, epoch=1, host="n1")
    report(world, service, "n1", "Running", epoch=1)
    before = a_service("web", address("192.0.2.10/24"))
    name = claimed(world, before, instance=instance.uid, epoch=1, revision=revision)
    assert bool(give_back_unused(world, service, instance, [name])) is gives_back
