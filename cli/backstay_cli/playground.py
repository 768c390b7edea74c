"""`backstay lab` and `backstay demo`: for who has the whole checkout. The CLI knows of `dev/` only when it is asked for."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from typing import Final

import typer

from .session import FAILED, WELL

# What `make lab` and `make demo` start.
_MODULES: Final = {"lab": "backstay_dev.lab.__main__", "demo": "backstay_dev.demo"}


def lab(arguments: list[str]) -> int:
    """Keep a control plane and three hosts running on this machine, for your own kubectl. Needs root and the checkout."""
    return _run("lab", arguments)


def demo(arguments: list[str]) -> int:
    """Show each promise being kept on this machine, with measured times. Needs root and the checkout."""
    return _run("demo", arguments)


def _run(what: str, arguments: list[str]) -> int:
    """As `make lab` and `make demo` do: `python -m backstay_dev.…`."""
    module = _MODULES[what]
    if not _is_there("backstay_dev") or not _is_there(module):
        typer.echo(f"backstay: `{what}` comes with the source: in a checkout, `make {what}`", err=True)
        return FAILED
    sys.argv = [f"backstay {what}", *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return WELL


def _is_there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
