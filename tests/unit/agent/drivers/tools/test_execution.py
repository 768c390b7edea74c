"""Which settings a unit gets from whom a command names, and what systemd means where it has not come to run the program."""

from __future__ import annotations

from typing import Any

import pytest

from backstay_agent.drivers.tools.execution import settings_of, words_of
from backstay_api.objects.commands import fault_of_command, stop_by_hand
from backstay_api.objects.plain import Command, Sandbox


def command(**more: Any) -> Command:
    return Command(start=("/bin/up",), stop=("/bin/down", "a b"), **more)


STRICT = Sandbox(
    protect_system="Strict", protect_home="ReadOnly", private_tmp=True, read_write_paths=("/srv/a", "/srv/b")
)


@pytest.mark.parametrize(
    ("more", "settings"),
    [
        pytest.param({}, {}, id="as ever"),
        pytest.param({"user": "web"}, {"User": "web"}, id="the group is the user's"),
        pytest.param({"user": "33", "group": "adm"}, {"User": "33", "Group": "adm"}, id="both"),
        pytest.param({"working_directory": "/srv/%n $x"}, {"WorkingDirectory": "/srv/%n $x"}, id="literal: systemd escapes"),
        pytest.param({"environment": {"A": "%n $B"}}, {"Environment": ["A=%n $B"]}, id="literal, too"),
        pytest.param({"sandbox": Sandbox()}, {}, id="kept from nothing"),
        pytest.param({"sandbox": Sandbox(private_tmp=False)}, {}, id="nor from that"),
        pytest.param({"sandbox": Sandbox(protect_system="Full", protect_home="Inaccessible")},
                     {"ProtectSystem": "full", "ProtectHome": "yes"}, id="systemd's words"),
        pytest.param({"sandbox": STRICT},
                     {"ProtectSystem": "strict", "ProtectHome": "read-only", "PrivateTmp": True,
                      "JoinsNamespaceOf": ["start.service"], "ReadWritePaths": ["/srv/a", "/srv/b"]}, id="all of it"),
    ],
)  # fmt: skip
def test_settings(more: dict[str, Any], settings: dict[str, Any]) -> None:
    assert {name: value for name, (_, value) in settings_of(command(**more), (), beside="start.service")} == settings


def test_the_unit_of_the_start_joins_nobody() -> None:
    assert "JoinsNamespaceOf" not in dict(settings_of(command(sandbox=STRICT), ()))


def test_of_variables_ours_win_and_each_is_named_once() -> None:
    told = dict(settings_of(command(environment={"A": "1", "B": "2"}), ["B=3=4", "C=5"]))
    assert told["Environment"] == ("as", ["A=1", "B=3=4", "C=5"])


@pytest.mark.parametrize(
    ("code", "more", "words"),
    [
        (217, {"user": "web"}, "there is no user web on this host"),
        (216, {"user": "web", "group": "www"}, "there is no group www on this host"),
        (216, {"group": "www"}, "there is no group www on this host"),
        (200, {"user": "web", "working_directory": "/srv"}, "user web cannot enter its workingDirectory /srv"),
        (200, {"working_directory": "/srv"}, "root cannot enter its workingDirectory /srv"),
        (226, {"sandbox": STRICT}, "its sandbox cannot be set up"),
        (217, {}, ""),
        (200, {"user": "web"}, ""),
        (226, {"user": "web"}, ""),
        (1, {"user": "web", "working_directory": "/srv", "sandbox": STRICT}, ""),
        (None, {"user": "web"}, ""),
    ],
)
def test_what_systemd_means_by_an_exit_code_where_it_can_mean_it(
    code: int | None, more: dict[str, Any], words: str
) -> None:
    assert words_of(command(**more), code) == words


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({}, ""),
        ({"A": "x" * 4096}, ""),
        ({"A B": ""}, "environment: 'A B' cannot be the name of a variable here"),
        ({"BACKSTAY_RESOURCE": ""}, "environment: 'BACKSTAY_RESOURCE' cannot be"),
        ({f"A{number}": "\u00e4" * 1000 for number in range(6)}, "environment: its variables are longer than 32 KiB"),
    ],
)
def test_variables_that_nobody_may_have(variables: dict[str, str], fault: str) -> None:
    said = fault_of_command(command(environment=variables))
    assert said.startswith(fault) and bool(said) is bool(fault)


@pytest.mark.parametrize(
    ("overrides", "fault"),
    [
        ({"MemoryMax": "2G", "Nice": "5"}, ""),
        ({"ExecStop": "/bin/true"}, "overrides: ExecStop cannot be overridden"),
        ({"Nice": "77"}, "overrides: Nice=77 is not understood: give a number from -20 to 19"),
    ],
)
def test_limits_are_those_of_units(overrides: dict[str, str], fault: str) -> None:
    said = fault_of_command(command(overrides=overrides))
    assert said.startswith(fault) and bool(said) is bool(fault)


def test_a_person_stops_it_as_we_would() -> None:
    assert stop_by_hand(command()) == "/bin/down 'a b'"
    told = stop_by_hand(command(user="web", group="www", working_directory="/srv/a", environment={"A": "b c"}))
    assert told == (
        "systemd-run --pipe --wait --uid=web --gid=www --working-directory=/srv/a '--setenv=A=b c' /bin/down 'a b'"
    )
