"""Rules of the house that a machine can hold."""

import ast
import re
import subprocess
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ("crds", "operator", "node-agent", "cli", "dev")
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
# Generated from the models, so nobody reads it top to bottom.
GENERATED = {"plain.py"}


# One word for two things is allowed where nobody can meet both, and why not.
TWICE = {
    "Link": "in drivers/address it is the kernel's word for an interface; the agent's is the one to its orders",
    "Sight": "each driver's own look at what its resource is on this host: drivers do not know each other",
    "Notes": "each driver's own records in /run: drivers do not know each other",
}
# So are public functions of one room: those that are always called with their module's name in front.
ALIKE = {
    "fault_of": "unit_settings' and probe_kinds': what is wrong with one of them, each named by its row alone",
    "from_a_start_on": "unit_settings' and commands': the same question, each named by its row alone",
    "live": "unit_settings' and commands': the same question, each named by its row alone",
    "obstacle": "cgroups' and execution's: why nothing can be run, here at all, or by this program",
    "follow": "host_checks' and addresses': each goes on telling what it finds",
    "metrics": "detection's and health's: each as text for Prometheus, joined by the second",
    "main": "a program's: the agent's, and the survey's",
    "add": "the verb `host add`, and what adds a verb",
}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def test_the_top_folders_are_import_roots_and_never_packages() -> None:
    """`operator/__init__.py` would shadow the standard library's operator and break every python started here."""
    assert [room for room in ROOMS if (ROOT / room / "__init__.py").exists()] == []


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=name_of)
def test_every_module_says_why_it_exists_and_stays_small(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "a module begins with why it exists"
    assert path.name in GENERATED or text.count("\n") <= 400, "a file this long hides something: split it by topic"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_every_function_fits_a_screen(path: Path) -> None:
    too_long = [f"{node.name}: {_lines(node)} lines" for node in functions(path) if _lines(node) > 60]
    assert too_long == []


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if "/planner/" in name_of(p) or "/core" in name_of(p)], ids=name_of
)
def test_thought_is_never_awaited(path: Path) -> None:
    assert [
        node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.AsyncFunctionDef | ast.Await)
    ] == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_the_clock_is_the_event_loops(path: Path) -> None:
    """`time.time()` and `time.monotonic()` cannot be simulated; the lab (dev/) lives in real time."""
    found = re.findall(r"\btime\.(?:time|monotonic|sleep)\(", path.read_text())
    assert found == [] or "/dev/" in str(path)


def test_no_file_names_a_registry() -> None:
    hosts = re.compile(
        "|".join(
            [
                "pypi" + r"\.org",
                "pythonhosted" + r"\.org",
                "proxy" + r"\.golang",
                "deb" + r"\.debian",
                "npmjs" + r"\.org",
            ]
        )
    )
    named = [
        name
        for name in TRACKED
        if name and (ROOT / name).is_file() and hosts.search((ROOT / name).read_text(errors="replace"))
    ]
    assert named == []


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
    return (node.end_lineno or 0) - body[0].lineno + 1


def test_the_name_of_an_instance_is_spelled_in_one_place() -> None:
    """A service may come to have more than one: whoever needs its name asks `HAService.slots`, or `instance_name`."""
    assert [name_of(path) for path in SOURCES if re.search(r"""-0["']""", path.read_text())] == []


def test_the_key_of_an_object_is_spelled_in_one_place() -> None:
    """`namespace/name`: whoever has the object asks it, or its `Kind` or `Ref`; who has only both words asks `names.key_of`."""
    spelled = re.compile(r"namespace[^{}]*\}/\{")
    product = (path for path in SOURCES if "dev" not in path.relative_to(ROOT).parts)
    assert [name_of(path) for path in product if spelled.search(path.read_text())] == [
        "crds/backstay_api/objects/names.py"
    ]


def test_the_name_of_an_instance_is_taken_apart_nowhere() -> None:
    """Whose it is stands in the HAInstance, in its orders and in what hosts say of it: `service`."""
    cutting = re.compile(r"""r(?:partition|split)\(["']-["']|suffix\(["']-\d""")
    texts = {name_of(path): path.read_text() for path in [*SOURCES, *TESTS]}
    found = [name for name, text in texts.items() if cutting.search(text)]
    assert found == []


