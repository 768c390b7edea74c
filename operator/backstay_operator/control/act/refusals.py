"""What the API server will not have, remembered for as long as it is still wanted, and told in the status of the object it is about.

An Event passes and a log is read by nobody: the reason why nothing happens belongs where people look. Every kind of action is about a
service or a host; the planner finds the sentence in `World.refused` and puts it into their conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from backstay_api.objects.texts import clip
from backstay_operator.planner.actions import Action, WriteServiceStatus
from backstay_operator.planner.know.world import World

About = tuple[str, str]
"""Kind and key of an object that people read: HAService or Host."""

MOST_CHARS: Final = 1000
STATUS_S: Final = 300.0
"""After a status was refused, only its conditions are written for so long: the whole would be refused again."""


@dataclass(frozen=True)
class _Refusal:
    about: tuple[About, ...]
    text: str
    until_s: float | None = None


class Refusals:
    """By type of action, and kind and key of what it writes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[tuple[str, str, str], _Refusal] = {}

    def note(self, action: Action, why: str) -> None:
        """It was refused, and will be as long as nothing changes."""
        until_s = self._clock() + STATUS_S if isinstance(action, WriteServiceStatus) else None
        text = clip(f"the API server refuses {type(action).__name__} {action.ref.key}: {why}", MOST_CHARS)
        self._known[_id(action)] = _Refusal(tuple(dict.fromkeys(ref.id for ref in action.concerns)), text, until_s)

    def forget(self, action: Action) -> None:
        """It was done, or is decided afresh."""
        known = self._known.get(_id(action))
        if known is not None and known.until_s is None:
            del self._known[_id(action)]

    def show(self, world: World) -> None:
        """Put into the picture what is refused now."""
        now_s = self._clock()
        self._known = {id_: one for id_, one in self._known.items() if one.until_s is None or one.until_s > now_s}
        reasons: dict[About, list[str]] = {}
        for _, one in sorted(self._known.items()):
            for about in one.about:
                reasons.setdefault(about, []).append(one.text)
        world.refused = {about: clip("; ".join(texts), MOST_CHARS) for about, texts in reasons.items()}
        world.short_status = {id_[2] for id_ in self._known if id_[0] == WriteServiceStatus.__name__}

    def keep_only(self, actions: Iterable[Action]) -> None:
        """What is no longer wanted is no longer refused."""
        wanted = {_id(action) for action in actions}
        self._known = {id_: one for id_, one in self._known.items() if id_ in wanted or one.until_s is not None}


def _id(action: Action) -> tuple[str, str, str]:
    return (type(action).__name__, *action.ref.id)
