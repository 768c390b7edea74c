"""`python -m backstay_dev.simulate`: many seeds, or one seed's story. See `simulator/`."""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import logging
import multiprocessing
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

LAST_LINES: Final = 60


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0: every run was good."""
    options = _parser().parse_args(argv)
    logging.disable(logging.CRITICAL)
    if options.seed is not None:
        return _one(options.seed, options.profile, is_story=options.story)
    return _many(options)


def _one(seed: int, profile: str, *, is_story: bool) -> int:
    from backstay_dev.simulator.run import run_seed

    result = run_seed(seed, profile)
    print("\n".join(result.story if is_story else result.story[-LAST_LINES:]))
    print(_verdict(result))
    return 0 if result.is_good else 1


def _many(options: argparse.Namespace) -> int:
    seeds = range(options.first, options.first + options.seeds)
    bad, counts, virtual_s = [], Counter[str](), 0.0
    for done, result in enumerate(_results(seeds, options.profile, options.processes), 1):
        counts, virtual_s = counts + result.counts, virtual_s + result.virtual_s
        if not result.is_good:
            bad.append(result)
            _show(result)
            if options.stop:
                break
        if sys.stderr.isatty():
            print(f"\r{done}/{options.seeds} seeds, {len(bad)} bad ", end="", file=sys.stderr, flush=True)
    summary = {
        "seeds": options.seeds,
        "first": options.first,
        "profile": options.profile,
        "bad": [{"seed": each.seed, "why": list(each.accusations)} for each in bad],
        "virtual_s": round(virtual_s),
        "counts": dict(sorted(counts.items())),
    }
    print(json.dumps(summary) if options.output == "json" else _words(summary))
    return 1 if bad else 0


def _results(seeds: Iterable[int], profile: str, processes: int) -> Iterator[Any]:
    """Results as they come, in the order of the seeds. A good run's story is not carried along."""
    work = iter(seeds)
    # The first one here: what it has imported and worked out, the others inherit.
    yield from (_light(seed, profile) for seed in itertools.islice(work, 1))
    # A process for each seed: it ends as it is, for to look through a whole history for cycles takes a tenth of a run.
    with multiprocessing.get_context("fork").Pool(processes, maxtasksperchild=1) as pool:
        yield from pool.imap(partial(_light, profile=profile), work)


def _light(seed: int, profile: str) -> Any:
    from backstay_dev.simulator.run import run_seed

    gc.disable()
    result = run_seed(seed, profile)
    return replace(result, story=() if result.is_good else result.story[-LAST_LINES:])


def _show(result: Any) -> None:
    print("\n".join(result.story), file=sys.stderr)
    print(_verdict(result), file=sys.stderr)


def _verdict(result: Any) -> str:
    replay = f"python -m backstay_dev.simulate --seed {result.seed} --profile {result.profile} --story"
    if result.is_good:
        return f"seed {result.seed}: good ({result.virtual_s:.0f} s, settled {result.settled_s:.0f} s after the last fault)"
    return "\n".join([f"seed {result.seed}: BAD", *(f"  {why}" for why in result.accusations), f"  replay: {replay}"])


def _words(summary: dict[str, Any]) -> str:
    what = ", ".join(f"{count} {name}" for name, count in summary["counts"].items())
    return f"{summary['seeds']} seeds, {len(summary['bad'])} bad; {summary['virtual_s']} virtual s: {what}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m backstay_dev.simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="run this one only")
    parser.add_argument("--story", action="store_true", help="with --seed: the whole story, not only its end")
    parser.add_argument("--profile", default="swarm", help="which faults are drawn (simulator/profiles.py)")
    parser.add_argument("--processes", type=int, default=2, help="seeds run side by side")
    parser.add_argument("--stop", action="store_true", help="stop at the first bad seed")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    return parser


if __name__ == "__main__":
    sys.exit(main())
