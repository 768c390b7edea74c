"""What systemd says about a unit, in sentences a person can act on."""

import ast
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from backstay_agent.drivers.tools.cgroups import expected_group
from backstay_agent.drivers.tools.journal_tail import one_line, with_words
from backstay_agent.drivers.tools.sentences import how_lost, killed_by_systemd, not_loadable, why_down, why_skipped

DRIVERS = Path(__file__).parents[5] / "node-agent" / "backstay_agent" / "drivers"
LOADED: dict[str, Any] = {"LoadState": "loaded", "Id": "db.service"}
MOUNT: dict[str, Any] = {"Where": "/srv", "FragmentPath": "/etc/systemd/system/srv.mount"}


@pytest.mark.parametrize(
    ("properties", "sentence"),
    [
        (LOADED, None),
        ({"LoadState": "not-found"}, "unit db.service is not installed"),
        (LOADED | MOUNT, None),
        (
            LOADED | MOUNT | {"SourcePath": "/etc/fstab"},
            "db.service is made of a line in /etc/fstab: that is the host's own; remove the line, and give it a unit file or use a"
            " `mount` resource",
        ),
        (LOADED | MOUNT | {"FragmentPath": ""}, "db.service has no unit file: somebody has mounted /srv by hand"),
        (
            LOADED | MOUNT | {"LazyUnmount": True},
            "db.service has LazyUnmount=yes: it would be called unmounted while somebody still uses it",
        ),
        (
            LOADED | MOUNT | {"TriggeredBy": ["srv.automount"]},
            "db.service is mounted by srv.automount for whoever opens its path, and detached lazily with it:"
            " systemctl mask --now srv.automount",
        ),
        ({"LoadState": "masked"}, "unit db.service is masked: systemctl unmask db.service"),
        (
            {"LoadState": "bad-setting", "LoadError": ("x", "Unit has a bad unit file setting.")},
            "unit db.service cannot be loaded: Unit has a bad unit file setting. (see systemd-analyze verify db.service)",
        ),
        (
            LOADED | {"Id": "pg.service"},
            "db.service is another name of pg.service: name that one, so that two services cannot share it unseen",
        ),
        (
            LOADED | {"Type": "oneshot", "RemainAfterExit": False},
            "db.service is of Type=oneshot without RemainAfterExit=yes: it ends at once and is never up",
        ),
        (
            LOADED | {"Type": "oneshot", "RemainAfterExit": False, "TriggeredBy": ["db.timer"]},
            "db.service is of Type=oneshot without RemainAfterExit=yes: it ends at once and is never up;"
            " name db.timer, which starts it",
        ),
        (LOADED | {"Type": "oneshot", "RemainAfterExit": True}, None),
        (
            LOADED | {"RefuseManualStart": True},
            "db.service forbids to be started or stopped by anyone but systemd (RefuseManualStart=, RefuseManualStop=)",
        ),
    ],
)
def test_what_cannot_be_started_here(properties: dict[str, Any], sentence: str | None) -> None:
    assert not_loadable("db.service", properties) == sentence


@pytest.mark.parametrize(
    ("properties", "sentence"),
    [
        (
            {"Result": "exit-code", "ExecMainCode": 1, "ExecMainStatus": 3},
            "db.service failed: its main process exited with 3",
        ),
        (
            {"Result": "signal", "ExecMainCode": 2, "ExecMainStatus": 9},
            "db.service failed: its main process was killed by SIGKILL",
        ),
        (
            {"Result": "core-dump", "ExecMainCode": 3, "ExecMainStatus": 11},
            "db.service failed: its main process crashed with SIGSEGV",
        ),
        (
            {"Result": "exit-code", "ExecMainCode": 0},
            "db.service failed: one of its helper processes (exit-code)",
        ),
        ({"Result": "oom-kill"}, "db.service failed: the kernel killed it because memory ran out"),
        ({"Result": "timeout"}, "db.service failed: it took too long"),
        ({"Result": "something-new"}, "db.service failed: something-new"),
        (
            {"Result": "success"},
            "db.service is not running: it ended by itself, or something that it needs did not start",
        ),
    ],
)
def test_why_a_unit_is_down(properties: dict[str, Any], sentence: str) -> None:
    assert why_down("db.service", properties) == sentence


