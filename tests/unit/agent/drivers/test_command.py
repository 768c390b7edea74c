"""What a check's answer means, given what the start command's unit tells; what an init script's exit codes mean; what a unit is made of."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import ValidationError

from backstay_agent.drivers import command as command_module
from backstay_agent.drivers.base import Seen, State
from backstay_agent.drivers.command import CommandDriver, _judged, _settings
from backstay_agent.drivers.tools import dpkg, lsb
from backstay_agent.drivers.tools.lsb import CheckAnswer
from backstay_agent.drivers.tools.manager import Manager
from backstay_agent.drivers.tools.transient import Ended
from backstay_agent.drivers.tools.watch import Properties
from backstay_api.objects import plain
from backstay_api.objects.commands import Commands, commands_of
from backstay_api.objects.models.resources import Command, Resource
from backstay_api.objects.resource_kinds import claims_of

CHECK = ("/usr/bin/app", "status", "--all")
OWN = Commands(start=("/bin/up",), stop=("/bin/down",), check=CHECK, reload=(), type="", is_lsb=False)
SCRIPT = commands_of(plain.Command(convention="lsb", program=("/etc/init.d/legacy",)))
LEGACY = plain.RenderedResource(name="legacy", command=plain.Command(convention="lsb", program=("/etc/init.d/legacy",)))
UP, DOWN = Seen(State.RUNNING), Seen(State.STOPPED)
ODD = "command /usr/bin/app status --all exited with 3; it said: no lock: wanted 0 (running) or 7 (stopped)"


@pytest.mark.parametrize(
    ("exit_code", "unit", "seen"),
    [
        pytest.param(0, DOWN, UP, id="it runs, whoever started it"),
        pytest.param(7, UP, DOWN, id="cleanly down"),
        pytest.param(7, Seen(State.STOPPING), Seen(State.STOPPING), id="what is under way is told by its unit"),
        pytest.param(3, UP, Seen(State.FAILED, ODD), id="up by its unit, and its check says neither"),
        pytest.param(3, DOWN, Seen(State.UNKNOWN, ODD), id="not started by us: nobody knows what runs"),
    ],
)
def test_what_a_checks_answer_means(exit_code: int, unit: Seen, seen: Seen) -> None:
    ended = Ended(exit_code, CHECK[0], f"exited with {exit_code}", "no lock")
    assert _judged(ended, unit, OWN) == seen


@pytest.mark.parametrize(
    ("code", "answer", "started", "stranger"),
    [
        pytest.param(0, CheckAnswer.UP, State.RUNNING, State.RUNNING, id="it runs"),
        pytest.param(1, CheckAnswer.DEAD, State.FAILED, State.FAILED, id="dead with a PID file"),
        pytest.param(2, CheckAnswer.DEAD, State.FAILED, State.FAILED, id="dead with a lock file"),
        pytest.param(3, CheckAnswer.DOWN, State.STOPPED, State.STOPPED, id="it does not run"),
        pytest.param(4, CheckAnswer.UNCLEAR, State.FAILED, State.UNKNOWN, id="it does not know"),
        pytest.param(5, CheckAnswer.UNCLEAR, State.FAILED, State.UNKNOWN, id="reserved"),
        pytest.param(
            7, CheckAnswer.UNCLEAR, State.FAILED, State.UNKNOWN, id="what means down elsewhere means nothing here"
        ),
        pytest.param(100, CheckAnswer.UNCLEAR, State.FAILED, State.UNKNOWN, id="a distribution's own"),
        pytest.param(150, CheckAnswer.UNCLEAR, State.FAILED, State.UNKNOWN, id="its own"),
        pytest.param(200, CheckAnswer.UNCLEAR, State.FAILED, State.UNKNOWN, id="reserved as well"),
        pytest.param(None, CheckAnswer.UNCLEAR, State.FAILED, State.UNKNOWN, id="it was killed"),
    ],
)
def test_each_exit_code_of_status(code: int | None, answer: CheckAnswer, started: State, stranger: State) -> None:
    """`started`: our start is up by its unit; `stranger`: we have not started it."""
    assert lsb.answer(code, is_lsb=True) is answer
    ended = Ended(code, SCRIPT.check[0], "is over")
    assert [_judged(ended, unit, SCRIPT).state for unit in (UP, DOWN)] == [started, stranger]


def test_codes_are_told_in_words() -> None:
    assert lsb.meaning("status", 1) == "it is dead, and its PID file is left"
    assert (
        lsb.meaning("start", 5) == "the program is not installed"
        and lsb.meaning("stop", 7) == "the program does not run"
    )
    assert [lsb.meaning("start", code) for code in (0, 8, 150, None)] == ["", "", "", ""]


def test_one_program_is_called_with_four_words() -> None:
    script = ("/etc/init.d/legacy",)
    assert SCRIPT.all == [(*script, word) for word in ("start", "stop", "status", "reload")] and SCRIPT.is_lsb
    spelled = {"start": ["/etc/init.d/legacy", "start"], "stop": ["/etc/init.d/legacy", "stop"]}
    by_hand = Resource.model_validate({"name": "a", "command": spelled})
    by_name = Resource.model_validate(
        {"name": "b", "command": {"convention": "lsb", "program": ["/etc/init.d/legacy"]}}
    )
    assert claims_of([by_hand]) == claims_of([by_name]), "two services cannot share it by two spellings"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        pytest.param({}, "give start and stop", id="nothing"),
        pytest.param({"start": ["/a"]}, "with type: simple stop may be left out", id="no stop"),
        pytest.param({"start": ["/a"], "type": "forking"}, "give start and stop", id="no stop of what forks"),
        pytest.param({"program": ["/a"]}, "convention: lsb and program alone", id="no convention"),
        pytest.param({"convention": "lsb"}, "convention: lsb and program alone", id="no program"),
        pytest.param({"convention": "lsb", "program": ["/a"], "check": ["/b"]}, "program alone", id="both"),
        pytest.param({"convention": "lsb", "program": ["/a"], "type": "simple"}, "program alone", id="a type"),
        pytest.param({"convention": "lsb", "program": ["a"]}, "must begin with an absolute path", id="relative"),
        pytest.param({"start": ["/a"], "stop": ["/b"], "reload": ["c"]}, "absolute path", id="a relative reload"),
        pytest.param({"start": ["/a"], "stop": ["/b"], "type": "notify"}, "simple", id="another type"),
    ],
)
def test_what_is_no_command_is_refused_with_a_sentence(command: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Command.model_validate(command)


def test_what_cannot_be_reloaded_is_not_asked_to() -> None:
    with pytest.raises(ValidationError, match="reloadedAt goes with a unit"):
        Resource.model_validate({"name": "a", "command": {"start": ["/a"], "stop": ["/b"]}, "reloadedAt": "1"})


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        pytest.param(None, {"Type": "oneshot", "RemainAfterExit": True}, id="as ever"),
        pytest.param("oneshot", {"Type": "oneshot", "RemainAfterExit": True}, id="oneshot"),
        pytest.param("simple", {"Type": "exec", "RemainAfterExit": False}, id="the start command is what runs"),
        pytest.param("forking", {"Type": "forking", "RemainAfterExit": False}, id="what it leaves is what runs"),
    ],
)
def test_the_unit_of_a_start_is_of_its_type(kind: Any, settings: dict[str, Any]) -> None:
    command = plain.Command(start=("/bin/up",), stop=("/bin/down",), type=kind)
    found = dict(_settings(plain.RenderedResource(name="a", command=command), "u.service", 20.0))
    assert {name: found[name][1] for name in settings} == settings


class Units:
    """A manager of one unit."""

    def __init__(self, **properties: Any) -> None:
        self._known = properties

    async def properties(self, unit: str) -> Properties:
        return self._known


@pytest.mark.parametrize(
    ("made", "why"),
    [
        pytest.param({"SourcePath": "/etc/init.d/legacy", "WantedBy": ["multi-user.target"]},
                     "/etc/init.d/legacy starts by itself at a boot (for multi-user.target): systemctl disable legacy", id="of the script"),
        pytest.param({"SourcePath": "/etc/init.d/legacy"}, None, id="of the script, and disabled"),
        pytest.param({"SourcePath": "", "FragmentPath": "/lib/systemd/system/legacy.service", "WantedBy": ["multi-user.target"]},
                     "legacy.service, which does the same as /etc/init.d/legacy, starts by itself at a boot (for multi-user.target):"
                     " systemctl disable legacy",
                     id="the package's own"),
        pytest.param({"SourcePath": "", "FragmentPath": "/lib/systemd/system/legacy.service"}, None, id="the package's own, and disabled"),
        pytest.param({}, None, id="none"),
    ],
)  # fmt: skip
def test_an_init_script_is_also_started_by_the_unit_that_its_package_has_beside_it(
    made: dict[str, Any], why: str | None
) -> None:
    driver = CommandDriver(cast(Manager, Units(**made)))
    assert asyncio.run(driver.starts_by_itself(LEGACY)) == why


REMOVED = """Package: legacy
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0
Conffiles:
 /etc/default/legacy 0123456789abcdef0123456789abcdef
 /etc/init.d/legacy 0123456789abcdef0123456789abcdef

