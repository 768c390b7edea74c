"""Bend every condition of a file, one at a time, and say which edits no test of its room notices.

    python -m backstay_dev.mutants.scan FILE… [--tests PATH…] [-o json]

The tests are collected once. For each edit a child of this process takes the edited functions in place of the real
ones and runs the tests until one fails; nothing on disk is touched. `--anew` tries what survives that, and what is in no
function (a constant of the module), once more as `make mutants` does: in a copy of the tree, by a new process.
"""

from __future__ import annotations

import argparse
import gc
import inspect
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Final

import pytest
from hypothesis import Phase, settings

from .bends import Bend, bends
from .catalogue import MUTANTS
from .judge import CannotBeTried, judge
from .kinds import ROOT, UNIT, one

_SURVIVED: Final = 0
_NOT_HERE: Final = 9
"""The edit is in no function that lives already: only a new process shows what it does."""
_SLOW_S: Final = 1.0
"""A test that takes longer (of processor time) is run only by `--anew`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 if every edit was found."""
    options = _parser().parse_args(argv)
    found = []
    for name in options.files:
        file = os.path.relpath(name, ROOT)
        tests = options.tests or room_tests(file)
        tried = scan(file, tests, limit_s=options.limit)
        asked = [*tried.survivors, *tried.not_here] if options.anew else []
        survivors = [bend for bend in asked if survives(file, bend, tests)] if options.anew else tried.survivors
        not_tried = 0 if options.anew else len(tried.not_here)
        found.append(
            {
                "file": file,
                "variants": tried.count,
                "notTried": not_tried,
                "survivors": [_told(bend) for bend in survivors],
            }
        )
        if options.output != "json":
            for bend in survivors:
                print(f"SURVIVES  {file}:{bend.line}  {bend.old}  ->  {bend.new}")
            print(f"{file}: variants={tried.count} survivors={len(survivors)} not-tried={not_tried}", flush=True)
    if options.output == "json":
        print(json.dumps(found))
    return 1 if any(each["survivors"] for each in found) else 0


def _told(bend: Bend) -> dict[str, int | str]:
    return {"line": bend.line, "old": bend.old, "new": bend.new}


def room_tests(file: str) -> list[str]:
    """The folder of its room, tests elsewhere that import the module, and those that find its mutants; the likeliest come first."""
    path = Path(file).with_suffix("")
    parts = [part.removeprefix("backstay_") for part in path.parts[1:] if part != "backstay_operator"]
    folder = ROOT / UNIT / Path(*parts[:-1])
    while not folder.is_dir():
        folder = folder.parent
    module = ".".join(path.parts[1:])
    names = {module, module.rpartition(".")[0] + f" import {path.name}"}
    here = sorted(folder.glob("test_*.py"))
    there = [
        each for each in sorted((ROOT / UNIT).rglob("test_*.py")) if any(name in each.read_text() for name in names)
    ]
    killers = [killer for each in MUTANTS for edit in each.edits if edit.file == file for killer in each.killers]
    named = [ROOT / killer for killer in killers if killer.startswith(UNIT)]
    found = dict.fromkeys([*there, *named, *here])
    return [str(each.relative_to(ROOT)) for each in sorted(found, key=lambda each: path.name not in each.name)]


@dataclass
class Tried:
    """How many edits there were, and those that no test noticed, or that are in no function."""

    count: int
    survivors: list[Bend]
    not_here: list[Bend]


def scan(file: str, tests: Sequence[str], *, limit_s: int) -> Tried:
    """Try each edit of a file in a child that has the tests loaded. A child that does not end in time has found it."""
    arguments = [
        "-x",
        "-q",
        "--no-header",
        "-p",
        "no:cacheprovider",
        "-n",
        "0",
        "--rootdir",
        str(ROOT),
        "-c",
        str(ROOT / "pyproject.toml"),
    ]
    silent, before = os.open(os.devnull, os.O_WRONLY), os.dup(1)
    sys.stdout.flush()
    os.dup2(silent, 1)
    with tempfile.NamedTemporaryFile() as slow:
        scanner = _Scanner(ROOT / file, limit_s, Path(slow.name))
        pytest.main([*arguments, *(str(ROOT / test) for test in tests)], plugins=[scanner])
    sys.stdout.flush()
    os.dup2(before, 1)
    if scanner.tried is None:
        raise SystemExit(f"{' '.join(tests)}: cannot be run, or fail without any edit")
    return scanner.tried


