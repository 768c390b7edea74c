"""`make bench`: every performance figure as JSON, with floors measured in the same run; a table on a terminal."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from backstay_dev.lab.shell import EXIT_CANNOT, LabError
from backstay_dev.scale import flood
from backstay_dev.scale import story as scale
from backstay_dev.scale.site import Size
from backstay_dev.show import bench_cases as cases
from backstay_dev.show import bench_many as many
from backstay_dev.show import bench_plan as planning
from backstay_dev.show import bench_start as starting
from backstay_dev.show.bench_cases import Bench, Sample

RUNS: Final = 10


@dataclass(frozen=True)
class Figure:
    """One number that we promise or report."""

    name: str
    unit: str
    aim: float | None
    run: Callable[[Bench], Sample]
    peers: str = ""
    """The same in Pacemaker 2.1, default / fastest tuning, same kind of machine, fence agent answering in 0.04 s (quoted, not run here)."""
    most_runs: int = 1000


FIGURES: Final[Sequence[Figure]] = (
    Figure("process killed: answering again on the same host", "s", 0.10, cases.process_killed, "5.27 / 0.19"),
    Figure("host power lost: answering from another host", "s", 1.5, cases.power_lost, "8.30 / 1.87"),
    Figure("host cut off, running: powered off, answering elsewhere", "s", 2.5, cases.cut_off, "8.59 / 1.98"),
    Figure("planned move: longest gap", "s", 0.10, cases.planned_move, "0.28 / 0.37"),
    Figure("agent: PSS", "MiB", 40, cases.agent_memory, "131"),
    Figure("agent: CPU while idle", "% of a core", 0.5, cases.agent_cpu, "0.8", most_runs=3),
    Figure("operator: PSS", "MiB", None, cases.operator_memory),
    Figure("operator: CPU while idle", "% of a core", None, cases.operator_cpu, most_runs=3),
    Figure("fencer: PSS", "MiB", None, cases.fencer_memory),
    Figure("fencer: CPU while idle", "% of a core", None, cases.fencer_cpu, most_runs=3),
    Figure("OCF monitor: added to the agent by hand", "s", 0.010, cases.ocf_monitor),
    Figure("floor: the same OCF monitor by hand", "s", None, cases.floor_ocf_monitor),
    Figure("floor: systemctl restart of such a unit", "s", None, cases.floor_unit_restart),
    Figure("floor: one power read by fence_redfish", "s", None, cases.floor_fence_read),
)
MANY: Final = "many services on a host"
"""How `--only` calls all of `show/bench_many.py`."""
PLANNING: Final = "planner"
"""And all of `show/bench_plan.py` and `show/bench_start.py`, which need no lab."""
SCALE: Final = "scale"
"""And all of `scale/story.py`: a control plane without the lab's hosts."""
FLOOD: Final = "flood"
"""And all of `scale/flood.py`, the same with a tenant who makes many services at once."""
COLD: Final = Figure("all of ours started at once: service answers", "s", 3.0, lambda b: Sample(0.0), "24.4 / 5.5")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 even where an aim is missed: the figures say so."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True, highlight=False)
    chosen = [figure for figure in FIGURES if options.only in figure.name]
    try:
        figures = [
            *_with_one_lab(chosen, options.runs, console),
            *_cold(options, console),
            *_many(options, console),
            *_planning(options, console),
            *_scale(options, console),
            *_flood(options, console),
        ]
    except LabError as error:
        console.print(f"bench: {error}")
        return EXIT_CANNOT
    except KeyboardInterrupt:
        console.print("bench: interrupted; everything was cleaned up")
        return 130
    print(json.dumps({"figures": figures, "machine": machine()}, indent=2))
    if sys.stderr.isatty() or not sys.stdout.isatty():
        console.print(_table(figures))
    return 0


def _with_one_lab(chosen: Sequence[Figure], runs: int, console: Console) -> list[dict[str, Any]]:
    if not chosen:
        return []
    with cases.bench(lambda text: console.print(f"  {text}", style="dim")) as lab:
        return [_measure(figure, lambda figure=figure: figure.run(lab), runs, console) for figure in chosen]  # type: ignore[misc]


