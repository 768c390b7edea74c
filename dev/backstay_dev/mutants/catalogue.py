"""All mutants, by the part of the product that they break."""

from __future__ import annotations

from typing import Final

from . import (
    agent,
    belongings,
    copies,
    courses,
    dependencies,
    evidence,
    fencer,
    grants,
    guard,
    holder,
    host,
    keeping,
    needs,
    orders,
    placing,
    policies,
    power,
    questions,
    reloads,
    requests,
    roles,
    runners,
    stuck,
    units,
    verdicts,
    wire,
)
from .kinds import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (
    *evidence.MUTANTS,
    *fencer.MUTANTS,
    *power.MUTANTS,
    *guard.MUTANTS,
    *grants.MUTANTS,
    *orders.MUTANTS,
    *host.MUTANTS,
    *agent.MUTANTS,
    *runners.MUTANTS,
    *wire.MUTANTS,
    *courses.MUTANTS,
    *requests.MUTANTS,
    *belongings.MUTANTS,
    *verdicts.MUTANTS,
    *questions.MUTANTS,
    *holder.MUTANTS,
    *units.MUTANTS,
    *stuck.MUTANTS,
    *reloads.MUTANTS,
    *placing.MUTANTS,
    *copies.MUTANTS,
    *policies.MUTANTS,
    *keeping.MUTANTS,
    *dependencies.MUTANTS,
    *needs.MUTANTS,
    *roles.MUTANTS,
)
