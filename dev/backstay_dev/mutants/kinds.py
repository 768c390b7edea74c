"""What a mutant is: one edit of the product (one a place), the sentence that it bends, and the nets that should find it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]

PLANNER: Final = "operator/backstay_operator/planner"
CONTROL: Final = "operator/backstay_operator/control"
FENCER: Final = "operator/backstay_fencer"
AGENT: Final = "node-agent/backstay_agent"
DRIVERS: Final = "node-agent/backstay_agent/drivers"
API: Final = "crds/backstay_api"
UNIT: Final = "tests/unit"
STORIES: Final = "tests/stories"
HOSTS: Final = "tests/e2e"
CHART: Final = "charts/backstay/templates"
ON_A_SERVER: Final = ("tests/contract/test_walls.py", "tests/contract/test_chart_on_server.py")
"""They start a real kube-apiserver with the chart in it, which takes half a minute: tried with those on real machines."""
MACHINES: Final = (HOSTS, *ON_A_SERVER)


@dataclass(frozen=True)
class Edit:
    """One exact replacement in one file of the repository, a program or a template. The old text stands there exactly once."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """One way to break the product."""

    sentence: str
    """What is no longer true, in words of the protocol."""
    edits: tuple[Edit, ...]
    killers: tuple[str, ...]
    """The nets, cheapest first: a test file, or `sim:PROFILE`, the simulator's monitor. Those of `MACHINES` need real ones."""
    is_quick: bool = False
    """Belongs to `make test`."""

    @property
    def needs_machines(self) -> bool:
        return all(killer.startswith(MACHINES) for killer in self.killers)


def one(sentence: str, file: str, old: str, new: str, *killers: str, quick: bool = False) -> Mutant:
    """A mutant of one edit."""
    return Mutant(sentence, (Edit(file, old, new),), killers, quick)