@pytest.mark.parametrize(
    "package",
    [
        "crds/backstay_api",
        "operator/backstay_operator",
        "operator/backstay_fencer",
        "node-agent/backstay_agent",
        "cli/backstay_cli",
    ],
)
def test_a_class_name_means_one_thing_in_a_package(package: str) -> None:
    """The plain twins of the models are generated, and mean the same."""
    paths = [path for path in (ROOT / package).rglob("*.py") if path.name not in GENERATED]
    trees = [ast.parse(path.read_text()) for path in paths]
    names = Counter(node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    twice = {name for name, often in names.items() if often > 1 and not name.startswith("_")}
    assert twice == (set(TWICE) if package.endswith("agent") else set())


def test_a_filter_says_itself_what_follows_from_its_rule() -> None:
    """A rule's name is for people and programs that read; who decides asks `Rejected` for what it says of itself."""
    found = [name_of(path) for path in SOURCES if re.search(r"\.rule (?:==|!=|in|not in)\s", path.read_text())]
    assert [name for name in found if "/mutants/" not in name] == []


def test_every_news_fragment_is_one_that_the_changelog_takes() -> None:
    """towncrier says nothing of a file that it does not know: it would never be told."""
    kinds = {
        one["directory"] for one in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]["type"]
    }
    names = [path.name for path in (ROOT / "newsfragments").iterdir()]
    assert [name for name in names if not re.fullmatch(rf"\+[a-z0-9-]+\.({'|'.join(sorted(kinds))})\.md", name)] == []


UNIT = ROOT / "tests" / "unit"
# Where the tests of a folder of tests/unit have their rooms.
PACKAGES = {
    "agent": "node-agent/backstay_agent",
    "api": "crds/backstay_api",
    "cli": "cli/backstay_cli",
    "control": "operator/backstay_operator/control",
    "dev": "dev/backstay_dev",
    "fencer": "operator/backstay_fencer",
    "planner": "operator/backstay_operator/planner",
}
IN_ROOMS = [path for path in sorted(UNIT.rglob("test_*.py")) if len(path.relative_to(UNIT).parts) > 2]


def test_each_folder_of_unit_tests_belongs_to_a_package() -> None:
    """But for the rules of the house, which are about all of them."""
    assert {path.name for path in UNIT.iterdir() if any(path.rglob("test_*.py"))} == {*PACKAGES, "house"}


@pytest.mark.parametrize("path", IN_ROOMS, ids=name_of)
def test_a_test_stands_in_the_room_of_what_it_tests(path: Path) -> None:
    """That is: there is such a room, and the test uses something of it, by itself or by what it shares with other tests."""
    tests, *rooms = path.parent.relative_to(UNIT).parts
    room = Path(PACKAGES[tests], *rooms)
    assert (ROOT / room / "__init__.py").exists()
    helpers = re.findall(r"^from backstay_testing\.(\w+) import", path.read_text(), re.MULTILINE)
    used = [path, *(ROOT / "tests" / "backstay_testing" / f"{helper}.py" for helper in helpers)]
    assert any(".".join(room.parts[1:]) in each.read_text() for each in used)


TARGETS = re.findall(r"^([a-z-]+):.*## (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("told", [pytest.param(told, id=target) for target, told in TARGETS])
def test_make_help_says_how_long_each_target_takes(told: str) -> None:
    assert re.search(r"\(.*\d (?:s|minutes?|hours?)\b.*\)$", told)


def test_every_package_says_what_belongs_there() -> None:
    packages = [path for path in SOURCES if path.name == "__init__.py"]
    assert [
        name_of(path) for path in packages if len((ast.get_docstring(ast.parse(path.read_text())) or "").split()) < 5
    ] == []


@pytest.mark.parametrize(
    ("room", "but"),
    [
        ("crds/backstay_api/objects", ""),
        ("crds/backstay_api/client", ""),
        ("crds/backstay_api/memory", ""),
        ("operator/backstay_operator/planner", ""),
        ("operator/backstay_operator/control", ""),
        ("operator/backstay_fencer", ""),
        ("node-agent/backstay_agent", "drivers"),
        ("node-agent/backstay_agent/drivers/tools", ""),
        ("node-agent/backstay_agent/drivers/systemd", ""),
        ("node-agent/backstay_agent/drivers/address", ""),
        ("node-agent/backstay_agent/drivers/mount", ""),
        ("node-agent/backstay_agent/drivers/ocf", ""),
        ("cli/backstay_cli", ""),
    ],
)
def test_the_name_of_a_public_function_means_one_thing_in_a_room(room: str, but: str) -> None:
    """By room, not by package: drivers do not know each other, nor do the client and the generators."""
    paths = [path for path in (ROOT / room).rglob("*.py") if path.name not in GENERATED and but not in path.parts]
    tops = [node for path in paths for node in ast.parse(path.read_text()).body]
    names = Counter(node.name for node in tops if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    assert [name for name, count in names.items() if count > 1 and name[0] != "_" and name not in ALIKE] == []
