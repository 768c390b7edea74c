"""Our finalizers: nothing is granted before its deletion can wait for the stop (PROTOCOL 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backstay_api.objects.models import FenceRequest, HAInstance, HAService, Host
from backstay_api.objects.models.base import Object
from backstay_operator.planner.actions import SetFinalizer

SERVICE_FINALIZER: Final = "backstay.dev/service"
INSTANCE_FINALIZER: Final = "backstay.dev/instance"
HOST_FINALIZER: Final = "backstay.dev/host"
REQUEST_FINALIZER: Final = "backstay.dev/fence"
"""On a FenceRequest from its `Off` on: that we have switched a host off, and owe it an `on`, stands nowhere else."""
FINALIZERS: Final[Mapping[type[Object], str]] = {
    HAService: SERVICE_FINALIZER,
    HAInstance: INSTANCE_FINALIZER,
    Host: HOST_FINALIZER,
    FenceRequest: REQUEST_FINALIZER,
}
"""By what carries it."""


def is_ours(thing: Object, finalizer: str) -> bool:
    return finalizer in (thing.metadata.finalizers or [])


def marked(thing: HAService | HAInstance | Host, finalizer: str, why: str) -> list[SetFinalizer]:
    """Our finalizer is put on, or back where somebody took it away; on what is being deleted none can be put."""
    if is_ours(thing, finalizer) or thing.metadata.deletion_timestamp is not None:
        return []
    return [SetFinalizer(thing, True, why)]
