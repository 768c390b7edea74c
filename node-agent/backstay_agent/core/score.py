"""How fresh the data of a copy is, as a command says it. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """One answer."""

    value: int
    """-1: there is none, so this copy is not to be promoted."""
    why: str = ""
    """Why there is none."""
