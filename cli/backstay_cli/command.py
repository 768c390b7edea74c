"""Makes a typer command of an async function, with the options that all commands share, before its name or after it.

Typer reads a command's options from its signature, so the shared ones are added to the signature; this way they stand in
each command's `--help`, and `kubectl backstay status -n shop` works as people expect of kubectl.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated, Any

import typer

from .session import EXIT_CODES, Options, Session, Tools, real_tools, run


class Output(StrEnum):
    """How the answer is written."""

    json = "json"
    yaml = "yaml"
    table = "table"


_PANEL = "Options of every command"

_SHARED: dict[str, tuple[Any, Any]] = {
    "kubeconfig": (
        Annotated[
            str,
            typer.Option(
                help="Path of the kubeconfig.  [default: $KUBECONFIG, ~/.kube/config]", rich_help_panel=_PANEL
            ),
        ],
        "",
    ),
    "context": (Annotated[str, typer.Option(help="Context of the kubeconfig.", rich_help_panel=_PANEL)], ""),
    "namespace": (
        Annotated[str, typer.Option("--namespace", "-n", help="Namespace of the services.", rich_help_panel=_PANEL)],
        "",
    ),
    "all_namespaces": (
        Annotated[
            bool, typer.Option("--all-namespaces", "-A", help="Services of all namespaces.", rich_help_panel=_PANEL)
        ],
        False,
    ),
    "output": (
        Annotated[Output | None, typer.Option("--output", "-o", help="For programs.", rich_help_panel=_PANEL)],
        None,
    ),
}

AsyncCommand = Callable[..., Awaitable[int]]


def add(app: typer.Typer, name: str, function: AsyncCommand) -> None:
    """Add `async def function(session, …) -> exit code` to the program."""

    def command(typer_context: typer.Context, **given: Any) -> None:
        options = _options(given).over(_said_before(typer_context))

        async def carried_out(session: Session) -> int:
            return await function(session, **given)

        given_tools = typer_context.obj
        raise typer.Exit(run(options, given_tools if isinstance(given_tools, Tools) else real_tools(), carried_out))

    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    _sign(command, own, doc=function.__doc__)
    app.command(name, epilog=EXIT_CODES)(command)


def add_shared(app: typer.Typer) -> None:
    """Accept the shared options before the name of the command too."""

    def before(typer_context: typer.Context, **given: Any) -> None:
        typer_context.meta["said"] = _options(given)

    _sign(before, [], doc=None)
    app.callback()(before)


def _sign(function: Callable[..., None], own: list[inspect.Parameter], *, doc: str | None) -> None:
    keyword = inspect.Parameter.KEYWORD_ONLY
    shared = [
        inspect.Parameter(name, keyword, default=default, annotation=annotation)
        for name, (annotation, default) in _SHARED.items()
    ]
    # Not `context`, which is the name of a shared option.
    first = inspect.Parameter("typer_context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [first, *(one.replace(kind=keyword) for one in own), *shared]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {one.name: one.annotation for one in parameters}
    function.__doc__ = doc


def _options(given: dict[str, Any]) -> Options:
    """Take the shared options out of what was given."""
    said: dict[str, Any] = {name: given.pop(name) or default or "" for name, (_, default) in _SHARED.items()}
    if said["output"] == Output.table:
        said["output"] = ""  # what people get who ask for nothing
    return Options(**said)


def _said_before(context: typer.Context) -> Options:
    said = context.meta.get("said")
    return said if isinstance(said, Options) else Options()