def test_a_skipped_start_names_the_conditions_that_do_not_hold() -> None:
    conditions = [
        ("ConditionPathExists", False, False, "/run/gate", 1),
        ("ConditionHost", False, True, "n1", -1),
        ("ConditionPathExists", False, False, "/later", 0),
    ]
    properties = {"ConditionResult": False, "Conditions": conditions}
    assert (
        why_skipped("db.service", properties)
        == "db.service was not started: ConditionHost=!n1 does not hold on this host"
    )


def test_conditions_that_were_never_looked_at_skip_nothing() -> None:
    conditions = [("ConditionPathExists", False, False, "/run/gate", 0)]
    assert why_skipped("db.service", {"ConditionResult": False, "Conditions": conditions}) is None


@pytest.mark.parametrize(
    ("slice_name", "group"),
    [
        ("system.slice", "/system.slice/a.service"),
        ("system-db-main.slice", "/system.slice/system-db.slice/system-db-main.slice/a.service"),
        ("-.slice", "/a.service"),
        ("", "/a.service"),
    ],
)
def test_where_systemd_puts_a_unit(slice_name: str, group: str) -> None:
    assert expected_group(slice_name, "a.service") == group


def test_last_words_are_short_and_on_one_line() -> None:
    assert one_line(b"one\n\ntwo\nthree\n\x1b[31mfour\n") == "two / three / ?[31mfour"
    assert len(one_line(b"x" * 65536)) == 500
    assert with_words("it failed", "") == "it failed"
    assert with_words("it failed", "no space") == "it failed; it said: no space"


def test_a_sentence_that_several_drivers_say_is_written_once() -> None:
    said: defaultdict[str, set[str]] = defaultdict(set)
    for path in DRIVERS.rglob("*.py"):
        for words in _written(ast.parse(path.read_text())):
            said[words.strip()].add(str(path.relative_to(DRIVERS)))
    assert {words: files for words, files in said.items() if len(words.split()) >= 4 and len(files) > 1} == {}


def _written(module: ast.Module) -> list[str]:
    """Its texts, and what stands between the braces of an f-string; docstrings apart."""
    alone = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
    texts = (node for node in ast.walk(module) if isinstance(node, ast.Constant) and id(node) not in alone)
    return [node.value for node in texts if isinstance(node.value, str)]


@pytest.mark.parametrize(
    ("kind", "needed", "said"),
    [
        ("Requires", {"ActiveState": "failed"}, "has failed"),
        ("Requires", {"ActiveState": "inactive"}, ""),
        ("BindsTo", {"ActiveState": "active"}, ""),
        ("BindsTo", {"ActiveState": "inactive"}, "is not up any more"),
        ("StopPropagatedFrom", {"ActiveState": "deactivating"}, "is not up any more"),
        ("BindsTo", {"ActiveState": "inactive", "StopWhenUnneeded": True}, ""),
        ("BindsTo", {"ActiveState": "inactive", "PartOf": ["x.service"]}, ""),
        ("StopPropagatedFrom", {"ActiveState": "inactive", "ActiveExitTimestampMonotonic": 4}, ""),
    ],
)
def test_what_has_become_of_a_unit_that_another_was_stopped_for(kind: str, needed: dict[str, Any], said: str) -> None:
    up = {"Id": "x.service", "ActiveEnterTimestampMonotonic": 5}
    assert how_lost(up, kind, {"ActiveExitTimestampMonotonic": 6, **needed}) == said


def test_who_asks_to_be_killed_was_not_late() -> None:
    """KillSignal=SIGKILL is how such a unit is stopped at once: it was said to have taken all of its TimeoutStopSec."""
    ended = {"ExecMainCode": 2, "ExecMainStatus": 9, "Result": "signal", "TimeoutStopUSec": 90_000_000}
    assert killed_by_systemd("x.service", ended | {"KillSignal": 9}) == ""
    late = "x.service did not stop within its TimeoutStopSec of 90 s and was killed by systemd"
    assert killed_by_systemd("x.service", ended | {"KillSignal": 15}) == late
    assert killed_by_systemd("x.service", ended | {"KillSignal": 9, "Result": "timeout"}) == late
