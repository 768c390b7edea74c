"""`backstay-agent --remove`: give the host's units back to its admin, once nothing of ours runs and no agent does."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .config import CLUSTER, HOST
from .drivers.tools.units import UnitFiles
from .single_instance import AnotherAgent, alone


def remove(run_dir: Path, state_dir: Path, files: UnitFiles) -> str:
    """Take every drop-in away; why that is not done, in a sentence, or empty."""
    try:
        with alone(run_dir, state_dir, wait=False):
            why = _give_back(files)
            if not why:
                for name in (HOST, CLUSTER):  # enrolled again, it may have another name, elsewhere
                    (state_dir / name).unlink(missing_ok=True)
            return why
    except AnotherAgent:
        return "the agent runs: `systemctl disable --now backstay-agent` first"


def _give_back(files: UnitFiles) -> str:
    units = files.with_drop_in()
    if up := [unit for unit in units if not _is_down(unit)]:
        return f"still active: {', '.join(up)}; `backstay drain` this host, or stop them by hand, first"
    for unit in units:
        files.shut_gate(unit)
        files.remove_drop_in(unit)
    subprocess.run(["/usr/bin/systemctl", "daemon-reload"], check=True, timeout=60)
    return ""


def _is_down(unit: str) -> bool:
    # Not `is-active`: what is just starting or stopping is not active, and not down either.
    asked = ["/usr/bin/systemctl", "show", "--property=ActiveState", "--value", "--", unit]
    done = subprocess.run(asked, check=True, timeout=60, capture_output=True, text=True)
    return done.stdout.strip() in ("inactive", "failed")
