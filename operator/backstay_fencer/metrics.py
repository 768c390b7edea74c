"""The fencer's numbers as Prometheus reads them. By hand, and made when they are asked for: the fencer stays small."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Final, get_args

from backstay_api import VERSION

from .counters import BOUNDS_S, Counters, Outcome

KIND: Final = "text/plain; version=0.0.4; charset=utf-8"


def rendered(counters: Counters, numbers: Mapping[str, float], watches_s: Mapping[str, float | None]) -> str:
    """`numbers`: gauges of the fencer by their names; `watches_s`: seconds since a watch last told of anything, None: never."""
    lines = [*_counted(counters), *_gauges(numbers), *_watches(watches_s)]
    lines += ["# TYPE backstay_build_info gauge", f'backstay_build_info{{version="{VERSION}",part="fencer"}} 1']
    return "".join(f"{line}\n" for line in lines)


def _counted(counters: Counters) -> Iterator[str]:
    yield "# TYPE backstay_fences_total counter"
    # Those that never were are told too: an increase from nothing is none.
    yield from (f'backstay_fences_total{{outcome="{one}"}} {counters.fences[one]}' for one in get_args(Outcome))
    yield "# TYPE backstay_fence_duration_seconds histogram"
    bounds = [*(f"{bound_s:g}" for bound_s in BOUNDS_S), "+Inf"]
    for bound, count in zip(bounds, accumulate(counters.counts), strict=True):
        yield f'backstay_fence_duration_seconds_bucket{{le="{bound}"}} {count}'
    yield f"backstay_fence_duration_seconds_sum {counters.sum_s:g}"
    yield f"backstay_fence_duration_seconds_count {sum(counters.counts)}"
    yield "# TYPE backstay_fence_agent_runs_total counter"
    for (action, result), count in sorted(counters.runs.items()):
        yield f'backstay_fence_agent_runs_total{{action="{action}",result="{result}"}} {count}'


def _gauges(numbers: Mapping[str, float]) -> Iterator[str]:
    for name, value in numbers.items():
        yield f"# TYPE backstay_fencer_{name} gauge"
        yield f"backstay_fencer_{name} {value:g}"


def _watches(watches_s: Mapping[str, float | None]) -> Iterator[str]:
    yield "# TYPE backstay_fencer_watch_age_seconds gauge"
    for name, age_s in sorted(watches_s.items()):
        if age_s is not None:
            yield f'backstay_fencer_watch_age_seconds{{watch="{name}"}} {age_s:g}'
