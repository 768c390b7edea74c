"""What a resource of kind `command` is told to run: its own argument lists, or one init script with the words of the LSB behind it.

Standard library only: the models, the operator and the agent read a command alike.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from . import unit_settings

MOST_ENVIRONMENT_BYTES: Final = 32 * 1024
"""The kernel gives a program no variable above 128 KiB, and one of ours holds all others."""

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


def fault_of_command(command: Any) -> str:
    """The field, a colon, and why a setting or a variable cannot be what it is said to be; empty if all can."""
    if why := unit_settings.fault_in(command.overrides or {}, command.environment or {}):
        return why
    if len(json.dumps(dict(command.environment or {}))) > MOST_ENVIRONMENT_BYTES:
        return "environment: its variables are longer than 32 KiB together: put them into a file"
    return ""


def senseless_command(command: Any) -> str:
    """Why nobody could carry it out; empty if one can."""
    told = commands_of(command)
    is_whole = told.start and (told.stop or told.type == "simple")
    return fault_of_command(command) if is_whole else "its command is empty"


def from_a_start_on(command: Any) -> tuple[object, ...]:
    """What of it holds from its next start on: all else is read when it is used."""
    told = commands_of(command)
    return told.start, told.type, told.is_lsb, *_execution(command)


def live(command: Any) -> dict[str, str]:
    """Settings that reach what runs."""
    return unit_settings.live(command.overrides)


def for_a_stop(command: Any) -> tuple[object, ...]:
    """What of it, beside that, its stop uses, or proves it by."""
    told = commands_of(command)
    return told.stop, told.check


def _execution(command: Any) -> Iterator[object]:
    """As whom, where, with what, and kept from what its programs run."""
    yield from (command.user, command.group, command.working_directory)
    yield tuple(sorted((command.environment or {}).items()))
    # Of what reaches what runs only that it is set: systemd takes another value, and does not say what there was before the first.
    overrides = command.overrides or {}
    yield tuple(sorted((name, "" if name in live(command) else value) for name, value in overrides.items()))
    if box := command.sandbox:
        yield from (box.protect_system, box.protect_home, bool(box.private_tmp), tuple(box.read_write_paths or ()))


def stop_by_hand(command: Any) -> str:
    """The command by which a person stops it, run as ours would be."""
    stop = shlex.join(commands_of(command).stop)
    options = (("uid", command.user), ("gid", command.group), ("working-directory", command.working_directory))
    words = [f"--{option}={value}" for option, value in options if value]
    words += [f"--setenv={name}={value}" for name, value in (command.environment or {}).items()]
    return f"systemd-run --pipe --wait {shlex.join(words)} {stop}" if stop and words else stop
