"""All mutants, by the part of the product that they break."""

from __future__ import annotations

from typing import Final

from . import evidence, grants, host, power, wire
from .kinds import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (
    *evidence.MUTANTS,
    *power.MUTANTS,
    *grants.MUTANTS,
    *host.MUTANTS,
    *wire.MUTANTS,
)
