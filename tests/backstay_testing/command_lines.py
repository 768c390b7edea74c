"""Command lines of `backstay`, read as the program itself reads them, without running anything."""

from __future__ import annotations

from functools import cache
from typing import Any

import typer
import typer.main

from backstay_cli.main import build

# Typer carries its own copy of click, or not, depending on its version: its errors are found by way of one it exports.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]


@cache
def program() -> Any:
    return typer.main.get_command(build())


def fault(words: list[str]) -> Exception | None:
    """What the program has against these words; None: it takes them."""
    try:
        parsed(program(), "backstay", words)
    except Exception as error:
        if not isinstance(error, UsageError):
            raise
        return error
    return None


def parsed(command: Any, name: str, arguments: list[str], parent: Any = None) -> None:
    """As the program itself reads its command line, but nothing is run. Raises UsageError."""
    if not hasattr(command, "resolve_command"):
        command.make_context(name, arguments, parent=parent)
        return
    context = command.make_context(name, arguments, parent=parent)
    rest = [*context._protected_args, *context.args]
    sub_name, sub, rest = command.resolve_command(context, rest)
    assert sub is not None and sub_name is not None
    parsed(sub, sub_name, rest, context)
