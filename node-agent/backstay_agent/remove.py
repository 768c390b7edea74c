"""`backstay-agent --remove`: give the host's units back to its admin, once nothing of ours runs and no agent does."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

from .drivers.units import UnitFiles


def remove(run_dir: Path, files: UnitFiles) -> str:
    """Take every drop-in away; why that is not done, in a sentence, or empty."""
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / "agent.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return "the agent runs: `systemctl disable --now backstay-agent` first"
        units = files.with_drop_in()
        if active := [unit for unit in units if _is_active(unit)]:
            return f"still active: {', '.join(active)}; `backstay drain` this host, or stop them by hand, first"
        for unit in units:
            files.shut_gate(unit)
            files.remove_drop_in(unit)
        subprocess.run(["/usr/bin/systemctl", "daemon-reload"], check=True, timeout=60)
    return ""


def _is_active(unit: str) -> bool:
    done = subprocess.run(["/usr/bin/systemctl", "is-active", "--quiet", "--", unit], check=False, timeout=60)
    return done.returncode == 0
