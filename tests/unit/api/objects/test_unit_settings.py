"""What of a unit a manifest may override, what the values may be, and what an edit of them restarts."""

from typing import Any

import pytest
from pydantic import ValidationError

from backstay_agent.drivers.systemd.overrides import quoted, text
from backstay_agent.run.applying import edits
from backstay_api.objects import plain
from backstay_api.objects.edits import same_work
from backstay_api.objects.models import HAService
from backstay_api.objects.unit_settings import SETTINGS, fault_of
from backstay_operator.planner.judge.acceptance import Accepted, Refused, accept
from backstay_testing.builders import a_service
from backstay_testing.worlds import a_world

DEFEATING = (
    *("Restart", "RestartSec", "Type", "ExecStart", "ExecStartPre", "ExecStop", "ExecReload", "KillMode", "KillSignal"),
    *("Slice", "Delegate", "RemainAfterExit", "PIDFile", "GuessMainPID", "BindsTo", "PartOf", "ConditionPathExists"),
    *("SuccessExitStatus", "TimeoutStopSec", "SendSIGKILL", "Environment", "EnvironmentFile", "User", "NotifyAccess"),
    *("DynamicUser", "OOMPolicy", "RuntimeMaxSec", "StopWhenUnneeded", "LimitNOFILEX", "MemoryMax\nRestart", " Nice"),
)


def unit(overrides: dict[str, str] | None = None, *, environment: dict[str, str] | None = None, **more: Any) -> Any:
    spec = plain.Systemd(unit=more.pop("unit", "web.service"), overrides=overrides, environment=environment)
    return plain.RenderedResource(name="web", systemd=spec, **more)


def wire(**systemd: Any) -> dict[str, Any]:
    return {"name": "web", "systemd": {"unit": "web.service", **systemd}}


@pytest.mark.parametrize("name", DEFEATING)
def test_what_would_defeat_the_gate_or_the_stop_is_refused_with_a_sentence_by_everybody(name: str) -> None:
    assert "cannot be overridden" in fault_of(unit({name: "1"}).systemd)
    try:
        refused = accept(a_world("n1"), a_service("web", wire(overrides={name: "1"})))
        assert isinstance(refused, Refused) and "cannot be overridden" in refused.message
    except ValidationError as error:
        assert "overrides may set Limit…" in str(error)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("LimitNOFILE", ("65536", "infinity", "1024:65536"), ("64K", "-1", "", "1:2:3", "1 2", "1\n")),
        ("LimitCORE", ("0", "64M", "1G:infinity"), ("64X", "1.5G")),
        ("MemoryMax", ("2G", "50%", "100%", "infinity"), ("101%", "2GB", "-1")),
        ("CPUWeight", ("1", "10000"), ("0", "10001", "idle")),
        ("IOWeight", ("100",), ("0", "/dev/sda 5")),
        ("CPUQuota", ("150%",), ("150", "0%", "")),
        ("TasksMax", ("512", "10%", "infinity"), ("0", "-1")),
        ("Nice", ("-20", "19", "0"), ("-21", "20", "5x")),
        ("OOMScoreAdjust", ("-1000", "1000"), ("1001", "-1001")),
    ],
)
def test_values_that_systemd_would_ignore_are_refused(name: str, good: tuple[str, ...], bad: tuple[str, ...]) -> None:
    assert [value for value in good if fault_of(unit({name: value}).systemd)] == []
    for value in bad:
        assert f"overrides: {name}={value} is not understood: give {SETTINGS[name].words}" in fault_of(
            unit({name: value}).systemd
        )


def test_every_setting_of_the_table_passes_the_schema() -> None:
    for name in SETTINGS:
        HAService.model_validate({"metadata": {"name": "s"}, "spec": {"resources": [wire(overrides={name: "1"})]}})


@pytest.mark.parametrize("name", ["1X", "A B", "A" * 65, "BACKSTAY_UNIT"])
def test_an_agent_that_is_told_such_a_name_all_the_same_refuses_it(name: str) -> None:
    """The manifest is refused already; what stands in an order is looked at again."""
    assert "cannot be the name of a variable" in fault_of(unit(environment={name: "x"}).systemd)


@pytest.mark.parametrize(
    ("systemd", "why"),
    [
        pytest.param({"environment": {"BACKSTAY_UNIT": "x"}}, "cannot be the name of a variable", id="our mark"),
        pytest.param({"unit": "a.timer", "overrides": {"Nice": "1"}}, "a.timer takes neither", id="no service"),
        pytest.param(
            {"overrides": {"Nice": "77"}}, "Nice=77 is not understood: give a number from -20 to 19", id="range"
        ),
    ],
)
def test_the_operator_says_what_is_wrong(systemd: dict[str, Any], why: str) -> None:
    refused = accept(a_world("n1"), a_service("web", wire(**systemd)))
    assert (
        isinstance(refused, Refused)
        and why in refused.message
        and refused.message.startswith("spec.resources[web].systemd.")
    )
    assert isinstance(accept(a_world("n1"), a_service("web", wire(environment={"A": "%n $B"}))), Accepted)


@pytest.mark.parametrize(
    ("edited", "is_same_work", "is_applied"),
    [
        pytest.param(unit({"MemoryMax": "1G"}), True, False, id="nothing"),
        pytest.param(unit({"MemoryMax": "2G"}), True, True, id="what systemd brings to what runs"),
        pytest.param(unit(), True, True, id="without it"),
        pytest.param(unit({"MemoryMax": "1G", "LimitNOFILE": "1"}), False, True, id="a limit holds from a start on"),
        pytest.param(unit({"MemoryMax": "1G"}, environment={"A": "b"}), False, False, id="so does a variable"),
        pytest.param(unit({"MemoryMax": "1G"}, reloaded_at="now"), True, True, id="a reload"),
        pytest.param(unit({"MemoryMax": "1G"}, unit="x.service"), False, False, id="another unit"),
    ],
)
def test_what_an_edit_restarts_and_what_it_only_applies(edited: Any, is_same_work: bool, is_applied: bool) -> None:
    before = unit({"MemoryMax": "1G"})
    assert same_work([before], [edited]) is is_same_work
    if is_same_work:
        assert bool(edits([before], [edited])) is is_applied


def test_a_drop_in_says_just_that() -> None:
    assert text(unit().systemd) == ""
    lines = text(unit({"Nice": "5", "LimitNOFILE": "9"}, environment={"A": "b c"}).systemd).splitlines()
    assert lines[1:] == ["[Service]", "LimitNOFILE=9", "Nice=5", 'Environment="A=b c"']
    assert quoted('a"\\%\n\t$') == '"a\\"\\\\%%\\n\\t$"'
