"""What every part of the lab needs to start other programs: short calls, long-lived children, and one kind of error.

A child is recorded by pid *and* start time, so that a later lab may end what a dead one left without ever hitting a
stranger that was given the same pid.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

Progress = Callable[[str], None]
EXIT_CANNOT: Final = 2
PATIENCE: Final = 4
"""A limit only tells a hang from work. What a quiet machine never needs is written down; a busy one gets so many times that."""
REPOSITORY: Final = Path(__file__).resolve().parents[3]
# What child processes that are ours import, installed or not.
PYTHONPATH: Final = os.pathsep.join(str(REPOSITORY / root) for root in ("crds", "operator", "cli", "dev"))


class LabError(Exception):
    """The lab cannot do what was asked; the message is one sentence that says what is missing and how to get it."""


def silent(_line: str) -> None:
    """Progress that nobody watches."""


def call(*command: str | Path, stdin: str | None = None, timeout_s: float = 60.0, cwd: Path | None = None) -> str:
    """Run a short program to its end and return what it printed; a failure is a LabError with its last words.

    `timeout_s` is for a quiet machine (`PATIENCE`).
    """
    timeout_s *= PATIENCE
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, input=stdin, capture_output=True, text=True, timeout=timeout_s, cwd=cwd, check=False
        )
    except FileNotFoundError as error:
        raise LabError(f"`{words[0]}` is not installed: run `make system` as root.") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"`{' '.join(words)}` did not end within {timeout_s:g} s.") from error
    if done.returncode != 0:
        last_words = (done.stderr or done.stdout).strip()[-600:]
        raise LabError(f"`{' '.join(words)}` failed ({done.returncode}): {last_words}")
    return done.stdout


def require(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise LabError(f"{', '.join(missing)}: not installed; run `make system` as root.")


def wait_until(true: Callable[[], bool], *, timeout_s: float, what: str, every_s: float = 0.02) -> None:
    """For the real world, where nothing tells us: look again and again, and say what did not come about.

    `timeout_s` is for a quiet machine (`PATIENCE`). How fast something is, `make bench` measures.
    """
    timeout_s *= PATIENCE
    deadline_s = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline_s:
            raise LabError(f"{what} did not come about within {timeout_s:g} s.")
        time.sleep(every_s)


@dataclass
class Child:
    """A long-lived program of the lab: its own session (Ctrl-C is for us, not for it), its log in a file."""

    name: str
    process: "subprocess.Popen[bytes]"
    record: Path
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End the whole process group and wait for our child to be gone."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, how)
        self.process.wait(timeout=30)
        self.record.unlink(missing_ok=True)

    def stop(self, *, within_s: float = 5.0) -> None:
        """Ask first; kill whatever is left of the group after that."""
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(self.pid, signal.SIGTERM)
            self.process.wait(timeout=within_s)
        self.kill()

    def pause(self) -> None:
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.killpg(self.pid, signal.SIGCONT)

    def last_words(self, lines: int = 12) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""


def spawn(
    name: str,
    command: Sequence[str | Path],
    state: Path,
    *,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> Child:
    """Start a long-lived program; its log and its record stand under the lab's state directory."""
    log = state / "logs" / f"{name}.log"
    record = state / "pids" / f"{name}.json"
    for folder in (log.parent, record.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            pass_fds=pass_fds,
        )
    record.write_text(json.dumps({"pid": process.pid, "start": start_time(process.pid)}))
    return Child(name, process, record, log)


def spawn_python(
    name: str, module: str, arguments: Sequence[str | Path], state: Path, *, env: Mapping[str, str] | None = None
) -> Child:
    """Start one of our own programs, with the Python that runs us."""
    return spawn(name, [sys.executable, "-m", module, *arguments], state, env={"PYTHONPATH": PYTHONPATH, **(env or {})})


def start_time(pid: int) -> int | None:
    """In clock ticks since boot: together with the pid it names one process for ever. None: there is none such."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])


def end_recorded(records: Path) -> None:
    """End what a dead lab recorded, and nobody else."""
    for record in records.glob("*.json"):
        with suppress(ValueError, KeyError, OSError):
            said = json.loads(record.read_text())
            if said["start"] is not None and start_time(said["pid"]) == said["start"]:
                os.killpg(said["pid"], signal.SIGKILL)
        record.unlink(missing_ok=True)
