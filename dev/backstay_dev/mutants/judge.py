"""Try one mutant: a copy of the tree with its edits, and the nets, one after the other, until one of them speaks."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .kinds import MACHINES, ROOT, Mutant

ROOTS: Final = ("crds", "operator", "node-agent", "cli", "dev", "tests")
LOOKED_AT: Final = (
    "pyproject.toml",
    "charts",
    "docs",
    "install",
    "Makefile",
    "README.md",
    "CONTRIBUTING.md",
    "newsfragments",
    "models",
    "examples",
)
"""What tests read besides code: only named in the copy, unless it is what the mutant edits."""
MOST_SEEDS: Final = 400
LIMIT_S: Final = 900
_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", re.MULTILINE)
_NO_SUCH_TEST: Final = 4
"""What pytest answers where a test that is named is not there (any more)."""
_SEED: Final = "simulator "
"""So begins what names a seed of the simulator as the finder."""


class CannotBeTried(Exception):
    """A mutant that does not fit, does not even run, or hangs: nothing found it, and somebody must look."""


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant."""

    mutant: Mutant
    found_by: str
    """Empty: nothing found it."""
    why: str = ""


def judge(mutant: Mutant, *, with_machines: bool = False, last_found_by: str = "") -> Verdict:
    """Try what found it last time, then its nets, the cheapest first."""
    with tempfile.TemporaryDirectory(prefix="backstay-mutant-") as name:
        folder = Path(name)
        break_copy(mutant, folder)
        last = _groups([last_found_by] if last_found_by else [], with_machines=with_machines)
        for nets in (*last, *_groups(mutant.killers, with_machines=with_machines)):
            is_simulated = _is_simulated(nets[0])
            verdict = _simulated(mutant, nets[0], folder) if is_simulated else _tested(mutant, nets, folder)
            if verdict.found_by:
                return verdict
    return Verdict(mutant, "")


def _is_simulated(killer: str) -> bool:
    return killer.startswith(("sim:", _SEED))


def _groups(killers: Sequence[str], *, with_machines: bool) -> list[list[str]]:
    """Nets in their order; tests that follow each other are run by one process, which loads everything once."""
    groups: list[list[str]] = []
    for killer in killers:
        if killer.startswith(MACHINES) and not with_machines:
            continue
        if groups and not _is_simulated(killer) and not _is_simulated(groups[-1][0]):
            groups[-1].append(killer)
        else:
            groups.append([killer])
    return groups


def break_copy(mutant: Mutant, folder: Path) -> None:
    """A copy of the product and its tests with the mutant's edits."""
    edited = {edit.file.partition("/")[0] for edit in mutant.edits}
    for name in (*ROOTS, *LOOKED_AT):
        if name not in edited.union(ROOTS) and (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)
        elif (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, folder / name)
    for edit in mutant.edits:
        path = folder / edit.file
        text = path.read_text()
        if text.count(edit.old) != 1:
            raise CannotBeTried(f"{edit.file} has this {text.count(edit.old)} times:\n{edit.old}")
        path.write_text(text.replace(edit.old, edit.new))


def misfits(mutant: Mutant) -> list[str]:
    """Edits whose old text does not stand exactly once in the product: the code has moved, and the mutant must follow it."""
    counts = [(edit, (ROOT / edit.file).read_text().count(edit.old)) for edit in mutant.edits]
    return [f"{mutant.sentence}: {edit.file} has it {count} times" for edit, count in counts if count != 1]


def _tested(mutant: Mutant, killers: list[str], folder: Path) -> Verdict:
    files = list(dict.fromkeys(killers))
    argv = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-n", "0", "--tb=line", *files]
    done = _run(argv, folder)
    if done.returncode == 0 or (done.returncode == _NO_SUCH_TEST and "::" in files[0]):
        return Verdict(mutant, "")
    found = _FAILED.search(done.stdout)
    # A file that cannot even be loaded (it lacks something in the copy) has found nothing.
    if not found or done.returncode != 1 or "::" not in found[1]:
        raise CannotBeTried(f"{' '.join(files)} cannot be run:\n{done.stdout[-2000:]}{done.stderr[-500:]}")
    return Verdict(mutant, found[1].strip())


def _simulated(mutant: Mutant, killer: str, folder: Path) -> Verdict:
    argv = [sys.executable, "-m", "backstay_dev.simulate", *_which_seeds(killer)]
    done = _run([*argv, "--processes", "1", "--stop", "-o", "json"], folder)
    if done.returncode not in (0, 1) or not done.stdout:
        raise CannotBeTried(f"the simulator cannot be run:\n{done.stderr[-2000:]}")
    bad = json.loads(done.stdout)["bad"]
    if not bad:
        return Verdict(mutant, "")
    profile = argv[argv.index("--profile") + 1]
    return Verdict(mutant, f"{_SEED}--profile {profile} --seed {bad[0]['seed']}", bad[0]["why"][0])


def _which_seeds(killer: str) -> list[str]:
    if killer.startswith(_SEED):
        return [*killer.removeprefix(_SEED).replace("--seed ", "--first ").split(), "--seeds", "1"]
    profile, _, seeds = killer.removeprefix("sim:").partition(":")
    return ["--profile", profile, "--seeds", seeds or str(MOST_SEEDS)]


def _run(argv: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": ":".join(str(folder / root) for root in ROOTS),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        return subprocess.run(
            argv, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT_S
        )
    except subprocess.TimeoutExpired as error:
        raise CannotBeTried(f"no answer in {LIMIT_S} s: {' '.join(argv[2:])}") from error
