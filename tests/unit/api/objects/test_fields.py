"""Fields of our models are read as those of any Python object: that is most of what a plan does."""

from __future__ import annotations

import pytest

from backstay_api.objects.models import ALL_OBJECTS, HAService
from backstay_api.objects.models.base import Object
from backstay_testing.builders import a_service


@pytest.mark.parametrize("model", ALL_OBJECTS)
def test_nobody_is_asked_before_a_field_is_read(model: type[Object]) -> None:
    asked = [kind for kind in model.__mro__ if "__getattr__" in vars(kind)]
    assert asked == [], "Python then calls into it for each field of each value, which takes five times as long"
    assert model.__private_attributes__ == {} and model.model_config["extra"] == "ignore", (
        "else somebody needs to be asked"
    )


def test_what_is_no_field_is_refused_as_ever() -> None:
    with pytest.raises(AttributeError, match="no attribute 'specs'"):
        _ = a_service("web").specs  # type: ignore[attr-defined]
    assert not hasattr(HAService, "specs") and getattr(a_service("web"), "specs", None) is None
