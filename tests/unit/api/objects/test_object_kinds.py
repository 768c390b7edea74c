"""The lists of our kinds of objects are one list."""

from __future__ import annotations

from typing import get_args

from backstay_api.objects.models import ALL_OBJECTS
from backstay_api.objects.object_kinds import OWN_KINDS, AnyObject


def test_what_has_a_schema_is_watched_and_told_apart() -> None:
    """`AnyObject` is what mypy holds every `match` over our objects against."""
    models = [model.__name__ for model in ALL_OBJECTS]
    assert [kind.kind for kind in OWN_KINDS] == models
    assert [read.__name__ for read in get_args(AnyObject)] == [*models, "HostLease"]