Package: kept
Status: install ok installed
Architecture: amd64
Version: 1.0
Conffiles:
 /etc/init.d/kept 0123456789abcdef0123456789abcdef
"""


def test_what_a_removed_package_has_left_is_no_init_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`[ -x $DAEMON ] || exit 0` stands at the head of most: whatever is asked of them then, their `status` says that it runs."""
    (tmp_path / "status").write_text(REMOVED)
    assert dpkg.left_of(str(tmp_path / "status"), "/etc/init.d/legacy") == "legacy"
    assert dpkg.left_of(str(tmp_path / "status"), "/etc/init.d/kept") == ""
    assert dpkg.left_of("/nowhere/status", "/etc/init.d/legacy") == ""

    async def there(_: object) -> None:
        return None

    async def left(_: str, how: Any) -> str:
        assert how.args == (dpkg.STATUS, "/etc/init.d/legacy")
        return "legacy"

    monkeypatch.setattr(command_module, "missing", there)
    monkeypatch.setattr(command_module, "look", left)
    driver = CommandDriver(cast(Manager, Units(ActiveState="inactive")))
    why = "/etc/init.d/legacy is what package legacy has left, which is removed: install it, or purge it"
    assert asyncio.run(driver.not_ready(LEGACY)) == why
    assert asyncio.run(driver.check(LEGACY)) == Seen(State.STOPPED)
    assert asyncio.run(driver.stop(LEGACY, timeout_s=1)) is None
