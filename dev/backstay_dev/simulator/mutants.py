"""Ten broken variants of our own code, each of which the simulator must find: the proof that its monitor sees.

A mutant is an edit of the product's source in a copy of it (so the product has no flag for it), run in a process of its own. An edit
whose old text is not there any more is an error: the code has moved, and the mutant must follow it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[3]
ROOTS: Final = ("crds", "operator", "node-agent", "cli", "dev")
PLANNER: Final = "operator/backstay_operator/planner"
CONTROL: Final = "operator/backstay_operator/control"
FENCER: Final = "operator/backstay_fencer"
AGENT: Final = "node-agent/backstay_agent"
MOST_SEEDS: Final = 400


@dataclass(frozen=True)
class Edit:
    """One exact replacement in one file."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """One way to break the product."""

    name: str
    profile: str
    edits: tuple[Edit, ...]
    is_quick: bool = False
    """Found within a few seeds: belongs to `make test`."""


@dataclass(frozen=True)
class Verdict:
    """What the simulator said of a mutant."""

    mutant: Mutant
    seeds: int | None
    """How many it took; None: not found."""
    why: str


MUTANTS: Final = (
    Mutant(
        "a grant without evidence",
        "fencing",
        (
            Edit(
                f"{PLANNER}/evidence.py",
                "    return Missing(_what_is_missing(world, instance, grant))",
                "    if of_host(world, grant.host) in (Liveness.SILENT, Liveness.SEALED):\n"
                '        return Evidence("Device", "it is silent, so it must be dead")\n'
                "    return Missing(_what_is_missing(world, instance, grant))",
            ),
        ),
        is_quick=True,
    ),
    Mutant(
        "a grant with neither CAS nor the CEL rule on the epoch",
        "late-writes",
        (
            Edit(
                f"{CONTROL}/apply.py",
                '        await self._replace(api, HA_INSTANCES, before.model_copy(update={"spec": action.spec}))',
                '        spec = {"grant": None, "closed": None, **action.spec.wire()}\n'
                '        name, namespace = before.metadata.name, before.metadata.namespace or ""\n'
                '        self._keep(HA_INSTANCES, await api.patch(HA_INSTANCES, name, {"spec": spec}, namespace))',
            ),
            Edit(
                "crds/backstay_api/models/instance.py",
                "        _EPOCH_STEP,\n        _EVIDENCE,\n        _GRANTED,\n        _GRANT_KEPT,\n        _CLOSED_KEPT,\n",
                "        _GRANTED,\n",
            ),
        ),
    ),
    Mutant(
        "an entry not bound to its session",
        "reboots",
        (
            Edit(
                f"{AGENT}/core/rules.py",
                "    if books.seq == 0 or order.session != books.session:",
                "    if books.seq == 0:",
            ),
        ),
        is_quick=True,
    ),
    Mutant(
        "seq not compared for Boot",
        "reboots",
        (
            Edit(
                f"{PLANNER}/evidence.py",
                "    if session.boot_id == grant.session.boot_id or session.seq <= grant.session.seq:",
                "    if session.boot_id == grant.session.boot_id:",
            ),
        ),
    ),
    Mutant(
        "Released before the verified stop",
        "moves",
        (
            Edit(
                f"{AGENT}/runner.py",
                "            released=record.closed,",
                '            released=record.closed or record.want == "Down",',
            ),
        ),
        is_quick=True,
    ),
    Mutant(
        "Released before the own record",
        "agents",
        (
            Edit(
                f"{AGENT}/journal.py",
                "            if new is not self.books and new != self.books:\n                await self._write(new)",
                "            if new is not self.books and new != self.books:\n"
                "                self._books = new\n"
                "                self._late = asyncio.create_task(self._write_later())",
            ),
            Edit(
                f"{AGENT}/journal.py",
                "    async def _write(self, books: Books) -> None:",
                "    async def _write_later(self) -> None:\n"
                "        await asyncio.sleep(1.0)\n"
                "        await self._write(self.books)\n\n"
                "    async def _write(self, books: Books) -> None:",
            ),
        ),
        is_quick=True,
    ),
    Mutant(
        "supersede without stopping",
        "fencing",
        (
            Edit(
                f"{AGENT}/supervisor.py",
                "        while left := _may_still_run(self._journal.books):",
                "        while left := list[str]():",
            ),
            Edit(f"{AGENT}/core/books.py", "        assert not exclusive,", "        assert True,"),
        ),
        is_quick=True,
    ),
    Mutant(
        "fence reads kept by host instead of by session",
        "refencing",
        (
            Edit(
                f"{FENCER}/worker.py",
                "from dataclasses import dataclass, replace",
                "from dataclasses import dataclass, field, replace",
            ),
            Edit(
                f"{FENCER}/worker.py",
                "    wall: Callable[[], str]\n",
                "    wall: Callable[[], str]\n    kept: dict[str, Any] = field(default_factory=dict)\n",
            ),
            Edit(
                f"{FENCER}/worker.py",
                "        self._reads: dict[Slot, tuple[Read, ...]] = {}",
                "        self._reads: dict[Slot, tuple[Read, ...]] = ports.kept.setdefault(request.spec.host, {})",
            ),
            Edit(
                f"{FENCER}/worker.py",
                "        self._read_of: dict[Slot, str] = {}",
                '        self._read_of: dict[Slot, str] = ports.kept.setdefault(f"{request.spec.host} devices", {})',
            ),
        ),
        is_quick=True,
    ),
    Mutant(
        "the exit of `off` believed",
        "fencing",
        (
            Edit(
                f"{FENCER}/worker.py",
                '            result = f"exit {run.exit_code}: {run.output.strip()[-200:]}"\n',
                '            result = f"exit {run.exit_code}: {run.output.strip()[-200:]}"\n'
                '            if tried.action == "off" and run.exit_code == 0:\n'
                "                believed = [Read('Off', loop.time() + ago_s, loop.time() + ago_s, True) for ago_s in (-2.0, 0.0)]\n"
                "                self._reads[tried.slot] = tuple(believed)\n",
            ),
        ),
    ),
    Mutant(
        "silence counted during the operator's own outage",
        "outages",
        (
            Edit(
                f"{PLANNER}/liveness.py",
                "    return world.now_s - max(seen.first_seen_s, world.own_path.recovered_s)",
                "    return world.now_s - seen.first_seen_s",
            ),
            Edit(
                f"{PLANNER}/liveness.py",
                "    own = world.own_path\n    if not own.healthy:\n        return False\n",
                "    own = world.own_path\n    return True\n",
            ),
            Edit(
                f"{CONTROL}/mirror.py",
                "            self.world.leases[host] = replace(seen, first_seen_s=now_s)",
                "            pass",
            ),
        ),
    ),
)


def main(only: str, output: str) -> int:
    """Try the mutants, two side by side; exit code 0 if every one was found."""
    chosen = [mutant for mutant in MUTANTS if only in mutant.name]
    with ThreadPoolExecutor(max_workers=2) as pool:
        verdicts = list(pool.map(judge, chosen))
    if output == "json":
        print(
            json.dumps(
                [
                    {"mutant": v.mutant.name, "profile": v.mutant.profile, "seeds": v.seeds, "why": v.why}
                    for v in verdicts
                ]
            )
        )
    else:
        print(table(verdicts))
    return 0 if all(verdict.seeds is not None for verdict in verdicts) else 1


def judge(mutant: Mutant) -> Verdict:
    """Run seeds of the mutant's profile until the monitor speaks."""
    with tempfile.TemporaryDirectory(prefix="backstay-mutant-") as folder:
        roots = break_copy(mutant, Path(folder))
        said = _simulate(roots, mutant.profile, Path(folder))
    if not said["bad"]:
        return Verdict(mutant, None, "NOT FOUND")
    first = said["bad"][0]
    return Verdict(mutant, first["seed"] + 1, first["why"][0])


