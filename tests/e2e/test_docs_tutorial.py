"""The tutorial, run as it stands: each command in order, and each line that it is said to print is printed."""

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstay_testing.console import Step, console_steps, normal

pytestmark = pytest.mark.hosts

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"
PYTHONPATH = os.pathsep.join(str(ROOT / room) for room in ("crds", "operator", "node-agent", "cli", "dev"))
PROMPT = b"lab> "


class LabTerminal:
    """The first terminal: `make lab`, with its prompt."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "backstay_dev.lab.__main__"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": PYTHONPATH},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.greeting = self._until_prompt()

    def type(self, line: str) -> str:
        assert self.process.stdin
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        return self._until_prompt()

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)

    def _until_prompt(self) -> str:
        """What is printed before the next prompt, which no newline ends."""
        stdout = self.process.stdout
        assert isinstance(stdout, io.BufferedReader)
        seen = b""
        while not seen.endswith(PROMPT):
            more = stdout.read1(65536)
            assert more, f"the lab ended, and said: {seen.decode()}"
            seen += more
        return seen.decode().removesuffix(PROMPT.decode())


class Reader:
    """Somebody who follows the tutorial: types what stands there, in the terminal where it stands."""

    def __init__(self, lab: LabTerminal) -> None:
        self.lab = lab
        named = re.search(r"Lab (\w+):", lab.greeting)
        assert named
        self.id = named[1]
        exported = re.search(r"export KUBECONFIG=(\S+) PATH=(\S+):\$PATH", lab.greeting)
        assert exported
        path = f"{exported[2]}:{os.environ['PATH']}"
        self.env = {**os.environ, "PYTHONPATH": PYTHONPATH, "KUBECONFIG": exported[1], "PATH": path}
        self.background: list[subprocess.Popen[bytes]] = []

    def follow(self, step: Step) -> str:
        if step.prompt == "lab>":
            return self.lab.type(step.command)
        if step.command.startswith(("make lab", "export ")):
            return step.printed  # done already, by LabTerminal and above
        command = re.sub(r"\bbl-[0-9a-f]{6}\b", f"bl-{self.id}", step.command)
        if command.endswith("&"):
            self.background.append(
                subprocess.Popen(
                    ["bash", "-c", command.removesuffix("&")],
                    env=self.env,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )
            return ""
        done = subprocess.run(
            ["bash", "-c", command], cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def leave(self) -> None:
        for child in self.background:
            os.killpg(child.pid, signal.SIGTERM)
            child.wait(10)


@pytest.fixture
def reader() -> Iterator[Reader]:
    lab = LabTerminal()
    try:
        reader = Reader(lab)
        yield reader
        reader.leave()
    finally:
        lab.end()


def test_the_tutorial_does_what_it_says(reader: Reader) -> None:
    steps = console_steps(TUTORIAL.read_text())
    assert len(steps) > 30, "the tutorial's commands were not found"
    for step in steps:
        printed = normal(reader.follow(step))
        missing = [line for line in normal(step.printed) if line not in printed]
        assert not missing, f"{step.prompt} {step.command}\nshould print {missing}, printed:\n" + "\n".join(printed)
