"""A file that decides or acts has a mutant, or here stands why not: what nothing breaks, nothing is known to watch over."""

from __future__ import annotations

from pathlib import Path

from backstay_dev.mutants.catalogue import MUTANTS

ROOT = Path(__file__).resolve().parents[3]
AGENT, OPERATOR = "node-agent/backstay_agent", "operator/backstay_operator"

# All files of these folders, and of those below them…
FOLDERS = (
    "operator/backstay_fencer",
    f"{AGENT}/core",
    f"{AGENT}/run",
    f"{AGENT}/standby",
    f"{AGENT}/store",
    f"{AGENT}/drivers/systemd",
    f"{OPERATOR}/control/act",
    f"{OPERATOR}/planner/do",
    f"{OPERATOR}/planner/judge",
)
# …and of other rooms those that can start, stop, cut off or let through.
FILES = (
    "charts/backstay/templates/admission.yaml",
    "charts/backstay/templates/admission-walls.yaml",
    f"{AGENT}/shutdown.py",
    *(f"{AGENT}/drivers/address/{name}.py" for name in ("driver", "netlink", "places")),
    f"{AGENT}/drivers/mount/driver.py",
    *(
        f"{AGENT}/drivers/tools/{name}.py"
        for name in ("cgroups", "file_system_looks", "installing", "reloads", "units", "verified_stop", "watch")
    ),
    f"{OPERATOR}/control/reconciler.py",
)
# Nothing in them decides.
EXEMPT = {
    "operator/backstay_fencer/counters.py": "numbers for people",
    "operator/backstay_fencer/facts.py": "types",
    "operator/backstay_fencer/health.py": "what the fencer says of itself",
    "operator/backstay_fencer/main.py": "puts the parts together",
    "operator/backstay_fencer/metrics.py": "numbers for people",
    "operator/backstay_fencer/words.py": "sentences for people",
    f"{AGENT}/standby/running.py": "a protocol",
    f"{AGENT}/core/score.py": "a type, and how it is read: a score is a wish, no rule",
    f"{OPERATOR}/control/act/refusals.py": "tells what was refused",
    f"{OPERATOR}/planner/judge/questions.py": "types",
}
# Not bent yet. The list only becomes shorter: a new file belongs to neither.
NOT_YET = {
    f"{AGENT}/core/exchange.py",
    f"{AGENT}/drivers/systemd/changes.py",
    f"{AGENT}/drivers/systemd/limits.py",
    f"{AGENT}/run/notifications.py",
    f"{AGENT}/standby/prerequisites.py",
    f"{OPERATOR}/planner/do/clears.py",
    f"{OPERATOR}/planner/do/course.py",
    f"{OPERATOR}/planner/do/finalizers.py",
    f"{OPERATOR}/planner/do/recorded.py",
    f"{OPERATOR}/planner/judge/edits.py",
    f"{OPERATOR}/planner/judge/last_accepted.py",
}


def asked() -> list[str]:
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if path.name != "__init__.py"]
    return sorted([*(str(path.relative_to(ROOT)) for path in found), *FILES])


def bent() -> set[str]:
    return {edit.file for mutant in MUTANTS for edit in mutant.edits}


def test_every_file_that_decides_or_acts_is_bent_by_a_mutant() -> None:
    assert [name for name in asked() if name not in bent() | EXEMPT.keys() | NOT_YET] == []


def test_what_is_excused_is_there_and_has_none() -> None:
    assert [name for name in {*EXEMPT, *NOT_YET} if not (ROOT / name).exists()] == []
    assert EXEMPT.keys() & bent() == set(), "it can be bent after all"