def break_copy(mutant: Mutant, folder: Path) -> list[Path]:
    """The import roots of a copy of the product with the mutant's edits."""
    for root in ROOTS:
        shutil.copytree(ROOT / root, folder / root, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in mutant.edits:
        path = folder / edit.file
        text = path.read_text()
        assert text.count(edit.old) == 1, (
            f"{mutant.name}: {edit.file} has this {text.count(edit.old)} times:\n{edit.old}"
        )
        path.write_text(text.replace(edit.old, edit.new))
    return [folder / root for root in ROOTS]


def _simulate(roots: Sequence[Path], profile: str, folder: Path) -> dict[str, Any]:
    environment = {
        **os.environ,
        "PYTHONPATH": ":".join(map(str, roots)),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    argv = [sys.executable, "-m", "backstay_dev.simulate", "--profile", profile, "--seeds", str(MOST_SEEDS)]
    argv += ["--processes", "1", "--stop", "-o", "json"]
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1) and done.stdout, f"the mutant does not even run:\n{done.stderr[-2000:]}"
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def table(verdicts: Sequence[Verdict]) -> str:
    """For a terminal."""
    rows = [("mutant", "faults", "seeds", "what the monitor said")]
    rows += [(v.mutant.name, v.mutant.profile, str(v.seeds or "-"), v.why[:110]) for v in verdicts]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]]) for row in rows
    )
