"""The rules by which a need is told, one a row, in the order in which they are asked: what one rule has told, a later one does not see.

The numbers are those of the page of all rules (`docs/explanation/what-a-service-needs.md`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from backstay_api.objects.survey import Survey
from backstay_cli.drafting.needs import Case, Need
from backstay_cli.drafting.recipes import Baseline, Recipe, recipe_for

from . import config, data, network, software, units


@dataclass(frozen=True)
class Rule:
    """One row."""

    number: int
    clue: str
    """What it looks for, for people."""
    find: Callable[[Case], Iterator[Need]]


RULES: Final[tuple[Rule, ...]] = (
    Rule(1, "the unit asked for", units.asked),
    Rule(2, "a socket, timer or path that starts it", units.starts_it),
    Rule(3, "a unit that it requires and nothing else does", units.required),
    Rule(4, "a unit that it requires and others do too", units.required_by_others),
    Rule(5, "the unit at the other end of a unix socket or of loopback", units.peers),
    Rule(6, "a unit file or drop-in that no package has brought", software.unit_files),
    Rule(7, "the package of what it runs", software.main_packages),
    Rule(8, "other packages with mapped code", software.libraries),
    Rule(9, "what it runs and no package owns", software.unpackaged),
    Rule(10, "an application's own tree, named by an argument", software.applications),
    Rule(11, "a certificate and its key", config.certificates),
    Rule(12, "a credential that is sealed for its host", config.sealed),
    Rule(13, "a secret", config.secrets),
    Rule(14, "a folder of configuration", config.folders),
    Rule(15, "a single file of configuration", config.files),
    Rule(16, "configuration that names the host itself", config.names_the_host),
    Rule(17, "users and groups of the processes", software.accounts),
    Rule(18, "settings of the kernel and modules", software.kernel),
    Rule(19, "a shared filesystem", data.shared),
    Rule(20, "data that it writes", data.written),
    Rule(21, "a way to replicate that data", data.replicated),
    Rule(22, "a tree that it only reads", data.read_only),
    Rule(23, "what lives as long as its processes", data.volatile),
    Rule(24, "logs", data.logs),
    Rule(25, "an address of its own", network.own_address),
    Rule(26, "the host's own address", network.hosts_address),
    Rule(27, "another host that it speaks to", network.endpoints),
    Rule(28, "a timer of the same user", units.follows),
    Rule(29, "a device", data.devices),
    Rule(30, "what every program reads", network.baseline),
    Rule(31, "anything else that it reads", data.rest),
)


def needs_of(survey: Survey, recipes: Sequence[Recipe], baseline: Baseline) -> tuple[Need, ...]:
    """All needs of the unit surveyed, those left out too, in the order of the rules."""
    programs = [*(one.executable for one in survey.programs), *survey.main.executes]
    case = Case(survey, recipe_for(programs, recipes), baseline)
    found: list[Need] = []
    for rule in RULES:
        some = [replace(need, number=rule.number) for need in rule.find(case)]
        case.taken.update(path for need in some for path in need.covers)
        found += some
    return tuple(_replicating(found))


def _replicating(found: Iterable[Need]) -> Iterator[Need]:
    """What rule 21 knows is a choice of the data that it is about, and no need by itself."""
    some = list(found)
    choices = [need.why for need in some if need.number == 21]
    for need in some:
        if need.number == 20 and need.is_undecided:
            yield replace(need, choices=(*need.choices, *choices))
        elif need.number != 21:
            yield need
