"""The whole product under faults: many seeds are good, one seed is one story, and broken variants are found."""

import json
import os
import subprocess
import sys

import pytest

from backstay_dev.simulator import mutants
from backstay_dev.simulator.run import run_seed

SEEDS = 300


def simulate(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    """The command of `make simulate`, in a process of its own: sets of strings iterate as its hash seed says."""
    paths = [str(mutants.ROOT / root) for root in mutants.ROOTS]
    environment = {**os.environ, "PYTHONPATH": ":".join(paths), "PYTHONHASHSEED": hash_seed}
    argv = [sys.executable, "-m", "backstay_dev.simulate", *arguments]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)


def test_nothing_that_must_not_happen_happens_and_everything_runs_in_the_end() -> None:
    done = simulate("--seeds", str(SEEDS), "-o", "json")
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)["counts"]
    # A simulator in which nothing ever fails over would be green as well.
    assert all(counts[what] > 5 for what in ("Boot", "Device", "Manual", "NotExclusive", "Released", "off"))


@pytest.mark.parametrize("seed", range(4))
def test_an_api_outage_of_a_minute_stops_nothing_moves_nothing_and_fences_nobody(seed: int) -> None:
    result = run_seed(seed, "outages")
    assert result.is_good
    assert any("the API is away" in line for line in result.story)
    assert not [line for line in result.story if "no longer runs" in line or "seals" in line or "closed by" in line]


@pytest.mark.parametrize("seed", [7, 23])
def test_one_seed_is_one_story(seed: int) -> None:
    assert run_seed(seed).story == run_seed(seed).story


def test_a_story_is_the_same_in_another_process() -> None:
    first = simulate("--seed", "7", "--story")
    assert first.returncode == 0 and len(first.stdout.splitlines()) > 50
    assert simulate("--seed", "7", "--story", hash_seed="12345").stdout == first.stdout


@pytest.mark.parametrize("mutant", [each for each in mutants.MUTANTS if each.is_quick], ids=lambda each: each.name)
def test_a_broken_variant_of_our_own_code_is_found(mutant: mutants.Mutant) -> None:
    """The others of the ten take more seeds: `make mutants`."""
    verdict = mutants.judge(mutant)
    assert verdict.seeds is not None, "the monitor saw nothing"


def test_every_mutant_still_fits_the_code() -> None:
    for mutant in mutants.MUTANTS:
        for edit in mutant.edits:
            assert (mutants.ROOT / edit.file).read_text().count(edit.old) == 1, (
                f"{mutant.name}: {edit.file} has moved on"
            )
