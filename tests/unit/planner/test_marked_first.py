"""Nothing is granted before its deletion can wait for the stop: our finalizers stand on service and instance first."""

import pytest

from backstay_api.objects.models import HAInstance, HAService
from backstay_operator.planner.do.finalizers import INSTANCE_FINALIZER, SERVICE_FINALIZER
from backstay_operator.planner.do.ownership import not_yet_ours
from backstay_testing.worlds import a_service, a_world, an_instance


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
