"""What a resource of kind `command` is told to run: its own argument lists, or one init script with the words of the LSB behind it.

Standard library only: the models, the operator and the agent read a command alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Words = tuple[str, ...]


@dataclass(frozen=True)
class Commands:
    """Argument lists; what is empty is not there."""

    start: Words
    stop: Words
    check: Words
    reload: Words
    type: str
    """simple, forking, oneshot; empty: it may leave something running, and need not."""
    is_lsb: bool

    @property
    def all(self) -> list[Words]:
        return [words for words in (self.start, self.stop, self.check, self.reload) if words]


def commands_of(command: Any) -> Commands:
    """As it is carried out."""
    if command.program:
        script = tuple(command.program)
        start, stop, check, reload = ((*script, word) for word in ("start", "stop", "status", "reload"))
        return Commands(start, stop, check, reload, "", is_lsb=True)
    start, stop, check, reload = (
        tuple(words or ()) for words in (command.start, command.stop, command.check, command.reload)
    )
    return Commands(start, stop, check, reload, command.type or "", is_lsb=False)


def senseless_command(command: Any) -> str:
    """Why nobody could carry it out; empty if one can."""
    told = commands_of(command)
    return "" if told.start and (told.stop or told.type == "simple") else "its command is empty"
