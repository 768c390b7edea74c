"""The whole product under faults: many seeds are good, one seed is one story."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backstay_dev.mutants.judge import ROOTS
from backstay_dev.mutants.kinds import ROOT
from backstay_dev.simulator.run import run_seed

SEEDS = 300
FROM_COMMITS = 10_000_000
"""Seeds that are derived from a commit begin here: none of them is among those that are tried every time."""


def simulate(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    """The command of `make simulate`, in a process of its own: sets of strings iterate as its hash seed says."""
    paths = [str(ROOT / root) for root in ROOTS]
    environment = {**os.environ, "PYTHONPATH": ":".join(paths), "PYTHONHASHSEED": hash_seed}
    argv = [sys.executable, "-m", "backstay_dev.simulate", *arguments]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)


def commit() -> str:
    """The present commit; where there is no git, what stands in the code."""
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    if git.returncode == 0:
        return git.stdout.strip()
    files = sorted(path for root in ROOTS for path in Path(ROOT / root).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def first_of_this_commit() -> int:
    return FROM_COMMITS + int(commit()[:7], 16) * SEEDS


def test_nothing_that_must_not_happen_happens_and_everything_runs_in_the_end() -> None:
    done = simulate("--seeds", str(SEEDS), "-o", "json")
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)["counts"]
    # A simulator in which nothing ever fails over would be green as well.
    assert all(counts[what] > 5 for what in ("Boot", "Device", "Manual", "NotExclusive", "Released", "off", "on"))


def test_nothing_goes_wrong_in_seeds_that_nobody_has_tried(capsys: pytest.CaptureFixture[str]) -> None:
    """As many again, others for each commit: what is found here is replayed with the command that stands in the output."""
    first = first_of_this_commit()
    done = simulate("--seeds", str(SEEDS), "--first", str(first), "-o", "json")
    with capsys.disabled():
        print(f"\nseeds of this commit: make simulate SEEDS={SEEDS} FIRST={first}")
    assert json.loads(done.stdout)["bad"] == []


# What nobody had tried when it was found, each for another reason (the worlds of test_worlds_without.py tell them shortly).
FOUND = [
    40663202865,
    40670776569,
    16088334917,
    31117629231,
    57291221339,
    57291221401,
    57291221413,
    57291221464,
    39313224732,
    39313224822,
    39313224934,
    39313224999,
    72673111355,
    777000049,
    777000155,
    33411075000,
    33411074919,
    910000000200047,
    80000000189,
    80000000329,
    80000000338,
    80000000550,
    80000001344,
    80000001628,
    59765150901,
    59765151046,
    80000002672,
    80000002698,
    9200000003011,
    75787325047,
    24007668217,
    96000005541,
    96000005085,
    50031426297,
    12972349213,
    22554229422,
]


@pytest.mark.parametrize("seed", FOUND)
def test_seeds_that_have_failed_in_the_second_swarm(seed: int) -> None:
    """As it was before recovery was drawn as well."""
    assert run_seed(seed, "second-swarm").accusations == ()


@pytest.mark.parametrize("seed", [120000000366, 310026202018])
def test_seeds_that_have_failed_in_the_third_swarm(seed: int) -> None:
    """As it was before stops that fail and sites without power were drawn as well."""
    assert run_seed(seed, "third-swarm").accusations == ()


@pytest.mark.parametrize("seed", [55056607141, 47158711889, 73298158401, 2611500702, 37592163631, 37592163639])
def test_seeds_that_have_failed_in_this_swarm(seed: int) -> None:
    """A fencer that had just begun believed a device of n3's that says n3's name, and feeds n1, which says the same."""
    assert run_seed(seed).accusations == ()


@pytest.mark.parametrize("seed", [4000978, 4001563, 4001703, 4001757, 4002021, 4002769])
def test_seeds_that_have_failed_once(seed: int) -> None:
    """Under the faults of the first swarm, in which they were found."""
    assert run_seed(seed, "first-swarm").accusations == ()


def test_what_starts_by_itself_at_a_boot_is_not_known_before_the_host_has_renewed() -> None:
    """The judge took a host that had renewed just before its reboot for one that could be asked after it."""
    assert run_seed(304, "labels").accusations == ()


@pytest.mark.parametrize("seed", range(4))
def test_an_api_outage_of_a_minute_stops_nothing_moves_nothing_and_fences_nobody(seed: int) -> None:
    result = run_seed(seed, "outages")
    assert result.is_good
    assert any("the API is away" in line for line in result.story)
    assert not [line for line in result.story if "no longer runs" in line or "seals" in line or "closed by" in line]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_site_that_had_no_power_at_all_comes_back(seed: int) -> None:
    result = run_seed(seed, "sites")
    assert result.is_good
    assert any("the site has no power" in line for line in result.story)


@pytest.mark.parametrize("seed", [7, 23])
def test_one_seed_is_one_story(seed: int) -> None:
    assert run_seed(seed).story == run_seed(seed).story


@pytest.mark.parametrize("seed", ["7", "91000000005"])
def test_a_story_is_the_same_in_another_process(seed: str) -> None:
    first = simulate("--seed", seed, "--story")
    assert first.returncode == 0 and len(first.stdout.splitlines()) > 50
    assert simulate("--seed", seed, "--story", hash_seed="2").stdout == first.stdout
