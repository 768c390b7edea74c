"""The lists of our kinds of objects are one list."""

from __future__ import annotations

from typing import get_args

import pytest

from backstay_api.objects.models import ALL_OBJECTS
from backstay_api.objects.object_kinds import HOST_LEASES, HOST_SURVEYS, OWN_KINDS, AnyObject, Unreadable


def test_what_has_a_schema_is_watched_and_told_apart() -> None:
    """`AnyObject` is what mypy holds every `match` over our objects against."""
    models = [model.__name__ for model in ALL_OBJECTS]
    watched = [kind.kind for kind in OWN_KINDS]
    assert [*watched, HOST_SURVEYS.kind] == models, "which are between people and an agent alone"
    assert [read.__name__ for read in get_args(AnyObject)] == [*watched, "HostLease"]


@pytest.mark.parametrize("contract", ["[" * 100_000, '{"renew": 1e999}', "\\ud800", "7", '{"a": {"b": '])
def test_whatever_a_host_writes_into_its_lease_is_read_or_is_unreadable(contract: str) -> None:
    raw = {"metadata": {"name": "n1", "resourceVersion": "1", "annotations": {"backstay.dev/contract": contract}}}
    read = HOST_LEASES.read({**raw, "spec": {"holderIdentity": "b/n"}})
    assert isinstance(read, Unreadable) and read.key == "n1" and "contract makes no sense" in read.why
