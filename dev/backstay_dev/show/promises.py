"""Promises shown one after the other: what was promised, what was measured, held or not. The demo's table."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Kept:
    """One promise, checked."""

    step: str
    promise: str
    measured: str
    held: bool


@dataclass
class Ledger:
    """Collects promises and tells them as they are checked."""

    console: Console = field(default_factory=lambda: Console(highlight=False))
    kept: list[Kept] = field(default_factory=list)
    _step: str = ""
    _number: int = 0

    def say(self, text: str) -> None:
        """A sentence of the story."""
        self.console.print(f"  {text}", style="dim")

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One step; a failure inside is a promise not kept, told, and the show goes on only if it can."""
        self._number += 1
        self._step = f"{self._number}. {title}"
        self.console.print(f"\n[bold]{self._step}[/bold]")
        yield

    def check(self, promise: str, measured: str, held: bool) -> bool:
        """Write a promise into the table."""
        self.kept.append(Kept(self._step, promise, measured, held))
        mark = "[green]held[/green]" if held else "[red]NOT HELD[/red]"
        self.console.print(f"  {mark}  {promise}: {measured}")
        return held

    def expect(self, promise: str, question: Callable[[], str | None], *, within_s: float) -> bool:
        """Ask until the answer is a text (what was found), or the time is up."""
        begun_s, error = time.monotonic(), ""
        while (waited_s := time.monotonic() - begun_s) < within_s:
            try:
                answer = question()
            except Exception as trouble:  # told in the table: a demo that ends in a traceback tells nobody anything
                answer, error = None, f" ({trouble})"
            if answer is not None:
                return self.check(promise, f"{answer}, after {waited_s:.1f} s", True)
            time.sleep(0.1)
        return self.check(promise, f"not within {within_s:g} s{error}", False)

    @property
    def all_held(self) -> bool:
        return bool(self.kept) and all(kept.held for kept in self.kept)

    def summary(self) -> None:
        """The table at the end."""
        table = Table(title="What was promised, and what was measured", title_justify="left")
        for title in ("step", "promise", "measured", ""):
            table.add_column(title, overflow="fold")
        before = ""
        for kept in self.kept:
            mark = "[green]held[/green]" if kept.held else "[red]NOT HELD[/red]"
            table.add_row(kept.step if kept.step != before else "", kept.promise, kept.measured, mark)
            before = kept.step
        self.console.print()
        self.console.print(table)
        if not sys.stdout.isatty():
            self.console.print("every promise held" if self.all_held else "NOT every promise held")
