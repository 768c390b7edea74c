"""The map of the protocol names what is there: each file, name, test, mutant, profile and row of a model; and each section has its rows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from backstay_agent.drivers.address.packets import PROBE_S
from backstay_api.objects import promise
from backstay_api.objects.durations import seconds
from backstay_api.objects.models.host import FenceDevice
from backstay_dev.mutants.catalogue import MUTANTS
from backstay_dev.simulator.profiles import PROFILES
from backstay_fencer import core as fencing
from backstay_operator.control.act import pacing
from backstay_operator.control.reconciler import GATHER_S
from backstay_operator.control.watch.urgency import Soon
from backstay_operator.planner.know.fitting import MOST_BYTES
from backstay_operator.planner.know.liveness import FENCER_SILENT_S
from backstay_operator.planner.know.world import Settings

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ("crds", "operator", "node-agent", "cli", "dev", "tests", "models", "charts", "docs")
CITATION = re.compile(r"`([^`]+)`")
SECTION = re.compile(r"^## (\d+\. .*)$", re.MULTILINE)


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def rows(text: str) -> Iterator[tuple[str, str, str]]:
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if line.startswith("| ") and cells[0] not in ("Rule", "---"):
            assert len(cells) == 3, line
            yield cells[0], cells[1], cells[2]


@cache
def files() -> tuple[Path, ...]:
    inside = (path for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_file())
    return (*inside, *(path for path in ROOT.iterdir() if path.is_file()))


def the_file(name: str) -> Path | str:
    """The one file whose path ends like this; a sentence if it is not one."""
    found = [path for path in files() if path.as_posix().endswith(f"/{name}")]
    return found[0] if len(found) == 1 else f"{name} is the end of {len(found)} paths"


@cache
def defined(path: Path) -> frozenset[str]:
    """Functions, classes with their methods, and constants."""
    return frozenset(name for part in ast.parse(path.read_text()).body for name in names(part))


def names(part: ast.stmt) -> Iterator[str]:
    match part:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield part.name
        case ast.ClassDef():
            yield part.name
            yield from (f"{part.name}.{inner}" for one in part.body for inner in names(one))
        case ast.Assign():
            yield from (target.id for target in part.targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name


def wrong(citation: str) -> str:
    """What is wrong with a citation; empty if it leads somewhere."""
    kind, _, rest = citation.partition(" ")
    if kind == "mutant":
        return "" if rest.strip('"') in {mutant.sentence for mutant in MUTANTS} else f"no mutant bends {rest}"
    if kind == "make":
        return "" if f"\n{rest}:" in (ROOT / "Makefile").read_text() else f"make has no target {rest}"
    if citation.startswith("sim:"):
        return "" if citation.removeprefix("sim:") in PROFILES else f"the simulator has no profile {citation}"
    if rest:
        file = the_file(kind)
        return (
            file if isinstance(file, str) else "" if rest.strip('"') in file.read_text() else f"{kind} says no {rest}"
        )
    return wrong_name(citation)


def wrong_name(citation: str) -> str:
    name, _, what = citation.replace("::", ":").partition(":")
    file = the_file(name)
    if isinstance(file, str) or not what:
        return file if isinstance(file, str) else ""
    known = defined(file) if file.suffix == ".py" else set(re.findall(r"\w+", file.read_text()))
    return "" if what in known else f"{name} defines no {what}"


@pytest.mark.parametrize("section", SECTION.split(page("protocol-map.md"))[2::2], ids=range(1, 10))
def test_every_citation_leads_somewhere(section: str) -> None:
    told = [citation for _, code, fails in rows(section) for citation in CITATION.findall(f"{code} {fails}")]
    assert [why for citation in told if (why := wrong(citation))] == []


def test_every_rule_names_its_code_and_what_fails_or_says_that_nothing_would() -> None:
    silent = [
        rule
        for rule, code, fails in rows(page("protocol-map.md"))
        if not code or not (CITATION.search(fails) or fails.startswith("nothing: "))
    ]
    assert silent == []


def test_every_section_of_the_protocol_is_mapped() -> None:
    assert SECTION.findall(page("protocol-map.md")) == SECTION.findall(page("protocol.md"))


def sentences(section: str) -> int:
    """How many sentences and rows of tables there are: a rule that comes or goes changes it."""
    return len(re.findall(r"[.!?][*)]*(?=\s|$)|^\|", section, re.MULTILINE))


@pytest.mark.parametrize("number", range(1, 10))
def test_no_rule_comes_or_goes_without_the_map(number: int) -> None:
    """Which of them is new no machine can tell: give it its row, if it is a rule, and then count again."""
    (told,) = re.findall(
        r"^Sentences there: (\d+)\.$", SECTION.split(page("protocol-map.md"))[2 * number], re.MULTILINE
    )
    assert int(told) == sentences(SECTION.split(page("protocol.md"))[2 * number])


def test_a_rule_more_would_be_found() -> None:
    assert sentences("* A rule.\n* **Another.** It ends; so\n") + 1 == sentences(
        "* A rule.\n* **Another.** It ends; so.\n"
    )


@pytest.mark.parametrize(
    "citation",
    [
        "planner/evidence.py:_guessed",
        "planner/evidences.py:closed",
        "checkpoint.py:proof",
        "identity.py:compare_all",
        "planner/world.py:World.put_nothing",
        "tests/unit/test_planner_evidence.py::test_no_evidence",
        'mutant "a grant needs luck"',
        "sim:sunshine",
        'models/claims.py "claims are not needed"',
        "models/luck.py",
        "make luck",
    ],
)
def test_a_broken_citation_would_be_found(citation: str) -> None:
    assert wrong(citation)


@pytest.mark.parametrize(
    ("says", "number"),
    [
        ("has stood unchanged in its own plan for {} s", pacing.FOLLOWER_WAIT_S),
        ("others may be gathered for up to {} ms", 1000 * GATHER_S[Soon.GATHER]),
        ("stays below {} KiB", MOST_BYTES / 1024),
        ("`now − o ≤ {} T_renew`", promise.SUSPECT_RENEWALS),
        ("`now − o > {} T_renew`", promise.SILENT_RENEWALS),
        ("have renewed, or {} s have passed", Settings().trust_again_s),
        ("within {} s (sliding; hosts that return leave the count)", Settings().storm_window_s),
        ("The fencing budget (default {} fences an hour", Settings().fence_budget),
        ("{} min · 2ⁿ⁻¹ after its n-th fence", Settings().fence_again_s / 60),
        ("not reported for two test periods ({} s)", FENCER_SILENT_S),
        ("After {} s of Observe", fencing.OBSERVE_LONG_S),
        ("of Observe, reads come every {} s", fencing.OBSERVE_LONG_PAUSE_S),
        ("default {} s; an admin sets less", seconds(FenceDevice(name="x", agent="fence_x").read_gap)),
        ("an `off` after which a read begun {} s\nlater", fencing.RETRY_S),
        ("by a read begun {} s after the end of our last `off`", fencing.RETRY_S),
        ("is tried after {} s · 2ⁿ", fencing.ON_FIRST_S),
        ("· 2ⁿ, up to {} s", fencing.ON_LAST_S),
        ("one duplicate probe of {} ms", 1000 * PROBE_S),
    ],
)
def test_the_protocols_numbers_are_the_codes(says: str, number: float) -> None:
    assert says.format(f"{number:g}") in page("protocol.md")
