"""`backstay lab` and `backstay demo`: for who has the whole checkout. The CLI knows of `dev/` only when it is asked for."""

from __future__ import annotations

import importlib
import sys

import typer

from .session import FAILED


def lab(arguments: list[str]) -> int:
    """A control plane and three hosts of your own on this machine, kept running until Ctrl-C. Needs root and the checkout."""
    return _run("lab", arguments)


def demo(arguments: list[str]) -> int:
    """Show each promise being kept on this machine, with measured times; leaves nothing behind. Needs root and the checkout."""
    return _run("demo", arguments)


def _run(what: str, arguments: list[str]) -> int:
    try:
        module = importlib.import_module(f"backstay_dev.{what}_command")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("backstay_dev"):
            raise
        typer.echo(f"backstay: `{what}` comes with the source: in a checkout, `make {what}`", err=True)
        return FAILED
    sys.argv = [f"backstay {what}", *arguments]
    return int(module.main() or 0)
