"""Commands and what they print, as documents show them in ```console blocks."""

import re
from dataclasses import dataclass

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPT = re.compile(r"^(\$|lab>) (.*)$")
# What differs from run to run: ages, the hash of a session.
_VARYING = (
    (re.compile(r"; not on again yet: .*"), ""),  # a machine that boots slowly; the line goes on so until it says on
    (re.compile(r"\b\d+(\.\d+)?(ms|s|m)\b"), "TIME"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "HASH"),
)


@dataclass(frozen=True)
class Step:
    """One command at one prompt, and what it is said to print."""

    prompt: str
    command: str
    printed: str


def console_steps(document: str) -> list[Step]:
    """Every command of a document, in order. A line that ends in a backslash goes on in the next."""
    steps: list[Step] = []
    for block in _BLOCK.findall(document):
        steps += _steps(block.replace("\\\n", " "))
    return steps


def _steps(block: str) -> list[Step]:
    found: list[Step] = []
    for line in block.splitlines():
        if prompt := _PROMPT.match(line):
            found.append(Step(prompt[1], prompt[2].strip(), ""))
        elif found:
            last = found[-1]
            found[-1] = Step(last.prompt, last.command, f"{last.printed}{line}\n")
    return found


def normal(text: str) -> list[str]:
    """The lines of an output, without what differs from run to run."""
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return [line for line in (" ".join(line.split()) for line in text.splitlines()) if line and line != "…"]
