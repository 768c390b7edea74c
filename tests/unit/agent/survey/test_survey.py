"""A whole survey: what hangs, fails or harms in one source ends there, is named, and the others go on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backstay_agent.main import main as agent
from backstay_agent.survey import main, units
from backstay_agent.survey.contained import Unanswered, contained
from backstay_agent.survey.main import ask_sources, tidied
from backstay_agent.survey.place import Place
from backstay_agent.survey.sources import SurveySource
from backstay_agent.survey.systemd import Systemd, SystemdRefuses
from backstay_agent.survey.units import NotSurveyed
from backstay_api.objects.survey import MountFacts, PathFacts, Survey, TreeFacts
from backstay_api.process.waiting import clock_s
from backstay_testing.surveys import a_path, a_survey

SECRET = "s3cret"


def found(path: str) -> Callable[[Place, Survey], Survey]:
    return lambda place, base: replace(a_survey(), paths=(PathFacts(path),))


def hangs(place: Place, base: Survey) -> Survey:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        signal.pause()


def fails(place: Place, base: Survey) -> Survey:
    raise ValueError(SECRET)


def is_killed(place: Place, base: Survey) -> Survey:
    os.kill(os.getpid(), signal.SIGKILL)
    return base


def eats(place: Place, base: Survey) -> Survey:
    return replace(base, host="x" * (1024**3))


def floods(place: Place, base: Survey) -> Survey:
    return replace(base, paths=tuple(PathFacts(f"/etc/{number:0100}") for number in range(20_000)))


def cannot_ask(place: Place, base: Survey) -> Survey:
    raise SystemdRefuses("systemd did not answer")


def asked(*looks: Callable[[Place, Survey], Survey], limit_s: float = 5, whole_s: float = 60) -> Survey:
    async def all_of() -> Survey:
        sources = [SurveySource(f"source {number}", "x", limit_s, look) for number, look in enumerate(looks)]
        return await ask_sources(sources, a_survey(), until_s=clock_s() + whole_s)

    return asyncio.run(all_of())


@pytest.mark.parametrize(
    ("look", "why", "limit_s"),
    [
        pytest.param(hangs, "no answer within 0.2 s", 0.2, id="it hangs and minds no signal"),
        pytest.param(fails, "ValueError in the source itself", 5, id="it has a mistake, whose text might be a secret"),
        pytest.param(is_killed, "it ended without an answer", 5, id="it is killed"),
        pytest.param(eats, "it needed too much memory", 5, id="it needs too much memory"),
        pytest.param(
            floods, "its answer cannot be read: it is longer than 1024 KiB", 5, id="it finds more than a document holds"
        ),
        pytest.param(cannot_ask, "systemd did not answer", 5, id="systemd does not answer"),
    ],
)
def test_a_source_that_ends_badly_is_named_and_the_others_are_asked(look: Any, why: str, limit_s: float) -> None:
    survey = asked(found("/a"), look, found("/b"), limit_s=limit_s)
    assert [(one.source, one.why) for one in survey.skipped] == [("source 1", why)]
    assert [one.path for one in survey.paths] == ["/a", "/b"]


def test_what_there_was_no_time_for_is_named() -> None:
    survey = asked(found("/a"), found("/b"), whole_s=0)
    assert [one.why for one in survey.skipped] == ["no time was left"] * 2 and survey.paths == ()


def test_a_later_source_is_told_what_is_never_entered() -> None:
    def mounted(place: Place, base: Survey) -> Survey:
        return replace(a_survey(), mounts=(MountFacts("/srv/nfs", "nfs4", "nas:/", is_network=True),))

    def avoiding(place: Place, base: Survey) -> Survey:
        return replace(a_survey(), paths=tuple(PathFacts(each) for each in place.avoid))

    assert [one.path for one in asked(mounted, avoiding).paths] == ["/srv/nfs"]


def test_no_process_is_left_behind(tmp_path: Path) -> None:
    def look() -> Survey:
        (tmp_path / "pid").write_text(str(os.getpid()))
        signal.alarm(5)
        return hangs(Place(), a_survey())

    async def one() -> None:
        with pytest.raises(Unanswered):
            await contained(look, limit_s=0.5)

    asyncio.run(one())
    try:
        _, status = os.waitpid(int((tmp_path / "pid").read_text()), 0)
    except ChildProcessError:
        return  # it is collected already
    assert os.WTERMSIG(status) == signal.SIGKILL


def test_of_a_folder_with_data_its_open_files_are_counted_but_for_secrets() -> None:
    tree = PathFacts("/srv/shop", type="Directory", tree=TreeFacts(3, 3, 0, 0))
    some = [a_path(f"/srv/shop/{number}") for number in range(3)]
    survey = tidied(
        a_survey(
            tree,
            *some,
            a_path("/srv/shop/key", is_secret=True),
            mounts=(MountFacts("/", "ext4", "/dev/sda1"), MountFacts("/mnt", "ext4", "/dev/sdb1")),
        )
    )
    assert [one.path for one in survey.paths] == ["/srv/shop", "/srv/shop/key"]
    assert [clue.where for clue in survey.paths[0].clues] == ["3 files below it are open"]
    assert [one.point for one in survey.mounts] == ["/"], "nothing lies on the other"


# --- which unit ------------------------------------------------------------------------------------------------------------


def told(**properties: Any) -> Systemd:
    """A systemd that knows one unit (a fake of busctl)."""
    import json

    def run(words: list[str]) -> subprocess.CompletedProcess[str]:
        assert words[words.index("--") + 1] == "call", "a unit may be called as an option is"
        data: list[Any] = (
            ["/unit"]
            if "LoadUnit" in words
            else [{name: {"type": "x", "data": value} for name, value in properties.items()}]
        )
        return subprocess.CompletedProcess(words, 0, json.dumps({"type": "x", "data": data}), "")

    return Systemd(run)


def surveyed(name: str = "shop.service", **properties: Any) -> Survey:
    known = {"Id": "shop.service", "LoadState": "loaded", "ActiveState": "active", **properties}
    return units.unit(told(**known), Place(Path("/nowhere")), name, a_survey())


@pytest.mark.parametrize(
    ("properties", "why"),
    [
        pytest.param({"LoadState": "not-found"}, "there is no unit shop.service on this host", id="no such unit"),
        pytest.param({"LoadState": "masked"}, "it never starts", id="masked"),
        pytest.param(
            {"LoadState": "bad-setting", "LoadError": ["x", "no ExecStart"]},
            "cannot load shop.service: bad-setting, no ExecStart",
            id="broken",
        ),
        pytest.param(
            {"ConsistsOf": ["shop@1.service"], "ExecStart": [["/bin/true", ["/bin/true"], False]]},
            "survey shop@1.service instead",
            id="it only pulls in others",
        ),
    ],
)
def test_a_unit_of_which_nothing_can_be_seen_is_refused(properties: dict[str, Any], why: str) -> None:
    with pytest.raises(NotSurveyed, match=why):
        surveyed(**properties)


def test_an_alias_is_followed_and_both_names_are_told() -> None:
    survey = surveyed("alias.service")
    assert (survey.unit, survey.asked) == ("shop.service", "alias.service")


def test_a_unit_that_does_not_run_is_surveyed_by_its_files_and_that_is_said() -> None:
    assert [one.source for one in surveyed(ActiveState="inactive").skipped] == ["processes"]


def test_of_its_settings_names_are_kept_and_no_value() -> None:
    survey = surveyed(
        Environment=[f"PASSWORD={SECRET}"],
        ExecStart=[["/bin/x", ["/bin/x", f"--password={SECRET}"], True]],
        TimeoutStopUSec=5_000_000,
    )
    assert SECRET not in repr(survey)
    assert (survey.main.variables, survey.main.ignores_failure, survey.main.stop_limit_s) == (("PASSWORD",), True, 5.0)


def test_what_systemd_refuses_is_told_in_its_own_words() -> None:
    def run(words: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(words, 1, "", "Call failed: Unit name x is not valid.\n")

    with pytest.raises(SystemdRefuses, match=r"^Unit name x is not valid\.$"):
        Systemd(run).properties("x")


def test_whoever_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert agent(["survey", "shop"]) == main.NOT_DONE
    assert "it must be root" in capsys.readouterr().err
