"""`make mutants`: try all of them, and say of each what found it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from .catalogue import MUTANTS
from .judge import CannotBeTried, Verdict, judge
from .kinds import Mutant
from .known import known, record

_MANY = 100
"""So much of what the monitor said is shown; what cannot be tried at all is told in full."""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 if every mutant was found."""
    options = _parser().parse_args(argv)
    recorded = known() if options.unrecorded else {}
    chosen = [
        mutant
        for mutant in MUTANTS
        if options.only in f"{mutant.sentence} {' '.join(edit.file for edit in mutant.edits)}"
        and mutant.sentence not in recorded
        and (options.hosts or not mutant.needs_machines)
    ]
    left_out = [] if options.hosts else [mutant.sentence for mutant in MUTANTS if mutant.needs_machines]
    verdicts = _verdicts(chosen, options)
    caught = sum(bool(verdict.found_by) for verdict in verdicts)
    if options.output == "json":
        print(json.dumps([{"mutant": v.mutant.sentence, "foundBy": v.found_by, "why": v.why} for v in verdicts]))
    else:
        for sentence in left_out:
            print(f"not tried  {sentence}: it needs real machines (--hosts)")
        print(f"mutants={len(verdicts)} caught={caught}")
    return 0 if caught == len(verdicts) else 1


def _verdicts(chosen: Sequence[Mutant], options: argparse.Namespace) -> list[Verdict]:
    last = known()

    def tried(mutant: Mutant) -> Verdict:
        try:
            return judge(mutant, with_machines=options.hosts, last_found_by=last.get(mutant.sentence, ""))
        except CannotBeTried as why:
            return Verdict(mutant, "", str(why))

    verdicts: list[Verdict] = []
    with ThreadPoolExecutor(max_workers=options.processes) as pool:
        for verdict in pool.map(tried, chosen):
            verdicts.append(verdict)
            if options.record:
                record(verdict)
            if options.output != "json":
                print(_line(verdict), flush=True)
    return verdicts


def _line(verdict: Verdict) -> str:
    why = f" ({verdict.why[: _MANY if verdict.found_by else None]})" if verdict.why else ""
    return f"{'found     ' if verdict.found_by else 'SURVIVES  '} {verdict.mutant.sentence}: {verdict.found_by or 'nothing'}{why}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m backstay_dev.mutants", description=__doc__)
    parser.add_argument("--only", default="", help="those whose sentence or file contains this")
    parser.add_argument("--unrecorded", action="store_true", help="those of which nothing says yet what found them")
    parser.add_argument("--hosts", action="store_true", help="with the tests on real machines (root)")
    parser.add_argument("--record", action="store_true", help="keep what found each, to be tried first next time")
    parser.add_argument("--processes", type=int, default=2, help="mutants tried side by side")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    return parser
