"""What is to be done about one instance now, and where its next epoch goes, as it was decided (`instances.py`)."""

from __future__ import annotations

from dataclasses import dataclass

from backstay_api.objects.models.assignment import InstanceOrder
from backstay_api.objects.models.instance import Grant
from backstay_operator.planner.actions import Action, WriteClaim
from backstay_operator.planner.judge.placement import NoHost, Placed
from backstay_operator.planner.preconditions import Precondition
from backstay_operator.planner.words import joined


@dataclass(frozen=True)
class Course:
    """What is to be done about one instance now."""

    actions: tuple[Action, ...] = ()
    order: InstanceOrder | None = None
    """For the holder of the present grant."""
    missing: str = ""
    """What it waits for and what a person can do, in a sentence; empty if that is plain from everything else."""
    look_again_s: float | None = None
    waits: str = ""
    """For whom an edit waits, in a sentence, while all goes on as it was."""
    needs: tuple[Precondition, ...] = ()
    """What must be so elsewhere before the order is sent."""
    to: str = ""
    """The host that it goes to next: by a grant of this very plan, or by the move for which it is stopped."""
    placed: Placed | NoHost | None = None
    """What was found where it looked for a host."""
    shed: str = ""
    """For what, more important than itself, it is stopped or waits, in a sentence."""
    goes_by_load: bool = False
    """Whether a host was found by how many services each has, and stands in the way of it: with another number it may be another."""
    is_over: bool = False
    """Whether this very plan closes the epoch that is granted, and grants no other."""


@dataclass(frozen=True)
class Next:
    """Where the next epoch goes."""

    grant: Grant
    placed: Placed
    needs: tuple[Precondition, ...] = ()
    records: tuple[WriteClaim, ...] = ()
    """What the claims must say before the order goes out: written beside the grant, not after it."""

    @property
    def why(self) -> str:
        return f"{self.placed.host}, {self.placed.why}"


@dataclass(frozen=True)
class Nowhere:
    """Why there is no next epoch now."""

    missing: str
    """What stands against it; empty if it is only that no host will do."""
    placed: Placed | NoHost | None = None
    shed: str = ""
    """What more important has its room, in a sentence."""
    goes_by_load: bool = False
    """Whether it is about the host that was found."""

    @property
    def why(self) -> str:
        return joined(self.missing or (self.placed.why if self.placed else ""), self.shed)

    @property
    def look_again_s(self) -> float | None:
        return self.placed.look_again_s if isinstance(self.placed, NoHost) and not self.missing else None
