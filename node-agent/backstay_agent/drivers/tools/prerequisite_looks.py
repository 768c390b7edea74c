"""A look at a prerequisite: where nothing can be seen, why not is the answer."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

from .file_system_looks import LOOK_LIMIT_S, NoAnswer, look
from .regular_files import Unfit

T = TypeVar("T")


async def look_or(
    otherwise: Callable[[str], T],
    what: str,
    how: Callable[[], T],
    *,
    limit_s: float = LOOK_LIMIT_S,
    asked: Hashable = None,
) -> T:
    """As `file_system_looks.look`; what `otherwise` makes of the sentence where the file system does not answer, or there is nothing
    that is fit to be read."""
    try:
        return await look(what, how, limit_s=limit_s, asked=asked)
    except (Unfit, NoAnswer) as error:
        return otherwise(str(error))
