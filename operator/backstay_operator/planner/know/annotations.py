"""What commands of the CLI have written on a service, for the operator to read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from backstay_api.objects.models import HAService
from backstay_api.objects.texts import read_json

T = TypeVar("T")


def read_annotation(service: HAService, name: str, read: Callable[[Any], T], command: str) -> T | str | None:
    """What `read` makes of the JSON of this annotation, if it is there; a sentence where that cannot be read.

    `read` may raise what comes of JSON of any other shape; `command` is what writes the annotation as it should be.
    """
    text = (service.metadata.annotations or {}).get(name)
    if not text:
        return None
    try:
        return read(read_json(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return f"the annotation {name} cannot be read ({error!r}); use `{command}`"
