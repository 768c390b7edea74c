"""What a line of a log must say to be understood by whoever meets it alone."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted(path for room in ("crds", "operator", "node-agent", "cli") for path in (ROOT / room).rglob("*.py"))
LEVELS = ("debug", "info", "warning", "error", "critical", "exception", "log")


def faults(source: str) -> list[str]:
    """Which messages of this code are no constant sentence. What changes from line to line belongs into `extra`."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    said = [call.args[1:] if _level_of(call) == "log" else call.args for call in calls if _level_of(call)]
    return [", ".join(map(ast.unparse, words)) for words in said if len(words) != 1 or not _is_plain(words[0])]


def _level_of(call: ast.Call) -> str:
    match call.func:
        case ast.Attribute(value=ast.Name(id="log"), attr=level) if level in LEVELS:
            return level
    return ""


def _is_plain(message: ast.expr) -> bool:
    match message:
        case ast.Constant(value=str(text)):
            return len(text.split()) >= 2 and "%" not in text
        case ast.IfExp(body=yes, orelse=no):
            return _is_plain(yes) and _is_plain(no)
    return False


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_log_message_is_a_constant_of_some_words(path: Path) -> None:
    assert faults(path.read_text()) == []


def test_every_logger_is_called_log() -> None:
    """By that name the test above finds the calls."""
    loggers = [line for path in MODULES for line in path.read_text().splitlines() if "getLogger(__name__)" in line]
    assert len(loggers) > 20 and set(loggers) == {"log = logging.getLogger(__name__)"}


@pytest.mark.parametrize(
    ("code", "is_fine"),
    [
        ("log.info('token renewed', extra={'file': name})", True),
        ("log.log(level, 'token renewed')", True),
        ("log.info('token renewed' if new else 'token kept')", True),
        ("log.info('done')", False),
        ("log.log(level, 'done')", False),
        ("log.info('token renewed' if new else 'kept')", False),
        ("log.info(f'token {name} renewed')", False),
        ("log.info('token %s renewed', name)", False),
        ("log.info('token ' + name)", False),
        ("log.exception(error)", False),
    ],
)
def test_a_message_that_is_none_would_be_found(code: str, is_fine: bool) -> None:
    assert (faults(code) == []) is is_fine
