"""`backstay`, and `kubectl backstay`: the program and its commands."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from . import enrol, identities, playground, policy, rollout, rotate
from .accept import accept
from .check import check
from .clear import clear
from .command import add, add_shared
from .completion import completion
from .copies import copies
from .diff import diff
from .discover import discover
from .explain import explain
from .fence import fence
from .maintenance import cordon, drain, handsoff, uncordon, undrain
from .move import move
from .plan import plan
from .rebalance import rebalance
from .report import report
from .session import EXIT_CODES
from .status import status
from .uninstall import uninstall
from .version import version

HELP = """Keeps services on bare hosts highly available.

Services are HAService objects: `kubectl apply` makes them, `kubectl get hasvc -w` watches them. This program answers what
kubectl cannot: what is not well and why, and what would happen; and it does what people do to hosts.
"""


def build() -> typer.Typer:
    app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None, epilog=EXIT_CODES)
    add_shared(app)
    add(app, "status", status, lists=True)
    add(app, "explain", explain)
    add(app, "copies", copies)
    add(app, "accept", accept, writes=True)
    add(app, "check", check)
    add(app, "diff", diff)
    add(app, "discover", discover)
    add(app, "plan", plan)
    add(app, "move", move, writes=True)
    add(app, "rebalance", rebalance, writes=True)
    add(app, "clear", clear, writes=True)
    for name, verb in (("drain", drain), ("undrain", undrain), ("cordon", cordon), ("uncordon", uncordon)):
        add(app, name, verb, writes=True)
    add(app, "handsoff", handsoff, writes=True)
    add(app, "fence", fence, writes=True)
    add(app, "report", report)
    add(app, "uninstall", uninstall, writes=True)
    add(app, "version", version)
    app.command("completion")(completion)
    host = typer.Typer(
        help="Add and remove hosts, and give machines their identity.", no_args_is_help=True, rich_markup_mode=None
    )
    add(host, "add", enrol.add, writes=True)
    add(host, "join-token", identities.join_token)
    add(host, "list", identities.list_hosts)
    add(host, "rotate", rotate.rotate)
    add(host, "revoke", identities.revoke, writes=True)
    add(host, "remove", enrol.remove, writes=True)
    app.add_typer(host, name="host")
    policies = typer.Typer(
        help="What services may bring, by ServiceClasses.", no_args_is_help=True, rich_markup_mode=None
    )
    add(policies, "test", policy.test)
    app.add_typer(policies, name="policy")
    rollouts = typer.Typer(
        help="Edits of the files that a service brings to hosts: how far they have come, wait, go on, once more.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    add(rollouts, "status", rollout.rollout_status)
    add(rollouts, "pause", rollout.pause, writes=True)
    add(rollouts, "resume", rollout.resume, writes=True)
    add(rollouts, "retry", rollout.retry, writes=True)
    app.add_typer(rollouts, name="rollout")
    for name, run in (("lab", playground.lab), ("demo", playground.demo)):
        app.command(name, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(_passing_on(run))
    return app


def _passing_on(run: Callable[[list[str]], int]) -> Callable[..., None]:
    def command(arguments: Annotated[list[str] | None, typer.Argument(help="Handed on.", hidden=True)] = None) -> None:
        raise typer.Exit(run(arguments or []))

    command.__doc__ = run.__doc__
    return command


def main() -> None:
    called = Path(sys.argv[0]).name
    build()(prog_name="kubectl backstay" if called == "kubectl-backstay" else "backstay")


if __name__ == "__main__":
    main()