class _Scanner:
    """Takes the place of pytest's own loop."""

    def __init__(self, path: Path, limit_s: int, slow: Path) -> None:
        self._path, self._limit_s, self._slow = path, limit_s, slow
        self._source = path.read_text()
        self.tried: Tried | None = None

    def pytest_sessionstart(self) -> None:
        # The same examples each time, and none kept: what an edit breaks is no news for the next test run.
        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("scan", settings(), database=None, derandomize=True, phases=phases)
        settings.load_profile("scan")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.items and not session.testsfailed and self._answer(lambda: self._run_first(session)) == _SURVIVED:
            slow = {int(place) for place in self._slow.read_text().split()}
            session.items = [item for place, item in enumerate(session.items) if place not in slow]
            answers = [(bend, self._bent(session, bend)) for bend in bends(self._source)]
            survivors, not_here = ([bend for bend, was in answers if was == code] for code in (_SURVIVED, _NOT_HERE))
            self.tried = Tried(len(answers), survivors, not_here)
        return True

    def _bent(self, session: pytest.Session, bend: Bend) -> int:
        return self._answer(lambda: _run(session) if _take(self._path, self._source, bend.text) else _NOT_HERE)

    def _answer(self, what: Callable[[], int]) -> int:
        """What a child says that does this."""
        child = os.fork()
        if child:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        answer = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            # Of its own processor time first: a busy machine is no reason.
            resource.setrlimit(resource.RLIMIT_CPU, (self._limit_s, self._limit_s))
            signal.alarm(self._limit_s * 10)
            answer = what()
        finally:
            os._exit(answer)

    def _run_first(self, session: pytest.Session) -> int:
        """Without any edit: which tests are too slow to be run for each."""
        took = []
        for item, following in zip(session.items, [*session.items[1:], None], strict=True):
            began_s = time.process_time()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            took.append(time.process_time() - began_s)
        self._slow.write_text(" ".join(str(place) for place, took_s in enumerate(took) if took_s > _SLOW_S))
        return 1 if session.testsfailed else _SURVIVED


def _run(session: pytest.Session) -> int:
    for item, following in zip(session.items, [*session.items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return 1
    return _SURVIVED


def _take(path: Path, source: str, text: str) -> bool:
    """Every function that lives runs the edited code from now on. False: no such function."""
    olds, news = (_functions(compile(each, str(path), "exec", dont_inherit=True)) for each in (source, text))
    changed = [(old, new) for old, new in zip(olds, news, strict=False) if old != new]
    if len(olds) != len(news) or len(changed) != 1:
        return False
    old, new = changed[0]
    alive = [each for each in gc.get_objects() if isinstance(each, FunctionType) and each.__code__ == old]
    for function in alive:
        function.__code__ = new
    return bool(alive)


def _functions(code: CodeType) -> list[CodeType]:
    """The outermost functions of a module, those of its classes included."""
    found: list[CodeType] = []
    for const in code.co_consts:
        if isinstance(const, CodeType):
            found += [const] if const.co_flags & inspect.CO_OPTIMIZED else _functions(const)
    return found


def survives(file: str, bend: Bend, tests: Sequence[str]) -> bool:
    """As `make mutants` tries it: in a copy, from the start."""
    mutant = one(f"{file}:{bend.line}", file, (ROOT / file).read_text(), bend.text, *tests)
    try:
        return not judge(mutant).found_by
    except CannotBeTried:
        return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m backstay_dev.mutants.scan", description=__doc__)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--tests", nargs="+", metavar="PATH", help="instead of those of the room of the file")
    parser.add_argument(
        "--anew", action="store_true", help="survivors, and what is in no function, in a copy of the tree"
    )
    parser.add_argument("--limit", type=int, default=60, help="seconds of processor time for each edit")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    return parser


if __name__ == "__main__":
    sys.exit(main())
