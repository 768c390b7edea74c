"""Try one mutant: a copy of the tree with its edits, and the nets, one after the other, until one of them speaks."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .kinds import HOSTS, ROOT, Mutant

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
"""What tests read besides code: not copied, only named in the copy."""
MOST_SEEDS: Final = 400
LIMIT_S: Final = 900
_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant."""

    mutant: Mutant
    found_by: str
    """Empty: nothing found it."""
    why: str = ""


def judge(mutant: Mutant, *, with_machines: bool = False) -> Verdict:
    """Try its nets, the cheapest first."""
    with tempfile.TemporaryDirectory(prefix="backstay-mutant-") as name:
        folder = Path(name)
        break_copy(mutant, folder)
        for nets in _groups(mutant, with_machines=with_machines):
            is_simulated = nets[0].startswith("sim:")
            verdict = _simulated(mutant, nets[0], folder) if is_simulated else _tested(mutant, nets, folder)
            if verdict.found_by:
                return verdict
    return Verdict(mutant, "")


def _groups(mutant: Mutant, *, with_machines: bool) -> list[list[str]]:
    """Its nets in their order; tests that follow each other are run by one process, which loads everything once."""
    groups: list[list[str]] = []
    for killer in mutant.killers:
        if killer.startswith(HOSTS) and not with_machines:
            continue
        if groups and not killer.startswith("sim:") and not groups[-1][0].startswith("sim:"):
            groups[-1].append(killer)
        else:
            groups.append([killer])
    return groups


def break_copy(mutant: Mutant, folder: Path) -> None:
    """A copy of the product and its tests with the mutant's edits."""
    for root in ROOTS:
        shutil.copytree(ROOT / root, folder / root, ignore=shutil.ignore_patterns("__pycache__"))
    for name in LOOKED_AT:
        if (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)
    for edit in mutant.edits:
        path = folder / edit.file
        text = path.read_text()
        assert text.count(edit.old) == 1, f"{edit.file} has this {text.count(edit.old)} times:\n{edit.old}"
        path.write_text(text.replace(edit.old, edit.new))


def misfits(mutant: Mutant) -> list[str]:
    """Edits whose old text does not stand exactly once in the product: the code has moved, and the mutant must follow it."""
    counts = [(edit, (ROOT / edit.file).read_text().count(edit.old)) for edit in mutant.edits]
    return [f"{mutant.sentence}: {edit.file} has it {count} times" for edit, count in counts if count != 1]


def _tested(mutant: Mutant, killers: list[str], folder: Path) -> Verdict:
    files = list(dict.fromkeys(killers))
    argv = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-n", "0", "--tb=line", *files]
    done = _run(argv, folder)
    if done.returncode == 0:
        return Verdict(mutant, "")
    found = _FAILED.search(done.stdout)
    assert found and done.returncode == 1, (
        f"{mutant.sentence}: {files} cannot be run:\n{done.stdout[-2000:]}{done.stderr[-500:]}"
    )
    return Verdict(mutant, found[1])


def _simulated(mutant: Mutant, killer: str, folder: Path) -> Verdict:
    profile, _, seeds = killer.removeprefix("sim:").partition(":")
    argv = [sys.executable, "-m", "backstay_dev.simulate", "--profile", profile, "--seeds", seeds or str(MOST_SEEDS)]
    done = _run([*argv, "--processes", "1", "--stop", "-o", "json"], folder)
    assert done.returncode in (0, 1) and done.stdout, f"the mutant does not even run:\n{done.stderr[-2000:]}"
    bad = json.loads(done.stdout)["bad"]
    if not bad:
        return Verdict(mutant, "")
    return Verdict(mutant, f"simulator --profile {profile} --seed {bad[0]['seed']}", bad[0]["why"][0])


def _run(argv: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": ":".join(str(folder / root) for root in ROOTS),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        argv, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT_S
    )
