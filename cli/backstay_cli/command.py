"""Makes a typer command of an async function, with the options that all commands share, before its name or after it.

Typer reads a command's options from its signature, so the shared ones are added to the signature; this way they stand in
each command's `--help`, and `kubectl backstay status -n shop` works as people expect of kubectl.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from .jsonpath import rendered
from .session import EXIT_CODES, Options, Session, Tools, real_tools, run

FORMATS: Final = ("json", "yaml", "table", "name", "wide")


class Judge(StrEnum):
    """Who judges what would be written."""

    client = "client"
    server = "server"


_PANEL = "Options of every command"

Known = dict[str, tuple[Any, Any]]
"""By name the annotation and the default of an option."""

_SHARED: Known = {
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
        Annotated[
            str,
            typer.Option(
                "--output",
                "-o",
                help="json, yaml, table, jsonpath=TEMPLATE; name and wide of what lists something.",
                metavar="FORMAT",
                rich_help_panel=_PANEL,
            ),
        ],
        "",
    ),
    "as_user": (
        Annotated[
            str, typer.Option("--as", help="Act as this user, if you may (impersonate).", rich_help_panel=_PANEL)
        ],
        "",
    ),
    "as_group": (
        Annotated[
            list[str] | None,
            typer.Option("--as-group", help="And as a member of this group, again for each.", rich_help_panel=_PANEL),
        ],
        None,
    ),
}

_DRY_RUN: Known = {
    "dry_run": (
        Annotated[
            Judge | None,
            typer.Option(
                "--dry-run",
                help="Write nothing. client: say what would be written; server: and have the API server judge it.",
                rich_help_panel=_PANEL,
            ),
        ],
        None,
    ),
}

AsyncCommand = Callable[..., Awaitable[int]]


def add(app: typer.Typer, name: str, function: AsyncCommand, *, lists: bool = False, writes: bool = False) -> None:
    """Add `async def function(session, …) -> exit code` to the program.

    `lists`: it takes `-o name` and `-o wide`. `writes`: it takes `--dry-run`.
    """
    shared = {**_SHARED, **(_DRY_RUN if writes else {})}

    def command(typer_context: typer.Context, **given: Any) -> None:
        options = _options(given, shared).over(_said_before(typer_context))
        _check(options, lists=lists)

        async def carried_out(session: Session) -> int:
            return await function(session, **given)

        given_tools = typer_context.obj
        raise typer.Exit(run(options, given_tools if isinstance(given_tools, Tools) else real_tools(), carried_out))

    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    _sign(command, own, shared, doc=function.__doc__)
    app.command(name, epilog=EXIT_CODES)(command)


def add_shared(app: typer.Typer) -> None:
    """Accept the shared options before the name of the command too."""

    def before(typer_context: typer.Context, **given: Any) -> None:
        typer_context.meta["said"] = _options(given, _SHARED)

    _sign(before, [], _SHARED, doc=None)
    app.callback()(before)


def _check(options: Options, *, lists: bool) -> None:
    """Before anything is done: what could not be said in the end."""
    output = options.output
    if output and output not in FORMATS and not output.startswith("jsonpath="):
        raise typer.BadParameter(f"-o {output}: there are {', '.join(FORMATS)} and jsonpath=TEMPLATE")
    if output in ("name", "wide") and not lists:
        raise typer.BadParameter(f"-o {output} is for commands that list something")
    if wrong := next((name for name in (options.as_user, *options.as_group) if not name.isascii()), None):
        raise typer.BadParameter(f"{wrong!r} is no name of a user or a group")
    try:
        if output.startswith("jsonpath="):
            rendered(output.removeprefix("jsonpath="), {})
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _sign(function: Callable[..., None], own: list[inspect.Parameter], known: Known, *, doc: str | None) -> None:
    keyword = inspect.Parameter.KEYWORD_ONLY
    shared = [
        inspect.Parameter(name, keyword, default=default, annotation=annotation)
        for name, (annotation, default) in known.items()
    ]
    # Not `context`, which is the name of a shared option.
    first = inspect.Parameter("typer_context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [first, *(one.replace(kind=keyword) for one in own), *shared]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {one.name: one.annotation for one in parameters}
    function.__doc__ = doc


def _options(given: dict[str, Any], known: Known) -> Options:
    """Take the shared options out of what was given."""
    said: dict[str, Any] = {name: given.pop(name) or default or "" for name, (_, default) in known.items()}
    if said.get("output") == "table":
        said["output"] = ""  # what people get who ask for nothing
    return Options(**{**said, "as_group": tuple(said.get("as_group") or ())})


def _said_before(context: typer.Context) -> Options:
    said = context.meta.get("said")
    return said if isinstance(said, Options) else Options()