def _cold(options: argparse.Namespace, console: Console) -> list[dict[str, Any]]:
    if options.only not in COLD.name:
        return []
    return [_measure(COLD, lambda: cases.cold_start(lambda text: None), options.runs, console)]


def _many(options: argparse.Namespace, console: Console) -> list[dict[str, Any]]:
    return _found(many.figures, console) if options.only in MANY else []


def _planning(options: argparse.Namespace, console: Console) -> list[dict[str, Any]]:
    if options.only not in PLANNING:
        return []
    return [*_found(planning.figures, console), *_found(starting.figures, console)]


def _scale(options: argparse.Namespace, console: Console) -> list[dict[str, Any]]:
    size = Size(options.hosts, options.services)
    return _found(partial(scale.figures, size), console) if options.only in SCALE else []


def _flood(options: argparse.Namespace, console: Console) -> list[dict[str, Any]]:
    return _found(partial(flood.figures, flood.Flood()), console) if options.only in FLOOD else []


def _found(figures: Callable[[Callable[[str], None]], Iterable[many.Found]], console: Console) -> list[dict[str, Any]]:
    def told(text: str) -> None:
        console.print(f"  {text}", style="dim")

    measured = []
    for found in figures(told):
        figure = Figure(found.name, found.unit, found.aim, lambda b: Sample(0.0))
        measured.append(_summary(figure, [Sample(value, dict(found.breakdown)) for value in found.values]))
        told(f"{found.name}: {measured[-1]['median']:g} {found.unit}")
    return measured


def _measure(figure: Figure, run: Callable[[], Sample], runs: int, console: Console) -> dict[str, Any]:
    samples = []
    for number in range(min(runs, figure.most_runs)):
        samples.append(run())
        console.print(f"  {figure.name} {number + 1}: {samples[-1].value:.3f} {figure.unit}", style="dim")
    return _summary(figure, samples)


def _summary(figure: Figure, samples: Sequence[Sample]) -> dict[str, Any]:
    values = [sample.value for sample in samples]
    median = statistics.median(values)
    return {
        "name": figure.name,
        "unit": figure.unit,
        "n": len(values),
        "median": round(median, 4),
        "min": round(min(values), 4),
        "max": round(max(values), 4),
        "aim": figure.aim,
        "held": None if figure.aim is None else median <= figure.aim,
        "peers": figure.peers,
        "breakdown": _median_breakdown(samples),
    }


def _median_breakdown(samples: Sequence[Sample]) -> dict[str, float]:
    steps = dict.fromkeys(step for sample in samples for step in sample.breakdown)
    return {
        step: round(statistics.median(s.breakdown[step] for s in samples if step in s.breakdown), 4) for step in steps
    }


def machine() -> dict[str, Any]:
    """What it was measured on, and how busy that was."""
    return {
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": [round(load, 2) for load in os.getloadavg()],
    }


def _table(figures: Sequence[dict[str, Any]]) -> Table:
    table = Table(title="Measured (medians); breakdown: seconds from the fault to each step", title_justify="left")
    for title in ("figure", "median", "min", "max", "aim", "", "Pacemaker", "breakdown"):
        table.add_column(title, overflow="fold")
    for figure in figures:
        held = {True: "[green]held[/green]", False: "[red]missed[/red]", None: ""}[figure["held"]]
        steps = "  ".join(f"{step} {at:g}" for step, at in figure["breakdown"].items())
        numbers = [f"{figure[key]:g}" for key in ("median", "min", "max")]
        aim = "" if figure["aim"] is None else f"{figure['aim']:g}"
        table.add_row(f"{figure['name']} [{figure['unit']}]", *numbers, aim, held, figure["peers"], steps)
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench", description="Measures everything we promise, and the floors beside it."
    )
    parser.add_argument("--runs", type=int, default=RUNS, help=f"runs of each case (default {RUNS})")
    parser.add_argument(
        "--only",
        default="",
        help=f"only figures whose name contains this (those of `{MANY}`, `{PLANNING}`, `{SCALE}` and `{FLOOD}` by that name)",
    )
    parser.add_argument("--hosts", type=int, default=Size.hosts, help=f"of `{SCALE}` (default {Size.hosts})")
    parser.add_argument("--services", type=int, default=Size.services, help=f"of `{SCALE}` (default {Size.services})")
    return parser


if __name__ == "__main__":
    sys.exit(main())
